"""The comment lines of a metric, as promtool wants them."""

from __future__ import annotations

import pytest
from tests.net.exposition import check_metrics

from muster.net.exposition import head


def test_a_series_behind_its_head_is_described() -> None:
    lines = [*head("muster_host_serving", "gauge", "1 while it serves."), "muster_host_serving 1"]
    assert lines[:2] == [
        "# HELP muster_host_serving 1 while it serves.",
        "# TYPE muster_host_serving gauge",
    ]
    check_metrics("\n".join(lines) + "\n")
    with pytest.raises(AssertionError):
        check_metrics("\n".join(lines[2:]) + "\n")
