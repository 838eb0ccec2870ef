"""Judges Prometheus text: by promtool where it is installed, and by the rules that it checks."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from muster.net.exposition import Family, Histogram

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? \S+")
PARTS = ("_bucket", "_sum", "_count")


def check_metrics(text: str) -> None:
    """See that every series is described, and named as its kind is."""
    lines = text.splitlines()
    kinds = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE ")}
    helped = {line.split()[2] for line in lines if line.startswith("# HELP ")}
    assert helped == kinds.keys()
    assert all(line.split(None, 3)[3] for line in lines if line.startswith("# HELP "))
    for name, kind in kinds.items():
        assert name == name.lower()
        assert name.endswith("_total") == (kind == "counter"), f"{kind} {name}"
        assert not name.endswith((*PARTS, "_info_total")), f"{name} has a reserved suffix"
    seen: set[str] = set()
    for line in lines:
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        assert match is not None, line
        name = match[1]
        whole = next((name.removesuffix(part) for part in PARTS if name.endswith(part)), name)
        assert name in kinds or kinds.get(whole) == "histogram", f"{name} is not described"
        assert match[1] + (match[2] or "") not in seen, f"{line} appears twice"
        seen.add(match[1] + (match[2] or ""))
    tool = shutil.which("promtool")
    if tool is not None:
        checked = subprocess.run(
            [tool, "check", "metrics"], input=text.encode(), capture_output=True, check=False
        )
        assert checked.returncode == 0, (checked.stdout + checked.stderr).decode()


def series(text: str, name: str, **labels: str) -> float:
    """The number of one series of a page."""
    for metric in text_string_to_metric_families(text):
        for sample in metric.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    raise AssertionError(f"{name} {labels} is not told in\n{text}")


def number_of(families: Iterable[Family], name: str, *labels: str) -> float | Histogram:
    """The number of one series among families that a room tells."""
    (family,) = (family for family in families if family.name == name)
    return family.numbers[labels]
