"""What the keeper of an agent tells of itself: frozen records (docs/spec/14-agent.md, 14.6).

Beside `muster.client.agent_results`, because the keeper holds these for years and loads nothing
that it does not need.
"""

from __future__ import annotations

from muster.core.records import ErrorRecord, Instant
from muster.core.states import LicenceState
from muster.core.values import dataclass


@dataclass(frozen=True, slots=True)
class AgentProduct:
    """A product as the agent knows it: `next_attempt` None where nobody would be asked."""

    product: str
    publisher: str
    licensed: bool
    state: LicenceState
    next_attempt: Instant | None


@dataclass(frozen=True, slots=True)
class AgentRun:
    """A task of the agent: "plan" only looked, "keep" asked for what was due, "wish" for what
    somebody wished. `error` why it failed as a whole."""

    at: Instant
    task: str
    products: tuple[AgentProduct, ...]
    error: ErrorRecord | None


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """The agent of this machine.

    `running`: its process is there; then `pid` and `since` when; `started` is the 22nd field of
    its /proc/PID/stat; `store` the root of stores that it keeps. `next_attempt` is the next instant
    of its agenda, None without one. `last_run` is its last task, `last_try` the last one that
    asked somebody; None before the first.
    """

    running: bool
    version: str
    pid: int
    started: int
    since: Instant
    store: str
    socket: str
    root_socket: str
    next_attempt: Instant | None
    last_run: AgentRun | None
    last_try: AgentRun | None


@dataclass(frozen=True, slots=True)
class AgentServing:
    """An agent that has started, and its sockets."""

    pid: int
    store: str
    socket: str
    root_socket: str
