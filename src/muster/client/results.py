"""What the wishes and questions of a client return: frozen records without behaviour.

Times are Unix seconds. Which of them a wish returns stands at the wish (`muster.client.act`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from muster.client.discovery import Address, Candidate, Found, Names
from muster.client.judge import Verdict
from muster.client.messages import Plan, Tried
from muster.client.model import Identity
from muster.core.errors import MusterError
from muster.core.ids import InstallationId
from muster.core.states import LicenceState
from muster.lease.descriptor import Descriptor
from muster.wire.exchange import RequestFile
from muster.wire.status import ServedPublisher


@dataclass(frozen=True, slots=True)
class Added:
    """What `add_product` did. `state` of the product afterwards; `key` masked, or ""."""

    product: str
    publisher: str
    label: str
    changed: bool
    key: str
    state: LicenceState
    identity: str
    cmid: str
    warnings: tuple[MusterError, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What installing or removing a key did."""

    product: str
    publisher: str
    key: str
    changed: bool
    state: LicenceState


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one product on this machine.

    `identity` is None where the publisher's store could not be read; `verdict.problem` says why.
    """

    descriptor: Descriptor
    verdict: Verdict
    identity: Identity | None
    plan: Plan
    folder: Path


@dataclass(frozen=True, slots=True)
class Activation:
    """What a try for one product brought; `told` is what happened on the way."""

    status: Status
    fault: MusterError | None
    renewed: bool
    due: bool
    tried: tuple[Tried, ...]
    told: tuple[MusterError, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """One host that discovery found, and what it said of itself.

    `served` is what it serves of the publisher, None where it serves nothing of it or did not
    answer; `problem` why it did not answer; `doubted`: it gave no lease lately and is asked last.
    """

    candidate: Candidate
    served: ServedPublisher | None
    problem: MusterError | None
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Discovery:
    """How hosts are found for one publisher: the plan, names asked, records, order, faults."""

    publisher: str
    label: str
    plan: Plan
    asked: tuple[Names, ...]
    found: tuple[Found, ...]
    faults: tuple[MusterError, ...]
    last_good: Address | None
    probes: tuple[Probe, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """A lease that was given back, and to which host."""

    product: str
    host: str


@dataclass(frozen=True, slots=True)
class Readout:
    """What a machine shows to be activated without a network; `lasting`: the same after a
    reinstall on this hardware."""

    product: str
    publisher: str
    masked: str
    installation_id: InstallationId
    request: RequestFile
    lasting: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """The versions held after a publisher file was taken; 0 is no catalogue."""

    publisher: str
    trust: int
    catalogue: int
    changed: bool


@dataclass(frozen=True, slots=True)
class MarkReset:
    """A clock mark that was reset; `old` 0 where there was none."""

    publisher: str
    old: int


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """The identity of this machine for one publisher after a wish to change it."""

    publisher: str
    identity: Identity
    changed: bool
