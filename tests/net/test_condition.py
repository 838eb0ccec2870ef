"""What is wrong with a server is told once in its log, and is known until it is mended."""

from __future__ import annotations

import logging

import pytest

from muster.core.catalogue import error
from muster.net.condition import Condition

_log = logging.getLogger("test.condition")


def test_each_problem_is_logged_when_it_comes_and_when_it_goes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = [100]
    condition = Condition(_log, lambda: clock[0])
    full, busy = error("db/full", path="/x"), error("host/no-key")
    condition.tell("database", [full])
    clock[0] = 200
    condition.tell("database", [full])
    condition.tell("grants", [busy])
    assert [(one.area, one.code, one.since) for one in condition.problems()] == [
        ("database", "db/full", 100),
        ("grants", "host/no-key", 200),
    ]
    assert [line.levelname for line in caplog.records] == ["WARNING", "WARNING"]
    assert "/x" in caplog.records[0].getMessage()
    assert full.fix in caplog.records[0].getMessage()
    caplog.clear()
    condition.tell("database", [])
    condition.tell("database", [])
    assert [line.levelname for line in caplog.records] == ["INFO"]
    assert condition.area("database") == ()
    assert condition.members() == [
        {"area": "grants", "code": "host/no-key", "what": busy.what, "fix": busy.fix}
    ]
    (family,) = condition.families()
    assert family.name == "problems"
    assert family.numbers == {("grants", "host/no-key"): 1}
    # Back again, it is news again.
    clock[0] = 300
    condition.tell("database", [full])
    assert condition.area("database")[0].since == 300


def test_a_problem_whose_numbers_move_is_the_same_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = [100]
    condition = Condition(_log, lambda: clock[0])
    for second in (51, 57, 59):
        clock[0] += 6
        condition.tell(
            "signing",
            [
                error(
                    "publisher/clock",
                    detail=f"it shows 2026-11-25 19:45:{second}",
                    today="2026-11-25",
                )
            ],
        )
    (problem,) = condition.problems()
    assert (problem.since, ":59" in problem.what) == (106, True)
    assert [line.levelname for line in caplog.records] == ["WARNING"]
    caplog.clear()
    condition.tell("signing", [])
    assert [line.levelname for line in caplog.records] == ["INFO"]
    assert ":59" in caplog.records[0].getMessage()


def test_two_problems_that_numbers_tell_apart_are_two(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = [100]
    condition = Condition(_log, lambda: clock[0])
    one, two, other = (error("db/full", path=path) for path in ("/disk1", "/disk2", "/tmp"))
    condition.tell("disks", [one, two])
    clock[0] = 200
    condition.tell("disks", [two, other])
    assert [(item.what, item.since) for item in condition.area("disks")] == [
        (two.what, 100),
        (other.what, 200),
    ]
    words = [line.getMessage().partition(":")[0] for line in caplog.records]
    assert words == ["db/full", "db/full", "db/full", "db/full is over"]
    assert one.what in caplog.records[-1].getMessage()
