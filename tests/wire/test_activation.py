"""Requests for an activation, and their answers (docs/spec/08-http.md)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.wire.messages import CLIENT, KEY, READERS, REQUEST

from muster.core import grammar
from muster.core.errors import MusterError
from muster.wire import activation, codec, publisher, routes


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
        trust=2**53 - 1,
        catalogue=2**53 - 1,
        client=activation.ClientInfo("v" * 64, "o" * 64, True, "\U0001f5a5" * 64),
    ).prove(KEY)
    assert len(largest.body) <= routes.ACTIVATE.request_limit


@pytest.mark.parametrize("member", list(json.loads(REQUEST.body)))
def test_each_member_is_needed(member: str) -> None:
    body = json.loads(REQUEST.body)
    del body[member]
    with pytest.raises(MusterError, match=member):
        activation.decode_request(json.dumps(body).encode())


def test_a_higher_version_of_an_answer_says_update() -> None:
    body = codec.encode({"v": 2})
    for read in READERS[6:10]:
        with pytest.raises(MusterError) as caught:
            read(body)
        assert caught.value.code == "wire/version"


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
