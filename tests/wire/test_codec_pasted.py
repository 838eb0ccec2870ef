"""Digits that people pasted travel as they are: each row is judged by whoever reads it (C11)."""

from __future__ import annotations

import json

import pytest

from muster.core import grammar
from muster.core.digits import encode_groups, format_rows
from muster.core.errors import MusterError
from muster.core.ids import parse_confirmation_id, parse_installation_id
from muster.net.openapi import encode_document
from muster.wire import codec, exchange, publisher, routes

GROUPS = encode_groups((1 << 182) + 5, 12)
PASTED = [
    "\u2013".join(GROUPS),
    "> " + format_rows(GROUPS).replace("\n", "\n> "),
    "\u00a0\u2014\u00a0".join(GROUPS),
    "\ufeff" + ", ".join(GROUPS) + ".",
]


@pytest.mark.parametrize("text", PASTED)
def test_pasted_digits_reach_whoever_reads_them(text: str) -> None:
    """In a request, a row of a batch, a request file and the short reply of a QR code."""
    whole = parse_installation_id("-".join(GROUPS))
    asked = publisher.decode_confirm_request(publisher.ConfirmRequest(text).encode())
    assert parse_installation_id(asked.installation_id) == whole
    batch = publisher.decode_batch_request(publisher.BatchRequest((text, text)).encode())
    assert [parse_installation_id(row) for row in batch.installation_ids] == [whole] * 2
    request = exchange.RequestFile("a" * 16, publisher.ConfirmRequest(text)).encode()
    assert exchange.read_request_file(request).request.installation_id == text
    digits = "\u2013".join(encode_groups(1 << 500, 33))
    short = exchange.read_reply(exchange.ConfirmationFile("a" * 16, digits).encode())
    assert isinstance(short, exchange.ConfirmationFile)
    assert parse_confirmation_id(short.confirmation_id).key_index == 0


@pytest.mark.parametrize("text", ["x", "٣", "\x1b[31m", "1" * 401, "", " - > "])
def test_what_cannot_be_digits_is_no_request(text: str) -> None:
    body = json.dumps({"v": 1, "installation_ids": [text]}).encode()
    with pytest.raises(MusterError) as caught:
        publisher.decode_batch_request(body)
    assert caught.value.code == "wire/bad-request"


def test_the_described_grammar_is_the_one_that_is_read() -> None:
    """The document of the interface gives the same pattern."""
    described = encode_document(
        routes.PUBLISHER_ROUTES, title="Muster", description="a publisher", version="1"
    )
    assert f"^(?:{grammar.DIGIT_GROUPS.pattern})$" in patterns(json.loads(described))


def patterns(value: object) -> set[str]:
    """Every pattern of a described interface."""
    if isinstance(value, list):
        return set().union(*(patterns(item) for item in value))
    if not isinstance(value, dict):
        return set()
    found = set().union(*(patterns(item) for item in value.values()))
    pattern = value.get("pattern")
    return found | {pattern} if isinstance(pattern, str) else found


def test_as_much_of_a_name_is_sent_as_may_be() -> None:
    """Spaces inside stay; what nobody sees, and spaces around, go."""
    assert codec.name_for_people(" Kasse\u200b 17 \u061c\u00a0") == "Kasse 17"
    assert codec.name_for_people("\ufeff\u3164") == ""
