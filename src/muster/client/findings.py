"""What a try, a look or a question found of a product, with everything that it was judged by.

For programs and for the rest of the client; what people and scripts read of it are the records of
`muster.client.results`, which `muster.client.summary` makes. Times are Unix seconds.
"""

from __future__ import annotations

from pathlib import Path

from muster.client.discovery import Address, Candidate, SRVAnswer, SRVNames
from muster.client.judge import Verdict
from muster.client.messages import Plan, Tried
from muster.client.model import Identity
from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.lease.descriptor import Descriptor
from muster.wire.status import ServedPublisher


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one product on this machine.

    `identity` is None where the publisher's store could not be read; `verdict.fault` says why.
    `plan` is that of the settings with what site files say for this product.
    """

    descriptor: Descriptor
    verdict: Verdict
    identity: Identity | None
    plan: Plan
    folder: Path


@dataclass(frozen=True, slots=True)
class Activation:
    """What a try for one product brought; `warnings` is what happened on the way."""

    status: Status
    fault: MusterError | None
    renewed: bool
    due: bool
    tried: tuple[Tried, ...]
    warnings: tuple[MusterError, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """One host that discovery found, and what it said of itself.

    `served` is what it serves of the publisher, None where it serves nothing of it or did not
    answer; `fault` why it did not answer; `doubted`: it gave no lease lately and is asked last.
    """

    candidate: Candidate
    served: ServedPublisher | None
    fault: MusterError | None
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Discovery:
    """How hosts are found for one publisher: the plan, names asked, records, order, faults."""

    publisher: str
    label: str
    plan: Plan
    asked: tuple[SRVNames, ...]
    found: tuple[SRVAnswer, ...]
    faults: tuple[MusterError, ...]
    last_good: Address | None
    probes: tuple[Probe, ...]
