"""The published schemas of messages and the strict readers take and refuse the same."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jsonschema
import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from tests.wire.messages import KEY, REQUEST

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.lease.bundle import Bundle
from muster.net import openapi
from muster.wire import activation, problem, publisher, release, routes, status

pytestmark = pytest.mark.hypothesis

Reader = Callable[[bytes], object]


class Message(NamedTuple):
    """A message with every member that it may have, its schema and its reader.

    `lenient` tells that the reader asks for less than a server says: of problem documents it needs
    what a program acts upon.
    """

    schema: Any
    sample: Any
    reader: Reader
    lenient: bool = False


def of_peer(reader: Callable[[bytes, str], object]) -> Reader:
    return lambda body: reader(body, "peer")


BUNDLE = Bundle("a.b.c", "d.e.f", KEY.public)
PROVED = release.ReleaseRequest(BUNDLE, KEY.public.raw, ("A" * 8,), 1, "A" * 22).prove(KEY)
LEASED = activation.ActivationAnswer(BUNDLE, 25, 25, 1, 2, "A" * 22).encode()
SERVED = status.ServedPublisher("abcdefghijklmnop", "contoso", 1, 2, ("desktop",))
GRANTS = status.encode_grants((status.HostGrant("a.b.c", KEY.public),))
CONFIRMED = publisher.ConfirmAnswer("a.b.c", "1 2", ("a.b.c",), "a.b.c", "a.b.c").encode()
ROWS = (
    publisher.BatchRow("a.b.c", "123456"),
    publisher.BatchRow.of(error("publisher/unknown-key", key="0-1-2")),
)
BATCH = publisher.BatchAnswer(ROWS, ("a.b.c",), "a.b.c").encode()
PROBLEM = problem.encode_problem(error("host/busy", retry_after=5), trust=1, catalogue=1)[1]
ANSWERS, REQUESTS = openapi.ANSWERS, openapi.REQUESTS
MESSAGES = {
    "activate": Message(
        REQUESTS[routes.ACTIVATE.name],
        json.loads(REQUEST.body) | {"challenge": "A" * 22},
        activation.decode_request,
    ),
    "release": Message(
        REQUESTS[routes.RELEASE.name], json.loads(PROVED.body), release.decode_release
    ),
    "hosts-activate": Message(
        REQUESTS[routes.HOSTS_ACTIVATE.name],
        {"v": 1, "installation_id": "123456 12", "name": "kms1"},
        publisher.decode_confirm_request,
    ),
    "batch": Message(
        REQUESTS[routes.ACTIVATIONS_BATCH.name],
        {"v": 1, "installation_ids": ["1", "2"]},
        publisher.decode_batch_request,
    ),
    "leased": Message(
        ANSWERS[routes.ACTIVATE.name], json.loads(LEASED), of_peer(activation.decode_answer)
    ),
    "released": Message(
        ANSWERS[routes.RELEASE.name],
        {"v": 1, "released": True},
        of_peer(release.decode_released),
    ),
    "publishers": Message(
        ANSWERS[routes.PUBLISHERS.name],
        json.loads(status.encode_publishers((SERVED,))),
        of_peer(status.decode_publishers),
    ),
    "grants": Message(
        ANSWERS[routes.PUBLISHER_GRANTS.name], json.loads(GRANTS), of_peer(status.decode_grants)
    ),
    "confirmed": Message(
        ANSWERS[routes.ACTIVATIONS.name],
        json.loads(CONFIRMED),
        of_peer(publisher.decode_confirm_answer),
    ),
    "batch answer": Message(
        ANSWERS[routes.ACTIVATIONS_BATCH.name],
        json.loads(BATCH),
        of_peer(publisher.decode_batch_answer),
    ),
    "problem": Message(
        openapi.PROBLEM_SCHEMA,
        json.loads(PROBLEM),
        lambda body: problem.decode_problem(409, body, "peer"),
        lenient=True,
    ),
}
NOT_IN_A_SCHEMA = ("no Ed25519 public key", "wire/unexpected-code")
"""What a reader may refuse that no schema can say: points of the curve, codes of other roles."""


def _pattern(_: Any, text: str, value: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    """As ECMA-262 has it, where `$` is the end [and not before a last line feed]."""
    if isinstance(value, str) and not re.search(f"{text[:-1]}\\Z", value):
        yield jsonschema.ValidationError("pattern")


Validator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]  # so are its stubs
    jsonschema.Draft202012Validator, {"pattern": _pattern}
)


def refusal(reader: Reader, value: Any) -> str:
    """Why a reader refuses a message; "" where it takes it."""
    try:
        reader(json.dumps(value).encode())
    except MusterError as fault:
        return f"{fault.code}: {fault.what} {fault.params}"
    return ""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each member and item."""
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


