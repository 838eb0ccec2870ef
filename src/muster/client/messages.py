"""What a try is made of: its plan, the events that go into the machine, the effects that come out.

Decides only shapes. What an event means is decided in `muster.client.machine`, how an effect is
carried out in `muster.client.driver`.
"""

from __future__ import annotations

import enum

from muster.client.discovery import Address, Candidate, SRVAnswer, SRVNames
from muster.client.judge import Verdict
from muster.client.model import Memory
from muster.client.requests import Secrets
from muster.client.sites import Site, SiteFile
from muster.core.errors import MusterError
from muster.core.identity import Fact
from muster.core.values import dataclass, field
from muster.lease.descriptor import Descriptor
from muster.wire.activation import ClientInfo


@dataclass(frozen=True, slots=True)
class Plan:
    """How hosts are found.

    What settings say: the `host` that was set, or None; `suffixes` to ask, and whether a person
    has `chosen` them; those that are too many to ask; `caching`: the last good host is asked first;
    the address of the publisher's service, "" where none is known. `files` are the site files that
    are there. `muster.client.hosts.applied` makes of them what they say for one product: the
    `sites` that count, and the `faults` of the others.
    """

    host: Address | None = None
    suffixes: tuple[str, ...] = ()
    caching: bool = True
    publisher_url: str = ""
    unasked: tuple[str, ...] = ()
    chosen: bool = False
    files: tuple[SiteFile, ...] = ()
    sites: tuple[Site, ...] = ()
    faults: tuple[MusterError, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a try starts from. `boot` names the present boot, "" where unknown;
    `uptime` are the seconds since it, None where unknown; `secrets` what only the owner of the
    store reads."""

    descriptor: Descriptor
    memory: Memory
    facts: tuple[Fact, ...]
    plan: Plan
    info: ClientInfo
    boot: str = ""
    secrets: Secrets = field(default_factory=Secrets)
    uptime: int | None = None


# What comes in.


@dataclass(frozen=True, slots=True)
class Begin:
    """Start. `typed`: somebody asked for it now, so that no timer and no aside holds it back."""

    now: int
    typed: bool


@dataclass(frozen=True, slots=True)
class Discovered:
    """DNS was asked: what it said under each suffix, and what failed."""

    now: int
    found: tuple[SRVAnswer, ...]
    faults: tuple[MusterError, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """A host answered the request `number`; `ip` is the address under which it was reached."""

    now: int
    number: int
    status: int
    body: bytes
    ip: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer to the request `number`: a host's silence, or a document that did not come."""

    now: int
    number: int
    fault: MusterError


@dataclass(frozen=True, slots=True)
class Fetched:
    """The document asked for by `number`."""

    now: int
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Saved:
    """The store holds what was to be saved."""

    now: int


@dataclass(frozen=True, slots=True)
class NotSaved:
    """The store could not be written; what it held before stands."""

    now: int
    fault: MusterError


Event = Begin | Discovered | Answered | Failed | Fetched | Saved | NotSaved

# What goes out.


class Document(enum.Enum):
    """What a machine fetches from a host besides leases."""

    TRUST = "trust"
    CATALOGUE = "catalogue"


@dataclass(frozen=True, slots=True)
class Discover:
    """Ask DNS for both names under each suffix; answer with `Discovered`."""

    names: tuple[SRVNames, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Send an activation request; answer with `Answered` or `Failed` of the same number.

    `waiting` hosts have their turn after this one; `again`: the same request, signed once more
    within the turn of this host.
    """

    number: int
    candidate: Candidate
    body: bytes
    waiting: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get a document of the publisher from a host; answer with `Fetched` or `Failed`.

    `version` is the lowest trust version wanted, 0 for a catalogue.
    """

    number: int
    address: Address
    document: Document
    publisher: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Save:
    """Write the store; answer with `Saved` or `NotSaved`. `secrets` are new ones."""

    memory: Memory
    secrets: Secrets = field(default_factory=Secrets)


@dataclass(frozen=True, slots=True)
class Warn:
    """Something for the log and for whoever typed the command."""

    about: MusterError


@dataclass(frozen=True, slots=True)
class Tried:
    """One host that was asked and what came of it: None is a licence."""

    candidate: Candidate
    fault: MusterError | None


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of the try.

    `verdict` is what the product is told now; `fault` why no new lease was got, None where one
    was or where none was due; `renewed`: a new lease was verified and saved; `due`: whether
    anything was tried.
    """

    verdict: Verdict
    fault: MusterError | None
    renewed: bool
    due: bool
    tried: tuple[Tried, ...]


Effect = Discover | Ask | Fetch | Save | Warn | Finish
Effects = tuple[Effect, ...]
