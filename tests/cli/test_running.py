"""The lines of the process that serves a store."""

from __future__ import annotations

from muster.cli.running import problem_lines, service_lines
from muster.health.problem import Problem
from muster.health.process import ServerProcess


def test_no_process_silence_and_too_many_questions_are_told_apart() -> None:
    assert "NOT RUNNING" in service_lines(None)[0]
    silent = ServerProcess(7, 0, answers=False)
    assert (
        "process 7, since 1970-01-01 00:00:00 UTC; IT DOES NOT ANSWER" in service_lines(silent)[0]
    )
    busy = ServerProcess(7, 0, answers=False, busy=True)
    assert "IT IS BUSY" in service_lines(busy)[0]


def test_a_process_says_where_it_listens_and_what_is_wrong() -> None:
    problem = Problem("database", "db/full", "It is full.", "Make room.", 1)
    process = ServerProcess(7, 0, answers=True, address="::", port=5, problems=(problem,))
    service, place = service_lines(process)
    assert "NOT READY" in service
    assert place.endswith("5 at ::")
    what, fix = problem_lines(process)
    assert what.endswith("db/full: It is full.")
    assert fix.endswith("Make room.")
