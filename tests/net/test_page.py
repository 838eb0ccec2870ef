"""The page of a server for Prometheus: names, kinds, escapes, version and process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.net.exposition import check_metrics, series

from muster import __version__
from muster.net.exposition import Family, Histogram, gauge
from muster.net.page import Page

TOLD = (
    Family("refused_total", "counter", "Refused.", ("code",), {("a/b",): 3, ('"\\\n',): 1}),
    gauge("end_timestamp_seconds", "When it ends.", 1_795_000_001),
    Family(
        "answer_seconds",
        "histogram",
        "How long.",
        ("route",),
        {("activate",): Histogram((("0.5", 1), ("+Inf", 4)), 2.25)},
    ),
)


def told(proc: Path = Path("/proc")) -> str:
    return Page("host", lambda: TOLD, proc).encode().decode()


def test_numbers_arrive_under_the_name_of_the_server() -> None:
    text = told()
    check_metrics(text)
    assert series(text, "muster_host_refused_total", code="a/b") == 3
    assert series(text, "muster_host_refused_total", code='"\\\n') == 1
    assert series(text, "muster_host_end_timestamp_seconds") == 1_795_000_001
    for bound, count in (("0.5", 1), ("+Inf", 4)):
        found = series(text, "muster_host_answer_seconds_bucket", route="activate", le=bound)
        assert found == count
    assert series(text, "muster_host_answer_seconds_count", route="activate") == 4
    assert series(text, "muster_host_answer_seconds_sum", route="activate") == 2.25
    assert "_created" not in text


def test_what_promtool_refuses_is_refused_here() -> None:
    with pytest.raises(AssertionError, match="gauge x_total"):
        check_metrics("# HELP x_total X.\n# TYPE x_total gauge\nx_total 1\n")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_version_and_process_are_told() -> None:
    text = told()
    version = {"version": __version__, "python": sys.version.split()[0]}
    assert series(text, "muster_build_info", role="host", **version) == 1
    assert series(text, "muster_host_build_info", **version) == 1
    assert series(text, "process_cpu_seconds_total") > 0
    began = series(text, "process_start_time_seconds")
    assert began <= Path("/proc/self").stat().st_ctime + 1
    resident = series(text, "process_resident_memory_bytes")
    assert 1 << 20 < resident < series(text, "process_virtual_memory_bytes")
    assert 0 < series(text, "process_open_fds") < series(text, "process_max_fds")


@pytest.mark.parametrize(
    ("of_process", "of_machine"),
    [
        (None, "btime 1\n"),
        ("1 (a) R " + "1 " * 30, "cpu 1 2\n"),
        ("1 (a) R " + "1 " * 30, "btime \n"),
        ("1 (a) R " + "1 " * 30, "btime x\n"),
        ("1 (a) R 1 2", "btime 1\n"),
        ("1 (a) R " + "x " * 30, "btime 1\n"),
    ],
)
def test_another_proc_than_that_of_linux_is_passed_over(
    tmp_path: Path, of_process: str | None, of_machine: str
) -> None:
    (tmp_path / "self/fd").mkdir(parents=True)
    (tmp_path / "stat").write_text(of_machine)
    (tmp_path / "self/limits").write_text("Max cpu time unlimited\n")
    if of_process is not None:
        (tmp_path / "self/stat").write_text(of_process)
    text = told(tmp_path)
    assert "\nprocess_" not in text
    assert "\nmuster_build_info{" in text
