"""What a server tells of its process."""

from __future__ import annotations

import os

from muster import __version__
from muster.health.problem import Problem
from muster.net.process import Place


def test_a_process_says_where_it_answers_and_how_it_is() -> None:
    problem = Problem("database", "db/full", "It is full.", "Make room.", 5)
    place = Place("127.0.0.1", 16880, tls=True, operation="127.0.0.1:16881", since=7)
    told = place.process(ready=False, problems=(problem,))
    assert (told.pid, told.version, told.since) == (os.getpid(), __version__, 7)
    assert (told.address, told.port, told.tls) == ("127.0.0.1", 16880, True)
    assert (told.operation, told.ready, told.problems) == ("127.0.0.1:16881", False, (problem,))
    assert told.answers
