"""The process that serves a store, in lines: the same for hosts and publishers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muster.core.text import instant_text

if TYPE_CHECKING:
    from muster.health.process import ServerProcess


def row(text: str, value: object, depth: int = 0) -> str:
    """A line of a status."""
    return f"{'  ' * depth + text + ':':<29}{value}"


def service_lines(process: ServerProcess | None) -> list[str]:
    """Whether a process serves, and where."""
    if process is None:
        return [row("Service", "NOT RUNNING")]
    who = f"process {process.pid}, since {instant_text(process.since)}"
    if not process.answers:
        silence = "IT IS BUSY; ask again" if process.busy else "IT DOES NOT ANSWER"
        return [row("Service", f"{who}; {silence}")]
    state = "ready" if process.ready else "NOT READY"
    return [
        row("Service", f"{who}, version {process.version}; {state}"),
        row("Listening on port", f"{process.port} at {process.address}"),
    ]


def problem_lines(process: ServerProcess | None) -> list[str]:
    """What a process that serves says is wrong with it."""
    lines = []
    for problem in () if process is None else process.problems:
        lines.append(row("PROBLEM", f"{problem.code}: {problem.what}", 1))
        lines.append(row("Fix", problem.fix, 2))
    return lines
