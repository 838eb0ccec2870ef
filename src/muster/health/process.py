"""What a process that serves a store says of itself: the answer at its control socket.

Members that a newer version added are passed over. Refuses to know how it is asked
(`muster.system.control`). Obeys docs/spec/09-files.md, section 9.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muster.core.records import Instant, record_of
from muster.core.values import dataclass
from muster.health.problem import Problem


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """The process that serves a store: its `pid`, and since when.

    Where it did not answer in time, `answers` is False, and the members behind it are those of
    nothing; `busy` tells that others ask it too much. `operation` is the address of its pages for
    administrators, None where they are off; `ready` what `/readyz` says, `problems` what is wrong.
    """

    pid: int
    since: Instant
    answers: bool
    version: str = ""
    address: str = ""
    port: int = 0
    tls: bool = False
    operation: str | None = None
    ready: bool = False
    problems: tuple[Problem, ...] = ()
    busy: bool = False


def read_process(members: Mapping[str, Any]) -> ServerProcess:
    """The record of an answer. Raises: TypeError, ValueError, KeyError for what is none."""
    return record_of(ServerProcess, members, problems=read_problems(members))


def read_problems(members: Mapping[str, Any]) -> tuple[Problem, ...]:
    """The problems among the members of an answer. Raises: TypeError."""
    return tuple(record_of(Problem, item) for item in members.get("problems", ()))
