"""What a server tells of its process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.net.exposition import check_metrics

from muster import __version__
from muster.net.process import process_lines


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_version_and_process_are_told() -> None:
    lines = process_lines("muster_host")
    check_metrics("\n".join(lines) + "\n")
    found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    build = next(name for name in found if name.startswith("muster_host_build_info"))
    assert f'version="{__version__}"' in build
    assert float(found["process_cpu_seconds_total"]) > 0
    assert float(found["process_start_time_seconds"]) <= Path("/proc/self").stat().st_ctime + 1
    assert int(found["process_resident_memory_bytes"]) > 1 << 20
    assert int(found["process_resident_memory_bytes"]) < int(found["process_virtual_memory_bytes"])
    assert 0 < int(found["process_open_fds"]) < int(found["process_max_fds"])


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
    if of_process is not None:
        (tmp_path / "self/stat").write_text(of_process)
    lines = process_lines("muster_host", tmp_path)
    assert [line for line in lines if line.startswith("process_")] == []
    assert any(line.startswith("muster_host_build_info") for line in lines)
