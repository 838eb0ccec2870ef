"""Batches of activations at a publisher (docs/spec/08-http.md)."""

from __future__ import annotations

import json

import pytest

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.wire import publisher, routes


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
