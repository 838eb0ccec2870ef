"""What is told of a publisher and of the process that serves it, as a record.

Refuses to know how it is asked (`muster.publisher.office`). Obeys docs/spec/09-files.md, section
9.7.
"""

from __future__ import annotations

from muster.core.values import dataclass
from muster.health.process import ServerProcess


@dataclass(frozen=True, slots=True)
class PublisherStatus:
    """A publisher and what serves it: the newest versions of its documents, why its clock is not
    believed (`clock`, else None), and the `process`, None where none runs."""

    publisher: str
    label: str
    name: str
    store: str
    trust: int
    catalogue: int
    clock: str | None
    process: ServerProcess | None


@dataclass(frozen=True, slots=True)
class EndingGrant:
    """A grant of a host that ends soon, or has ended a short time ago: its key, what the host calls
    itself, and when it ends."""

    key: str
    name: str
    ends: int


@dataclass(frozen=True, slots=True)
class PublisherSurroundings:
    """What the doctor begins with: what `status` tells, the `database`, when trust and catalogue,
    which carries the revocations, were signed, and grants near their end, the next first."""

    now: int
    status: PublisherStatus
    database: str
    trust_at: int
    catalogue_at: int
    ending: tuple[EndingGrant, ...]
