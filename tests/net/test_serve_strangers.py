"""Strangers cannot shut a real host or publisher out, nor fill its memory (chapter 8.13).

Every honest request is answered while the attack still goes on. How long that takes depends on the
machine: `make bench` measures it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.net.processes import start
from tests.net.siege import besiege

pytestmark = pytest.mark.real

MIB = 1024 * 1024
SECONDS = 3.0
"""How long strangers have to do harm, at least."""
REQUESTS = 10
"""How often somebody honest asks meanwhile, at least."""


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("host", "trailers"),
        ("host", "extensions"),
        ("host", "chunks"),
        ("host", "pipeline"),
        ("host", "pipeline-read"),
        ("host", "rudy"),
        ("host", "slow-continue"),
        ("host", "slow-heads"),
        ("host", "deaf"),
        ("host", "half-closed"),
        ("publisher", "trailers"),
        ("publisher", "pipeline"),
        ("publisher", "rudy"),
        ("publisher", "batches"),
        ("publisher", "chunked-batches"),
    ],
)
def test_memory_is_bounded_and_the_honest_are_answered(
    role: str, name: str, tmp_path: Path
) -> None:
    with start(role, tmp_path) as server:
        found = besiege(server, role, name, seconds=SECONDS, requests=REQUESTS)
    assert found.faults == []
    assert len(found.waits) >= REQUESTS
    assert found.growth < 64 * MIB
