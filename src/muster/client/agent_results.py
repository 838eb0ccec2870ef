"""What the agent of a machine tells: frozen records, whose fields are the members of its answers.

As `muster.client.results`, for the socket (docs/spec/14-agent.md) and for commands that speak of
the agent.
"""

from __future__ import annotations

from muster.client.agent_state import AgentStatus
from muster.client.results import Activations, StatusList
from muster.core.errors import MusterError
from muster.core.records import Instant, Seconds
from muster.core.states import LicenceState
from muster.core.values import dataclass


@dataclass(frozen=True, slots=True)
class MachineStatus(StatusList):
    """What is known of products, and of the agent that keeps them; None where none ever did."""

    agent: AgentStatus | None


@dataclass(frozen=True, slots=True)
class AgentActivation(Activations):
    """What a wish for an activation brought; `coalesced`: it shared the outcome of another one.
    `retry_after` is how long this outcome is given again, 0 where another wish would ask anew."""

    coalesced: bool
    retry_after: Seconds


@dataclass(frozen=True, slots=True)
class JudgedProduct:
    """What a product is worth on this machine, judged by the caller's descriptor.

    As `muster.client.Licence`: `until` is the end of the licence or of the running grace; `kind`
    is "" without a licence; `why` is None while licensed. `identity` is the identity mode of the
    machine for the publisher, None where nothing of it is set up.
    """

    product: str
    publisher: str
    name: str
    edition: str
    licensed: bool
    state: LicenceState
    state_text: str
    kind: str
    until: Instant | None
    features: tuple[str, ...]
    identity: str | None
    why: MusterError | None
    warnings: tuple[MusterError, ...]
    time: Instant


@dataclass(frozen=True, slots=True)
class Evidence:
    """What anybody needs to verify a licence of this machine by themselves.

    Members: docs/spec/14-agent.md, section 14.5.
    """

    product: str
    publisher: str
    time: Instant
    key_id: str
    licence: str | None
    trust: tuple[str, ...]
    catalogue: str | None
    identity: str
    cmid: str
    nonce: str
    fingerprint: tuple[str, ...]
    binding: str | None
    clock_mark: Instant
    state: LicenceState
    since: Instant
    added_at: Instant
