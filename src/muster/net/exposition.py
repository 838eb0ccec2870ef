"""Prometheus text, the part that every metric has (https://prometheus.io/docs/instrumenting/
exposition_formats/). Refuses to know what is measured."""

from __future__ import annotations


def head(name: str, kind: str, text: str) -> list[str]:
    """The two comment lines in front of the series of a metric.

    Args:
        name: of the metric, with its prefix.
        kind: "counter", "gauge" or "histogram".
        text: what it is, one line.
    """
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
