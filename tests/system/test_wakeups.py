"""A process that sleeps is woken by an instant, by a clock that is set, and by a changed folder."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from muster.system.wakeups import Alarm, FolderWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="timerfd and inotify are Linux's")


def ready(*waiting: Alarm | FolderWatch, wait: bool = False) -> list[Alarm | FolderWatch]:
    found, _, _ = select.select(waiting, [], [], None if wait else 0)
    return list(found)


def test_an_instant_that_has_passed_fires_at_once_and_another_one_does_not() -> None:
    alarm = Alarm()
    assert not ready(alarm)
    alarm.set(int(time.time()) + 3600)
    assert not ready(alarm)
    for passed in (0, 1, int(time.time())):
        alarm.set(passed)
        assert ready(alarm, wait=True) == [alarm]
        assert alarm.read() is False
        assert not ready(alarm)
    alarm.set(None)
    assert not ready(alarm)
    assert alarm.read() is False
    alarm.close()


@pytest.mark.real
def test_a_clock_that_is_set_ends_the_wait() -> None:
    """By the same second; skipped where this machine does not let us set its clock."""
    alarm = Alarm()
    script = "import time; time.clock_settime(time.CLOCK_REALTIME, time.time())"
    if subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us set its clock")
    assert ready(alarm, wait=True) == [alarm]
    assert alarm.read() is True
    assert alarm.set(None) is False
    assert not ready(alarm)
    # Whoever sets the alarm before it looked is told by that.
    subprocess.run([sys.executable, "-c", script], check=True)
    assert alarm.set(None) is True
    assert not ready(alarm)
    alarm.close()


def test_what_is_put_in_place_in_a_folder_is_told(tmp_path: Path) -> None:
    watch = FolderWatch()
    watch.add(tmp_path)
    watch.add(tmp_path)
    assert not ready(watch)
    (tmp_path / "publisher").mkdir()
    (tmp_path / ".state").write_text("1")
    (tmp_path / ".state").rename(tmp_path / "state.json")
    assert ready(watch) == [watch]
    told = set(watch.read())
    assert {(tmp_path / "publisher", True), (tmp_path / "state.json", False)} <= told
    (tmp_path / "state.json").read_text()
    assert not ready(watch)
    (tmp_path / "state.json").unlink()
    assert (tmp_path / "state.json", False) in set(watch.read())
    watch.close()


def test_a_folder_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    watch = FolderWatch()
    with pytest.raises(FileNotFoundError):
        watch.add(tmp_path / "none")
    watch.close()
