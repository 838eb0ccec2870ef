"""The clocks of this machine."""

from __future__ import annotations

import subprocess
import sys

from muster.system.clock import SystemClock

ASK = "from muster.system.clock import SystemClock as C; print(C().uptime().boot)"


def test_the_time_since_the_start_of_the_machine_goes_on_and_has_a_name() -> None:
    clock = SystemClock()
    first, then = clock.uptime(), clock.uptime()
    assert first.boot == then.boot
    assert 0 < first.seconds <= then.seconds


def test_another_process_calls_the_start_the_same() -> None:
    told = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    same = told.stdout.strip() == SystemClock().uptime().boot
    assert same is (sys.platform == "linux")