ODD = st.one_of(
    st.sampled_from([None, True, False, 0, 1, 6, 7, 256, 2**53 - 1, "", {}, [], [None], {"a": 1}]),
    st.sampled_from(["\n", " ", "a", "a" * 64, "a" * 65, "a" * 1025, "a b", "\u202e", "1\u200b"]),
    st.text(max_size=70),
)


def changed(draw: Callable[[Any], Any], before: Any) -> Any:
    """Another value in the place of one: near to it, or far away."""
    near: list[Any] = [None]
    if isinstance(before, str):
        mark = draw(st.sampled_from(["\n", " ", "\0", "\x7f", "\xa0", "\u3000", "\u061c", "."]))
        at = draw(st.integers(0, len(before)))
        near += [before[:at] + mark + before[at:], before + mark, before.upper(), before[:at]]
        near.append(before * 2)
    elif isinstance(before, list):
        near += [before * 2, before * 9, before * 65, before * 129, [*before, draw(ODD)]]
    elif isinstance(before, dict):
        near += [before | {draw(st.sampled_from(["note", "grant", "name"])): draw(ODD)}]
    return draw(st.one_of(st.sampled_from(near), ODD))


@pytest.mark.parametrize("name", MESSAGES)
def test_the_schema_takes_what_the_reader_takes(name: str) -> None:
    message = MESSAGES[name]
    validator = Validator(message.schema)
    Validator.check_schema(message.schema)
    assert refusal(message.reader, message.sample) == ""
    assert validator.is_valid(message.sample)
    paths = list(places(message.sample))

    @given(st.data())
    def play(data: st.DataObject) -> None:
        value = copy.deepcopy(message.sample)
        path = data.draw(st.sampled_from(paths))
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        if isinstance(holder, dict) and data.draw(st.integers(0, 4)) == 0:
            del holder[path[-1]]
        else:
            holder[path[-1]] = changed(data.draw, holder[path[-1]])
        why = refusal(message.reader, value)
        note(f"the reader: {why or 'takes it'}")
        if any(words in why for words in NOT_IN_A_SCHEMA):
            return
        if validator.is_valid(value):
            assert why == ""
        elif not message.lenient:
            assert why

    play()


def test_a_refused_row_may_hold_a_list_of_texts() -> None:
    row = publisher.BatchRow(code="publisher/new", params={"labels": ["a", "b"]}, retry="never")
    body = publisher.BatchAnswer((row,), (), "a.b.c").encode()
    assert Validator(MESSAGES["batch answer"].schema).is_valid(json.loads(body))
    (read,) = publisher.decode_batch_answer(body, "peer").rows
    assert read.code == "wire/unknown-code"


def test_patterns_are_of_ecma_script_too() -> None:
    """Nothing stands in a published pattern that Python and ECMA-262 write or mean differently."""
    routed = (*routes.HOST_ROUTES, *routes.PUBLISHER_ROUTES)
    body = openapi.encode_document(routed, title="t", description="d", version="1")
    found = [json.loads(text) for text in re.findall(rb'"pattern":("(?:[^"\\]|\\.)*")', body)]
    assert len(found) > 10
    for text in found:
        assert not re.search(r"\\[AZabsSx]|\(\?[a-zP#(]|[+*?}]\+", text), text
