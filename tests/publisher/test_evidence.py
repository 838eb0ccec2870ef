"""Whether a publisher's clock is believed: both edges of each kind of evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from muster.core.products import DAY
from muster.publisher import evidence
from muster.publisher.evidence import AHEAD, SEEN_FILE, Doubt, Evidence, doubt, refusal, remember
from muster.publisher.rules import CLOCK_SLACK

NOW = 1_790_000_000


def act(at: int) -> Evidence:
    return Evidence("row 7 of the audit log", at, binds=True)


def signature(at: int) -> Evidence:
    return Evidence("the signature of trust version 2", at, binds=False)


def test_nothing_known_is_no_doubt() -> None:
    assert doubt(NOW, ()) is None


@pytest.mark.parametrize(("later", "found"), [(0, False), (CLOCK_SLACK, False), (1, True)])
def test_a_clock_behind_the_last_act(later: int, found: bool) -> None:
    row = act(NOW + (CLOCK_SLACK + 1 if found else later))
    assert doubt(NOW, (row,)) == (Doubt(row, ahead=False) if found else None)


def test_a_signature_of_the_future_binds_nobody() -> None:
    assert doubt(NOW, (act(NOW - DAY), signature(NOW + 900 * DAY))) is None


@pytest.mark.parametrize("make", [act, signature])
def test_a_clock_far_ahead_of_everything(make: Callable[[int], Evidence]) -> None:
    row = make(NOW - AHEAD)
    assert doubt(NOW, (row,)) is None
    assert doubt(NOW + 1, (row,)) == Doubt(row, ahead=True)
    newer = act(NOW - DAY)
    assert doubt(NOW + 1, (row, newer)) is None


def test_the_newest_of_what_is_later_is_named() -> None:
    rows = (act(NOW + 2 * DAY), act(NOW + 5 * DAY), act(NOW - DAY))
    found = doubt(NOW, rows)
    assert found == Doubt(rows[1], ahead=False)
    fault = refusal(NOW, found)
    assert fault.code == "publisher/clock"
    assert "5 days before row 7 of the audit log" in fault.what


def test_the_file_of_the_store_is_written_once_a_day(tmp_path: Path) -> None:
    file = tmp_path / SEEN_FILE
    remember(tmp_path, NOW)
    remember(tmp_path, NOW + DAY - 1)
    assert file.read_text() == f"{NOW}\n"
    remember(tmp_path, NOW + DAY)
    assert file.read_text() == f"{NOW + DAY}\n"
    remember(tmp_path, NOW)
    assert file.read_text() == f"{NOW}\n"


@pytest.mark.parametrize("text", ["", "soon", "-5", "9" * 33])
def test_a_file_that_says_nothing_is_no_evidence(tmp_path: Path, text: str) -> None:
    (tmp_path / SEEN_FILE).write_text(text)
    assert evidence._seen(tmp_path) is None
