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
