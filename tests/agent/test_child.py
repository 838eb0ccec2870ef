"""A task in a process of its own tells its outcome, whatever becomes of it."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from muster.agent import child
from muster.core.catalogue import error

# Python 3.12 warns of any fork beside threads; those of the test runner take no lock of ours.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def outcome_of(work: Callable[[], child.Outcome], stop: bool = False) -> Mapping[str, Any]:
    task = child.Task(work, time.monotonic(), 5.0, [])
    if stop:
        task.stop()
    while (outcome := task.hear()) is None:
        select.select([task], [], [])
    return outcome


def refused() -> child.Outcome:
    raise error("client/no-facts")


def defect() -> child.Outcome:
    raise ZeroDivisionError


def killed() -> child.Outcome:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def forever() -> child.Outcome:
    signal.pause()
    return {}


def test_an_outcome_is_heard_whole() -> None:
    assert outcome_of(lambda: {"products": ["x" * 100] * 10_000}) == {
        "products": ["x" * 100] * 10_000
    }


def test_an_error_of_the_catalogue_is_told_as_that() -> None:
    assert outcome_of(refused)["error"]["code"] == "client/no-facts"


def test_a_defect_and_a_crash_end_the_task_alone() -> None:
    for work in (defect, killed):
        assert outcome_of(work)["error"]["code"] == "agent/failed"


def test_a_task_without_an_end_is_killed() -> None:
    assert outcome_of(forever, stop=True)["error"]["code"] == "agent/late"


def test_an_outcome_beyond_the_bound_is_none() -> None:
    much = outcome_of(lambda: {"products": "x" * child.OUTCOME_LIMIT})
    assert much["error"]["code"] == "agent/failed"
