"""Problem documents are unsigned, and their texts end in an administrator's terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.attacks.conftest import refusal

from muster.core.errors import error
from muster.lease.jws import MemorySigningKey
from muster.wire import status
from muster.wire.problem import decode_problem, encode_problem

GOOD: dict[str, Any] = {
    "title": "What",
    "detail": "Why",
    "fix": "Fix",
    "code": "host/insufficient-count",
    "field_code": "0xC004F038",
    "retry": "later",
    "status": 409,
}
STEERING = {
    "clear the screen": "\x1b[2J",
    "CSI of one byte": "\x9b2J",
    "set the title": "\x9d0;owned\x9c",
    "NUL": "\x00",
    "DEL": "\x7f",
    "a second line": "done\nroot#",
    "carriage return": "bad\rgood",
    "next line": "\x85",
    "right to left": "\u202egnp.exe",
    "isolate": "\u2066x\u2069",
    "arabic letter mark": "\u061c",
    "line separator": "\u2028",
    "zero width": "\u200b",
    "byte order mark": "\ufeff",
    "tag": "\U000e0041",
}
BRACES = [
    "{fix}",
    "{0}",
    "{",
    "}",
    "{{}}",
    "{params.__class__}",
    "{code!r:>99999999}",
    "%s%n",
    "${x}",
]


def document(**change: Any) -> bytes:
    return json.dumps(GOOD | change, ensure_ascii=False).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("name", list(STEERING))
def test_no_text_of_a_host_steers_a_terminal(name: str) -> None:
    hostile = STEERING[name]
    for member, attribute in (("title", "what"), ("detail", "why"), ("fix", "fix")):
        problem = decode_problem(409, document(**{member: f"a{hostile}b"}), "peer")
        shown = getattr(problem.error(), attribute)
        assert not set(shown) & set(hostile) - set(map(chr, range(32, 127)))
        assert shown.startswith("a")
        assert shown.endswith("b")
    problem = decode_problem(409, document(params={"a": hostile, "b": [hostile], "c": 7}), "peer")
    written = repr(list(problem.error().params.values())) + "".join(
        [problem.params["a"], *problem.params["b"]]
    )
    assert not set(written) & set(hostile) - set(map(chr, range(32, 127)))
    assert problem.number("c") == 7


@pytest.mark.parametrize("text", BRACES)
def test_braces_of_a_host_are_printed_and_not_filled(text: str) -> None:
    problem = decode_problem(409, document(title=text, detail=text, fix=text), "peer")
    fault = problem.error()
    assert (fault.what, fault.why, fault.fix) == (text, text, text)
    assert text in str(fault)
    own = error("wire/bad-request", detail=text)
    assert text in own.what
    assert text in decode_problem(*encode_problem(own), "peer").error().what


def test_parameters_are_plain_or_left_out() -> None:
    """Whoever prints or stores them meets integers, booleans, short texts and lists of them."""
    offered = {
        "good": 1,
        "yes": True,
        "text": "t",
        "list": ["a"],
        "null": None,
        "object": {"a": {"b": 1}},
        "deep": [["a"]],
        "numbers": [1],
        "long": "x" * 257,
        "long_item": ["x" * 257],
        "Bad\x9bname": 1,
        "": 1,
        "n" * 33: 1,
    }
    problem = decode_problem(409, document(params=offered), "peer")
    assert problem.params == {"good": 1, "yes": True, "text": "t", "list": ["a"]}
    assert problem.number("yes") is None
    assert problem.number("text") is None


@pytest.mark.parametrize(
    "detail",
    ["x" * 5000, "\x1b[2J", "\x9b", "\ud800", "a\nb", "\u202e", "😀" * 600],
    ids=["long", "ESC", "C1", "lone surrogate", "two lines", "right to left", "long in bytes"],
)
def test_an_error_filled_with_anything_reaches_its_reader(detail: str) -> None:
    """An error whose text was too long, or held a control character, once hid itself: its own
    reader refused it, and a lone surrogate made a 500 of it."""
    fault = error("wire/bad-request", detail=detail)
    code, body = encode_problem(fault)
    found = decode_problem(code, body, "peer")
    assert found.code == "wire/bad-request"
    assert found.retry == fault.row.retry
    assert len(found.what) <= 1024


def test_documents_that_are_none() -> None:
    for bad in (
        b"",
        b"[]",
        b"<html>",
        document(code="x"),
        document(code="A/B"),
        document(code="a/" + "b" * 65),
        document(retry="forever"),
        document(retry=None),
        document(field_code="\x1b[2J"),
        document(title=None),
        document(title="x" * 1025),
        document(title="\ud800"),
        document(notice="text"),
        document(params=[]),
        document(trust=-1),
        document(trust=1.5),
        document(trust=2**53),
        document(params={"a": [[[[[[[[1]]]]]]]]}),
        document(filler="x" * (16 * 1024)),
    ):
        assert refusal(lambda: decode_problem(409, bad, "peer")) == "wire/bad-answer"  # noqa: B023


def test_a_bad_signer_among_grants_is_said_of_the_peer() -> None:
    signer = MemorySigningKey(bytes(range(32))).public.jwk
    for bad in ({}, signer | {"d": "x"}, signer | {"x": "A"}, signer | {"crv": "X25519"}):
        body = json.dumps({"v": 1, "grants": [{"grant": "a.b.c", "signer": bad}]}).encode()
        assert refusal(lambda: status.decode_grants(body, "peer")) == "wire/bad-answer"  # noqa: B023
