"""What a process says of itself, read by another version."""

from __future__ import annotations

import pytest

from muster.core.records import encode
from muster.health.problem import Problem
from muster.health.process import ServerProcess, read_process

PROBLEM = Problem("signing", "publisher/clock", "The clock.", "Set it.", 7)


def test_what_is_said_is_read_and_what_is_newer_passed_over() -> None:
    process = ServerProcess(1, 2, answers=True, port=16882, ready=True, problems=(PROBLEM,))
    said = encode(process)
    assert isinstance(said, dict)
    assert read_process({**said, "v": 1, "newer": []}) == process


@pytest.mark.parametrize("members", [{}, {"pid": 1}, {"problems": 5}, {"problems": [{}]}])
def test_what_is_no_process_is_refused(members: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError, KeyError)):
        read_process(members)
