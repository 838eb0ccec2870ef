"""Pairs of machines from public reports: told apart, or held together.

Each case says what is asked of machines `a` and `b`: `lease`, whether a store that was copied from
`a` to `b` counts as b's own; `binding`, whether a one-time activation of `a` is one of `b`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from muster.core.facts import clean_facts
from muster.core.identity import Fact, binding, commitments, matches, primary_fact
from muster.core.keys import KeyId

FOLDER = Path(__file__).resolve().parent / "facts_cases"
KEY = KeyId.parse("1-10-1")


def bound(facts: tuple[Fact, ...], store: bytes) -> str:
    return binding("xei4yt53smy4rgpd", KEY, bytes(7), primary_fact(facts, store))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_machines_of_reports(path: Path) -> None:
    case: dict[str, Any] = json.loads(path.read_text())
    one, other = clean_facts(case["a"]), clean_facts(case["b"])
    if case["ask"] == "lease":
        same = matches(commitments(b"s" * 32, one), commitments(b"s" * 32, other))
        assert same == matches(commitments(b"s" * 32, other), commitments(b"s" * 32, one))
    else:
        there = b"r" * 32 if case["expect"] == "same" else b"q" * 32
        same = bound(one, b"r" * 32) == bound(other, there)
    assert ("same" if same else "other") == case["expect"], case["source"]
