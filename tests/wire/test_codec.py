"""Messages round trip; any bytes give a value or the documented error (chapter 8)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError, Retry
from muster.core.identity import machine_cmid
from muster.lease.bundle import Bundle
from muster.lease.jws import MemorySigningKey
from muster.net import openapi
from muster.wire import activation, codec, exchange, problem, publisher, release, routes, status

CLIENT = activation.ClientInfo(version="0.1.0", os="Linux", virtual=None)
KEY = MemorySigningKey(bytes(range(32)))
REQUEST = activation.ActivationRequest(
    publisher="abcdefghijklmnop",
    product="contoso-desktop-7-professional",
    cmid=machine_cmid("abcdefghijklmnop", "machine", KEY.public.raw),
    key=KEY.public.raw,
    nonce="A" * 22,
    line=("A" * 8,),
    fingerprint=("d0011223344556677", "u8899aabbccddeeff"),
    identity="machine",
    state=2,
    sent_at=1_790_000_000,
    client=CLIENT,
).prove(KEY)
READERS = (
    activation.decode_request,
    release.decode_release,
    publisher.decode_confirm_request,
    exchange.read_request_file,
    exchange.read_reply_file,
    exchange.read_publisher_file,
    lambda body: activation.decode_answer(body, "peer"),
    lambda body: publisher.decode_confirm_answer(body, "peer"),
    lambda body: status.decode_publishers(body, "peer"),
    lambda body: status.decode_grants(body, "peer"),
    lambda body: problem.decode_problem(409, body, "peer"),
    publisher.decode_batch_request,
    lambda body: publisher.decode_batch_answer(body, "peer"),
    exchange.read_confirmation_file,
    exchange.read_reply,
)


def test_request_round_trip() -> None:
    assert activation.decode_request(REQUEST.body) == REQUEST
    assert len(REQUEST.body) <= routes.ACTIVATE.request_limit


def test_request_of_a_newer_client_is_read() -> None:
    body = json.loads(REQUEST.body)
    body["v"] = 7
    body["news"] = {"a": [1, 2]}
    assert activation.decode_request(json.dumps(body).encode()).v == 7


def test_largest_request_fits_its_limit() -> None:
    largest = activation.ActivationRequest(
        publisher="a" * 16,
        product="p" * 64,
        cmid=REQUEST.cmid,
        key=KEY.public.raw,
        nonce="A" * 22,
        line=tuple(f"{n:08}" for n in range(128)),
        challenge="A" * 22,
        fingerprint=tuple(f"n{n:016x}" for n in range(16)),
        identity="explicit",
        state=6,
        sent_at=2**53 - 1,
        client=activation.ClientInfo("v" * 64, "o" * 64, True, "\U0001f5a5" * 64),
    ).prove(KEY)
    assert len(largest.body) <= routes.ACTIVATE.request_limit


def test_the_published_schemas_name_each_member_of_a_request() -> None:
    """With all members that a message may have, and with those alone that it must have."""
    signer = KEY.public
    bundle = Bundle("a.b.c", "d.e.f", signer)
    least = release.ReleaseRequest(bundle, signer.raw, (), 1)
    named = replace(CLIENT, name="pc")
    for name, few, all_ in (
        (routes.ACTIVATE.name, REQUEST, replace(REQUEST, client=named, challenge="A" * 22)),
        (routes.RELEASE.name, least, replace(least, challenge="A" * 22)),
    ):
        schema = openapi.REQUESTS[name]
        assert set(schema["required"]) == set(json.loads(few.prove(KEY).body)), name
        assert set(schema["properties"]) == set(json.loads(all_.prove(KEY).body)), name
        assert 428 in {route.name: route for route in routes.HOST_ROUTES}[name].statuses


HOSTILE = ['"', "{", "}", "{0}", "{fix}", "%s", "\\", "'; DROP TABLE machine; --", "<script>", "\n"]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize(
    "member",
    [
        "publisher",
        "product",
        "cmid",
        "key",
        "nonce",
        "line",
        "identity",
        "fingerprint",
        "state",
        "v",
        "proof",
    ],
)
def test_hostile_text_in_every_member_is_refused(member: str, hostile: str) -> None:
    body: dict[str, Any] = json.loads(REQUEST.body)
    body[member] = [hostile] if member == "fingerprint" else hostile
    with pytest.raises(MusterError) as caught:
        activation.decode_request(json.dumps(body).encode())
    assert caught.value.code == "wire/bad-request"
    assert member in caught.value.what


@pytest.mark.parametrize("member", list(json.loads(REQUEST.body)))
def test_each_member_is_needed(member: str) -> None:
    body = json.loads(REQUEST.body)
    del body[member]
    with pytest.raises(MusterError, match=member):
        activation.decode_request(json.dumps(body).encode())


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode()))
def test_any_bytes_give_a_value_or_the_documented_error(data: bytes) -> None:
    for read in READERS:
        try:
            read(data)
        except MusterError as fault:
            assert fault.what
            assert fault.fix


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)
_MEMBERS = st.sampled_from(
    [*json.loads(REQUEST.body), "lease", "grant", "signer", "count", "need", "trust",
     "catalogue", "secret", "installation_id", "confirmation_id", "terms", "file", "url", "anchor",
     "publishers", "grants", "code", "title", "detail", "fix", "retry", "params", "notice",
     "installation_ids", "answers", "what", "why"]
)  # fmt: skip


@given(st.dictionaries(_MEMBERS, _JSON))
def test_any_object_of_known_members_gives_a_value_or_the_documented_error(
    value: dict[str, Any],
) -> None:
    data = json.dumps(value).encode()
    for read in READERS:
        try:
            read(data)
        except MusterError as fault:
            assert fault.what


def test_problem_round_trip_keeps_texts_and_numbers() -> None:
    fault = error("host/insufficient-count", count=3, need=25, retry_after=7200)
    code, body = problem.encode_problem(fault, trust=3, catalogue=5)
    read = problem.decode_problem(code, body, "peer")
    assert (read.code, read.what, read.fix) == (fault.code, fault.what, fault.fix)
    assert (read.trust, read.catalogue, read.retry) == (3, 5, Retry.LATER)
    assert read.params == fault.params
    again = read.error()
    assert (again.code, again.what, again.why, again.fix) == (
        fault.code,
        fault.what,
        fault.why,
        fault.fix,
    )


def test_problem_of_a_server_fault_shows_no_parameters() -> None:
    fault = error("wire/unavailable", retry_after=30)
    code, body = problem.encode_problem(fault)
    assert code == 503
    assert "params" not in json.loads(body)


def test_files_round_trip_and_are_told_apart() -> None:
    request = exchange.RequestFile("a" * 16, publisher.ConfirmRequest("123456 " * 15))
    reply = exchange.ReplyFile(
        "a" * 16, publisher.ConfirmAnswer("a.b.c", "123456 " * 33, ("t.t.t",), "c.c.c")
    )
    known = exchange.PublisherFile("a" * 16, "t.t.t", ("u.u.u",), "c.c.c", "http://127.0.0.1:1")
    assert exchange.read_request_file(request.encode()) == request
    assert exchange.read_reply_file(reply.encode()) == reply
    assert exchange.read_publisher_file(known.encode()) == known
    with pytest.raises(MusterError, match="it is a muster-reply file"):
        exchange.read_request_file(reply.encode())


def test_the_short_form_of_a_reply_is_told_from_the_whole() -> None:
    short = exchange.ConfirmationFile("a" * 16, "123456 " * 33)
    whole = exchange.ReplyFile(
        "a" * 16, publisher.ConfirmAnswer("a.b.c", "123456 " * 33, ("t.t.t",), "c.c.c")
    )
    assert exchange.read_confirmation_file(short.encode()) == short
    assert exchange.read_reply(short.encode()) == short
    assert exchange.read_reply(whole.encode()) == whole
    request = exchange.RequestFile("a" * 16, publisher.ConfirmRequest("123456 " * 12)).encode()
    with pytest.raises(MusterError, match="it is a muster-request file"):
        exchange.read_reply(request)


HINTED = "Group A1 has 2 of 6 digits; all before it is right."


def test_batch_round_trip() -> None:
    asked = publisher.BatchRequest(("123456 " * 12, "1-2"))
    assert publisher.decode_batch_request(asked.encode()) == asked
    rows = (
        publisher.BatchRow("a.b.c", "123456 " * 33),
        publisher.BatchRow.of(error("publisher/pool-used-up", key="1-7-5", pool=3)),
        publisher.BatchRow.of(
            error(
                "digits/length",
                expected=84,
                count=2,
                hint="Group A1 has 2 of 6 digits; all before it is right.",
            )
        ),
    )
    answer = publisher.BatchAnswer(rows, ("t.t.t",), "c.c.c")
    assert publisher.decode_batch_answer(answer.encode(), "peer") == answer
    members = [sorted(one) for one in json.loads(answer.encode())["answers"]]
    bad = ["code", "fix", "params", "retry", "what", "why"]
    assert members == [["confirmation_id", "grant"], bad, bad]


@pytest.mark.parametrize(
    "ids", [[], "1", [1], [[]], [None], ["x"], ["1" * 401], ["1"] * (publisher.BATCH_ROWS + 1)]
)
def test_what_is_no_batch_is_refused(ids: object) -> None:
    with pytest.raises(MusterError) as caught:
        publisher.decode_batch_request(json.dumps({"v": 1, "installation_ids": ids}).encode())
    assert caught.value.code == "wire/bad-request"


def test_the_largest_batch_fits_its_limits() -> None:
    """12 groups of digits with spaces; grants and refusals as long as they become."""
    ids = ("123456 " * 11 + "123456",) * publisher.BATCH_ROWS
    assert len(publisher.BatchRequest(ids).encode()) <= routes.ACTIVATIONS_BATCH.request_limit
    row = publisher.BatchRow("g" * 900 + ".b.c", "123456 " * 33)
    answer = publisher.BatchAnswer([row] * publisher.BATCH_ROWS, (), "c.c.c").encode()
    assert len(publisher.decode_batch_answer(answer, "peer").rows) == publisher.BATCH_ROWS


def test_files_cut_at_any_byte_are_refused() -> None:
    data = exchange.RequestFile("a" * 16, publisher.ConfirmRequest("123456 " * 15)).encode()
    for length in range(len(data) - 1):
        with pytest.raises(MusterError) as caught:
            exchange.read_request_file(data[:length])
        assert caught.value.code == "wire/not-exchange"


def test_status_round_trip() -> None:
    served = (status.ServedPublisher("a" * 16, "contoso", 3, 4, ("desktop", "server")),)
    assert status.decode_publishers(status.encode_publishers(served), "peer") == served
    signer = MemorySigningKey(bytes(range(32))).public
    grants = (status.HostGrant("a.b.c", signer),)
    assert status.decode_grants(status.encode_grants(grants), "peer") == grants


def test_routes_are_distinct_and_fill() -> None:
    for table in (routes.HOST_ROUTES, routes.PUBLISHER_ROUTES):
        assert len({(route.method, route.path) for route in table}) == len(table)
    assert routes.HOST_TRUST.fill(publisher="x" * 16, version="3") == (
        f"/v1/publishers/{'x' * 16}/trust/3"
    )


def test_a_higher_version_of_an_answer_says_update() -> None:
    body = codec.encode({"v": 2})
    for read in READERS[6:10]:
        with pytest.raises(MusterError) as caught:
            read(body)
        assert caught.value.code == "wire/version"


# Names: a stranger's words.

NOT_SHOWN = ("\x1b[31m", "a\nb", "\u202eevil", "\x7f", "tab\there", "\u2066x")


@pytest.mark.parametrize("name", [*NOT_SHOWN, "", "n" * 65, 5, ["a"], {"a": 1}, True])
def test_a_name_that_is_none_for_people_refuses_the_request(name: object) -> None:
    body = json.loads(REQUEST.body)
    body["client"]["name"] = name
    with pytest.raises(MusterError) as caught:
        activation.decode_request(json.dumps(body).encode())
    assert caught.value.code == "wire/bad-request"


@pytest.mark.parametrize("name", ["pc-1", "n" * 64, "受" * 64, "Büro № 7", '"; seen today'])
def test_a_name_travels_as_it_is(name: str) -> None:
    client = replace(CLIENT, name=name)
    asked = activation.decode_request(replace(REQUEST, client=client).prove(KEY).body)
    assert asked.client.name == name
    assert publisher.decode_confirm_request(
        publisher.ConfirmRequest("123456", name).encode()
    ) == publisher.ConfirmRequest("123456", name)


def test_a_request_without_a_name_has_no_such_member() -> None:
    assert "name" not in json.loads(REQUEST.body)["client"]
    assert activation.decode_request(REQUEST.body).client.name == ""
    body = json.loads(REQUEST.body)
    body["client"]["name"] = None
    assert activation.decode_request(json.dumps(body).encode()).client.name == ""


@given(st.text(max_size=200))
def test_whatever_a_system_calls_itself_can_be_sent_or_is_left_out(text: str) -> None:
    """A machine is never refused for what its administrator named it."""
    name = codec.name_for_people(text)
    assert len(name) <= 64
    assert codec.name_for_people(name) == name
    client = replace(CLIENT, name=name)
    assert (
        activation.decode_request(replace(REQUEST, client=client).prove(KEY).body).client.name
        == name
    )
    assert codec.name_for_people("pc\udcff-1\x00") == "pc-1"


def test_a_fault_names_the_path_of_the_member_and_nothing_else_travels() -> None:
    """Messages and signed objects have one reader; the row of messages takes the path as text."""
    body: dict[str, Any] = json.loads(REQUEST.body)
    body["client"]["os"] = "\n"
    with pytest.raises(MusterError) as caught:
        activation.decode_request(json.dumps(body).encode())
    assert caught.value.params == {"detail": "message.client.os: not of its grammar"}


def test_null_is_absence_in_messages() -> None:
    message = codec.decode(b'{"a":null,"b":"","c":["x","x"]}')
    assert not message.given("a")
    assert message.given("b")
    assert message.optional_text("a", grammar.NAME) is None
    assert message.optional_text("z", grammar.NAME) is None
    with pytest.raises(MusterError):
        message.optional_text("b", grammar.NAME)
    assert message.texts("c", grammar.NAME, 2, distinct=False) == ("x", "x")
    with pytest.raises(MusterError):
        message.texts("c", grammar.NAME, 2)


@pytest.mark.parametrize("value", [None, 0, 1, "true", [], {}])
def test_only_true_and_false_are_flags(value: object) -> None:
    message = codec.reader_of({"good": False, "bad": value})
    assert message.flag("good") is False
    with pytest.raises(MusterError):
        message.flag("bad")
