"""The nouns of a host: what it knows of publishers, machines and requests.

Frozen records without behaviour; times are Unix seconds, spans seconds. Obeys
docs/spec/06-counting.md.
"""

from __future__ import annotations

from muster.core.errors import MusterError
from muster.core.records import Instant
from muster.core.values import dataclass, field
from muster.host.lines import Line
from muster.lease.catalogue import Catalogue
from muster.lease.grant import Grant
from muster.lease.jws import PublicKey, SigningKey
from muster.lease.terms import Terms
from muster.lease.trust import Trust
from muster.net.peers import Network
from muster.wire.activation import ActivationAnswer, ActivationRequest
from muster.wire.release import ReleaseRequest


@dataclass(frozen=True, slots=True)
class HostKey:
    """An installed host key, without the key: what activation needs of it.

    `partial` is its last group; `binding` 25 and `hw` 12 hex digits; `proof_key` 32 bytes;
    `primary` the name of the hardware fact behind `hw`; `grant` and `terms` as compact JWS.
    `asked_at` since when an administrator waits for the grant that he asked for online, None where
    nobody waits; `asked_name` the host's name that he gave, `refusal` the code of why it did not
    come.
    """

    publisher: str
    key_id: str
    partial: str
    binding: str
    hw: str
    primary: str
    proof_key: bytes = field(repr=False)
    installed_at: int
    grant: str | None = None
    terms: str | None = None
    activated_at: int | None = None
    asked_at: int | None = None
    asked_name: str = ""
    refusal: str = ""

    @property
    def masked(self) -> str:
        """The key as people see it: its last group alone."""
        return f"XXXXX-XXXXX-XXXXX-XXXXX-{self.partial}"


@dataclass(frozen=True, slots=True)
class Activated:
    """A host key with its grant; `label` of its publisher. `lacks_terms` tells that its key group
    requires terms and that it has none. `changed` tells that the key is another one now, and
    `documents_changed` that newer trust or another catalogue came with the grant."""

    key: HostKey
    grant: Grant
    changed: bool
    label: str
    lacks_terms: bool
    documents_changed: bool = False


@dataclass(frozen=True, slots=True)
class HeldGrant:
    """A grant of this host that verified against the publisher's trust, and its terms."""

    grant: Grant
    terms: Terms | None = None


@dataclass(frozen=True, slots=True)
class PublisherView:
    """A publisher as this host knows it now; everything in it has been verified.

    `line` holds the trust versions from the anchor on, lowest first; `challenge_key` is that of
    `muster.host.challenges`, b"" without a signer; `broken` tells what stands
    in the store and did not verify. `key_fault` is what is wrong with the file of the signing key,
    and `key_state` tells whether that file is another than before. `news_at` is when news of it
    last came, asked for or by file; at first when it was pinned.
    """

    publisher: str
    url: str | None
    trust: Trust
    line: tuple[Trust, ...]
    catalogue: Catalogue | None
    keys: tuple[HostKey, ...]
    grants: tuple[HeldGrant, ...]
    signer: SigningKey | None
    challenge_key: bytes = b""
    faults: tuple[MusterError, ...] = ()
    key_fault: MusterError | None = None
    key_state: object = None
    news_at: int = 0

    @property
    def label(self) -> str:
        """The publisher's label, for DNS and people."""
        return self.trust.label

    @property
    def catalogue_version(self) -> int:
        """Version of the catalogue held, 0 where there is none."""
        return 0 if self.catalogue is None else self.catalogue.version

    @property
    def floor(self) -> int:
        """The newest signed date that is held: a clock before it is wrong."""
        return max(self.trust.iat, 0 if self.catalogue is None else self.catalogue.iat)


@dataclass(frozen=True, slots=True)
class PublisherNews:
    """When a running host last asked a publisher for news (`at`), when it last got an answer
    (`good_at`), and when it asks next. `code` is why it got none, or ""; `failures`
    askings in a row did not bring all: no answer, or no grant for a key that waits. Instants are
    None where it did not ask yet."""

    publisher: str
    at: Instant | None
    good_at: Instant | None
    code: str
    next_at: Instant
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that decisions read.

    `retry_after` and `renew_after` in seconds, None where the product decides; no networks means
    all; `trusted_proxies` are believed about whom they ask for; `new_cmid_rate` new machines an
    hour from one source, 0 for no bound.
    """

    retry_after: int | None = None
    renew_after: int | None = None
    allowed_networks: tuple[Network, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    new_cmid_rate: int = 600


@dataclass(frozen=True, slots=True)
class HostView:
    """Everything that a decision reads beside the count, at one revision of the database."""

    revision: int
    publishers: dict[str, PublisherView]
    settings: Settings


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    """A request that waits for the writer; `address` is the sender's, as text; `shared` tells that
    others stand behind it, so that it is not bounded by its source."""

    request: ActivationRequest | ReleaseRequest
    address: str
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """The signed members of a duplicate-CMID refusal."""

    notice: str
    grant: str
    signer: PublicKey


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that is a problem document: the row, versions to follow, a notice perhaps."""

    error: MusterError
    trust: int = 0
    catalogue: int = 0
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """The answer to a release; `released` is False where the seat was free already."""

    released: bool


Reply = ActivationAnswer | Refused | Released
"""What the writer answers."""


@dataclass(frozen=True, slots=True)
class KnownMachine:
    """What is stored of a machine: its identity mode, fingerprint and line of requests."""

    identity: str
    fingerprint: tuple[str, ...]
    line: Line


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as `muster host clients` lists it. `virtual` is None where it is unknown.

    `duplicates` requests of its clones that were refused; `cloned_at` when it was last found that
    another machine has its store, 0 for never; `restored` how often its store was put back. `name`
    is what it calls itself, or ""; `clone_name` and `clone_address` are those of the last request
    that was found to be a clone's.
    """

    publisher: str
    cmid: str
    identity: str
    address: str
    os: str
    version: str
    virtual: bool | None
    state: int
    first_seen: int
    last_seen: int
    duplicates: int
    cloned_at: int = 0
    restored: int = 0
    name: str = ""
    clone_name: str = ""
    clone_address: str = ""


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """The newest lease of one machine and product; `released_at` 0 while it is not released.

    `nonce` is that of the request which it answers.
    """

    publisher: str
    product: str
    cmid: str
    application: str
    grant_jti: str
    jti: str
    nonce: str
    issued_at: int
    expires_at: int
    released_at: int = 0


MORE = "more"
"""In the place of a code: a row that stands for `count` requests without rows of their own."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry of the audit.

    `actor` is who did it: `user:NAME` of an administrator, as the kernel knows him, `door:http` a
    machine by its request, `task:NAME` the running host by itself, `unknown` where an older version
    wrote the entry. `sudo` is who logged in and became root, "" where nobody did.
    """

    at: int
    actor: str
    sudo: str
    event: str
    publisher: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class LogRow:
    """One request, with the fields of event 12290 that volume activation hosts write.

    `code` is "" where a lease was given; `minutes` the rest of the machine's lease from this host.
    """

    at: int
    publisher: str
    product: str
    cmid: str
    address: str
    code: str
    field_code: str
    need: int
    count: int
    client_time: int
    virtual: bool | None
    state: int
    minutes: int
    os: str
    version: str
    id: int = 0
    name: str = ""
