"""Families of numbers, as rooms tell them."""

from __future__ import annotations

from muster.net.exposition import Family, gauge
from muster.net.page import Page


def test_a_gauge_is_one_number_without_labels() -> None:
    assert gauge("serving", "Whether.", 1) == Family("serving", "gauge", "Whether.", (), {(): 1})


def test_a_family_without_numbers_is_described_all_the_same() -> None:
    """A dashboard finds the name before the first event."""
    page = Page("host", lambda: [Family("refused_total", "counter", "Refused.", ("code",))])
    text = page.encode().decode()
    assert "# TYPE muster_host_refused_total counter\n" in text
    assert "muster_host_refused_total{" not in text
