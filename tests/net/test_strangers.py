"""Strangers cannot shut a real host or publisher out, nor fill its memory (chapter 8.13).

The times are generous, because machines are noisy; `make bench` measures them.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from tests.net.processes import start
from tests.net.siege import besiege

pytestmark = pytest.mark.real

MIB = 1024 * 1024
SECONDS = 3.0


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("host", "trailers"),
        ("host", "extensions"),
        ("host", "chunks"),
        ("host", "pipeline"),
        ("host", "pipeline-read"),
        ("host", "slow-bodies"),
        ("host", "slow-continue"),
        ("host", "slow-heads"),
        ("host", "deaf"),
        ("host", "half-closed"),
        ("publisher", "trailers"),
        ("publisher", "pipeline"),
        ("publisher", "slow-bodies"),
        ("publisher", "batches"),
        ("publisher", "chunked-batches"),
    ],
)
def test_memory_and_waiting_are_bounded_under_attack(role: str, name: str, tmp_path: Path) -> None:
    with start(role, tmp_path) as server:
        found = besiege(server, role, name, SECONDS)
    assert found.faults == []
    assert found.growth < 64 * MIB
    assert statistics.median(found.waits) < 2
    assert max(found.waits) < 15
