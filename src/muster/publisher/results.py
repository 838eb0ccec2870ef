"""What acts and looks of a publisher return: frozen records, whose fields are the members of
`--json`.

Decides the names that programs read (`muster.core.records` makes the JSON), and what of a row of
the tables they are told. Refuses to know how a record comes about and how it is worded. Days are
day numbers (day 0 = 2026-01-01). Long, because it is one table: shapes beside each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from muster.core.products import Application, Conversion, KeyGroup, Product, Revocation
from muster.core.records import Instant, Seconds, widened
from muster.core.values import dataclass
from muster.lease.catalogue import Catalogue
from muster.lease.trust import Trust, TrustKey
from muster.publisher.model import AuditRow, Change, HostGrant, IssuedKey, MachineGrant, Seat
from muster.wire.exchange import PublisherFile, ReplyFile

# The publisher and its documents.


@dataclass(frozen=True, slots=True)
class PublisherMade:
    """What `init` made or found, and where: `store` and `keys` are folders.

    `root` and `reserve_root` are the files of the two roots, None where nothing was made now;
    `unfinished` is where the key files of an `init` that did not end were moved to.
    """

    changed: bool
    publisher: str
    label: str
    name: str
    trust: int
    catalogue: int
    store: str
    keys: str
    root: str | None = None
    reserve_root: str | None = None
    unfinished: str | None = None


@dataclass(frozen=True, slots=True)
class PublisherServing:
    """A publisher that serves: `url` its address, `grant_keys` how many it opened, `operation`
    the address of its pages for administrators, None where they are off."""

    publisher: str
    label: str
    url: str
    grant_keys: int
    operation: str | None


@dataclass(frozen=True, slots=True)
class Export:
    """The publisher file, with the newest versions in it."""

    file: PublisherFile
    trust: int
    catalogue: int


@dataclass(frozen=True, slots=True)
class Exported:
    """A publisher file that was written; `url` of the service that it names."""

    changed: bool
    file: str
    publisher: str
    trust: int
    catalogue: int
    url: str | None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The descriptor of a product, and the trust version that it pins."""

    product: str
    trust: int
    data: bytes


@dataclass(frozen=True, slots=True)
class DescriptorWritten:
    """A descriptor that was written; `trust` is the version that it pins."""

    changed: bool
    file: str
    product: str
    trust: int


@dataclass(frozen=True, slots=True)
class RevocationRow:
    """A grant (`grant`) or a product key (`key`) that is revoked since a day."""

    grant: str | None
    key: str | None
    day: int


@dataclass(frozen=True, slots=True)
class CatalogueShown:
    """The newest catalogue: its version, when it was signed and by which key, and what it says."""

    catalogue: int
    issued_at: Instant
    signer: str
    applications: tuple[Application, ...]
    groups: tuple[KeyGroup, ...]
    products: tuple[Product, ...]
    conversions: tuple[Conversion, ...]
    revocations: tuple[RevocationRow, ...]


@dataclass(frozen=True, slots=True)
class ProductList:
    """The products of the newest catalogue."""

    catalogue: int
    products: tuple[Product, ...]


@dataclass(frozen=True, slots=True)
class ProductShown:
    """One product of the newest catalogue."""

    product: Product


@dataclass(frozen=True, slots=True)
class CatalogueDifference:
    """What a content would change of the newest catalogue, by version."""

    catalogue: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class CataloguePublished:
    """The newest catalogue after an act, and what the act changed in it."""

    changed: bool
    catalogue: int
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Revoked:
    """The newest catalogue after a revocation; `grants` are the licence ids that it revokes.

    `key` is the key id of what was revoked, `hardware` the hardware id where it is a host. `hosts`
    and `machines` lose their licence by it: hosts by hardware, machines that activated with a key.
    """

    changed: bool
    catalogue: int
    grants: tuple[str, ...] = ()
    key: str = ""
    hardware: str | None = None
    hosts: int = 0
    machines: int = 0


# Trust.


@dataclass(frozen=True, slots=True)
class TrustKeyRow:
    """A working key; `index` that of a grant key, `until_day` the last day of a retired one."""

    kid: str
    role: str
    index: int | None
    until_day: int | None


@dataclass(frozen=True, slots=True)
class TrustVersion:
    """A version of trust; `roots` are the ids of the working root and of the reserve root."""

    version: int
    issued_at: Instant
    roots: tuple[str, ...]
    keys: tuple[TrustKeyRow, ...]


@dataclass(frozen=True, slots=True)
class TrustList:
    """Who the publisher is, and versions of its trust, lowest first."""

    publisher: str
    label: str
    name: str
    trust: tuple[TrustVersion, ...]


@dataclass(frozen=True, slots=True)
class TrustSigned:
    """The newest trust after a rotation or recovery.

    `activate_again` hosts and machines must activate again (which uses no activation), because the
    key that signed their grants was withdrawn.
    """

    changed: bool
    trust: TrustVersion
    catalogue: int
    activate_again: int


# The clock.


@dataclass(frozen=True, slots=True)
class ClockEvidence:
    """Something that this publisher knows of the time: `what`, in words, and of when it is."""

    what: str
    at: Instant


@dataclass(frozen=True, slots=True)
class ClockShown:
    """The clock of a publisher. `doubt` says why it is not believed, None where it is. `evidence`
    is what is known of the time, the newest first. `hosts` and `machines` hold grants that begin
    in the future, and `revocations` are dated there."""

    time: Instant
    doubt: str | None
    evidence: tuple[ClockEvidence, ...]
    hosts: int
    machines: int
    revocations: int


@dataclass(frozen=True, slots=True)
class ClockConfirmed:
    """That somebody said that the clock, which showed `time`, is right."""

    changed: bool
    time: Instant


@dataclass(frozen=True, slots=True)
class ClockRepaired:
    """What was dated in the future and is now of today: the grants of `hosts`, by licence id, of so
    many `machines`, and so many `revocations`. `catalogue` is the newest version."""

    changed: bool
    hosts: tuple[str, ...]
    machines: int
    revocations: int
    catalogue: int


# Product keys.


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """The pool of a key that activates machines: of `size` as agreed, and `corrected` that staff
    gave back, `drawn` are taken. `alerts` are percentages at which somebody is told."""

    size: int
    drawn: int
    left: int
    corrected: int
    correction_limit: int
    alerts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A product key that was issued; `id` is its key id, `masked` shows its last group.

    `product` is that of a setup key. `term_days` 0 = no end. `pool` is None where the key does
    not activate machines.
    """

    id: str
    kind: str
    group: str
    masked: str
    product: str | None
    term_days: int
    customer: str
    issued_at: Instant
    revoked_day: int | None
    hosts: int
    host_limit: int
    activation_limit: int
    pool: PoolStatus | None


@dataclass(frozen=True, slots=True)
class NewKeyRow(KeyRow):
    """A key that was just issued; `key` is the product key itself, None where a file has it."""

    key: str | None


@dataclass(frozen=True, slots=True)
class KeysIssued:
    """Product keys that were just issued; `file` has them where one was named."""

    changed: bool
    keys: tuple[NewKeyRow, ...]
    file: str | None = None


@dataclass(frozen=True, slots=True)
class KeyList:
    """Issued product keys, in the order of issue."""

    keys: tuple[KeyRow, ...]


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host grant that was drawn: `grant` its licence id, `name` what the host called itself.

    `activations` of `activation_limit` host signing keys were activated on its hardware;
    `released_at` is set while it holds no seat. `key_revoked_day` is that of its key.
    """

    grant: str
    key: str
    group: str
    customer: str
    name: str
    hardware: str
    binding: str
    day: int
    term_days: int
    first_at: Instant
    last_at: Instant
    revoked_day: int | None
    activations: int
    activation_limit: int
    released_at: Instant | None
    key_revoked_day: int | None


@dataclass(frozen=True, slots=True)
class HostList:
    """Host grants that were drawn."""

    hosts: tuple[HostRow, ...]


@dataclass(frozen=True, slots=True)
class ActivationRow:
    """The activation of one machine: `grant` its licence id, `first_day` the day of the draw."""

    grant: str
    binding: str
    first_day: int
    term_days: int
    first_at: Instant
    last_at: Instant
    revoked_day: int | None


@dataclass(frozen=True, slots=True)
class KeyDetail(KeyRow):
    """A product key with the hosts or machines that drew on it."""

    grants: tuple[HostRow, ...]
    activations: tuple[ActivationRow, ...]


@dataclass(frozen=True, slots=True)
class KeyShown:
    """One product key."""

    key: KeyDetail


@dataclass(frozen=True, slots=True)
class LimitChange:
    """A host key after its limits were changed."""

    changed: bool
    key: KeyRow


@dataclass(frozen=True, slots=True)
class PoolChange:
    """A key after its pool was corrected or extended."""

    changed: bool
    key: KeyRow


# Hosts and machines.


@dataclass(frozen=True, slots=True)
class TermsShown:
    """The terms of a host's `grant`; `changed` tells that they were signed now.

    `over` is "refuse" or "report". `file` is the reply file with them where one was named, and
    `written` tells that it was written now.
    """

    changed: bool
    grant: str
    version: int
    limit: int
    over: str
    agreement: str
    customer: str
    max_lease: Seconds | None
    file: str | None = None
    written: bool | None = None


@dataclass(frozen=True, slots=True)
class TermsIssued:
    """Terms, and the reply file that carries them to their host."""

    shown: TermsShown
    reply: ReplyFile

    @property
    def changed(self) -> bool:
        """Whether it was done now."""
        return self.shown.changed


@dataclass(frozen=True, slots=True)
class HostActivated:
    """A host that was activated by file or telephone; `changed` tells that it was drawn now.

    `file` is the reply file where one was named, and `written` tells that it was written now.
    """

    changed: bool
    grant: str
    key: str
    hardware: str
    day: int
    term_days: int
    confirmation_id: str
    file: str | None = None
    written: bool | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The answer of the telephone desk; `changed` tells that something was drawn for it now.

    `file` is the reply file and `qr` the file of the QR code, where they were named; `written`
    tells that the reply file was written now.
    """

    changed: bool
    publisher: str
    confirmation_id: str
    file: str | None = None
    written: bool | None = None
    qr: str | None = None


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """What is told of a host that was activated, and the reply file for it."""

    shown: HostActivated
    reply: ReplyFile

    @property
    def changed(self) -> bool:
        """Whether it was done now."""
        return self.shown.changed


@dataclass(frozen=True, slots=True)
class DeskAnswer:
    """What is told of an installation ID that was answered, and the reply file for it."""

    shown: Confirmed
    reply: ReplyFile

    @property
    def changed(self) -> bool:
        """Whether it was done now."""
        return self.shown.changed


# Audit and backup.


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the audit log; the members of `detail` depend on the `event`."""

    seq: int
    at: Instant
    actor: str
    event: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditList:
    """Rows of the audit log, oldest first."""

    audit: tuple[AuditEntry, ...]


@dataclass(frozen=True, slots=True)
class AuditVerified:
    """A log whose chain is intact; `head` is `SEQ:HASH` of its last row, `contains` the head
    that it was asked for."""

    rows: int
    head: str
    contains: str | None


@dataclass(frozen=True, slots=True)
class AuditExported:
    """A log that was written to a file."""

    changed: bool
    file: str
    rows: int
    head: str


@dataclass(frozen=True, slots=True)
class DatabaseCheck:
    """A database that was read to its end and is whole; `audit_head` the head of its audit log."""

    database: str
    audit_head: str


@dataclass(frozen=True, slots=True)
class BackupWritten:
    """A backup that was written; `audit_head` is to be kept elsewhere."""

    changed: bool
    file: str
    publisher: str
    rows: int
    audit_head: str


@dataclass(frozen=True, slots=True)
class Restored:
    """A database that was filled from a backup made at `made_at`; the rest as `Resumed`. `aside`
    is the folder with the files that were there before. After `--in-place`, `made_at` is now and
    `rows` is 0."""

    changed: bool
    publisher: str
    rows: int
    made_at: Instant
    waiting: bool
    lost: bool
    audit_head: str
    aside: str | None = None


@dataclass(frozen=True, slots=True)
class Resumed:
    """Whether activations go on. `waiting` tells that they do not, `lost` that the operator
    accepted a loss; `audit_head` is the head that the backup had."""

    changed: bool
    waiting: bool
    lost: bool
    audit_head: str


# From rows and documents.


def catalogue_shown(current: Catalogue) -> CatalogueShown:
    """What is told of a catalogue."""
    return CatalogueShown(
        catalogue=current.version,
        issued_at=current.iat,
        signer=current.kid,
        applications=current.applications,
        groups=current.groups,
        products=current.products,
        conversions=current.conversions,
        revocations=tuple(map(_revocation, current.revocations)),
    )


def _revocation(revocation: Revocation) -> RevocationRow:
    return RevocationRow(revocation.jti, revocation.key, revocation.at)


def trust_version(trust: Trust) -> TrustVersion:
    """What is told of a version of trust."""
    roots = tuple(root.kid for root in trust.roots)
    return TrustVersion(trust.version, trust.iat, roots, tuple(map(_trust_key, trust.keys)))


def _trust_key(key: TrustKey) -> TrustKeyRow:
    return TrustKeyRow(key.key.kid, key.role, key.index, key.until)


def key_row(issued: IssuedKey) -> KeyRow:
    """What is told of an issued key."""
    return KeyRow(
        id=issued.key_id.text,
        kind=issued.key_id.kind.text,
        group=issued.group,
        masked=issued.masked,
        product=issued.product,
        term_days=issued.term * 30,
        customer=issued.customer,
        issued_at=issued.issued_at,
        revoked_day=issued.revoked,
        hosts=issued.hosts,
        host_limit=issued.host_limit,
        activation_limit=issued.activation_limit,
        pool=_pool(issued),
    )


def _pool(issued: IssuedKey) -> PoolStatus | None:
    if not issued.pool:
        return None
    return PoolStatus(
        size=issued.pool,
        drawn=issued.drawn,
        left=issued.left,
        corrected=issued.corrected,
        correction_limit=issued.correction_limit,
        alerts=issued.alerts,
    )


def new_key_row(issued: IssuedKey, text: str) -> NewKeyRow:
    """What is told of a key that was just issued; `text` is the product key."""
    return widened(NewKeyRow, key_row(issued), key=text)


def key_detail(
    issued: IssuedKey, hosts: Iterable[HostRow], machines: Iterable[MachineGrant]
) -> KeyDetail:
    """What is told of one key."""
    rows = tuple(map(activation_row, machines))
    return widened(KeyDetail, key_row(issued), grants=tuple(hosts), activations=rows)


def host_row(grant: HostGrant, seat: Seat, key: IssuedKey) -> HostRow:
    """What is told of a host grant, of its seat and its key."""
    return HostRow(
        grant=grant.jti,
        key=grant.key,
        group=key.group,
        customer=key.customer,
        name=grant.name,
        hardware=grant.hw,
        binding=grant.binding,
        day=grant.day,
        term_days=grant.term * 30,
        first_at=grant.first_at,
        last_at=grant.last_at,
        revoked_day=grant.revoked,
        activations=seat.activations,
        activation_limit=key.activation_limit,
        released_at=seat.released_at,
        key_revoked_day=key.revoked,
    )


def activation_row(grant: MachineGrant) -> ActivationRow:
    """What is told of the activation of a machine."""
    return ActivationRow(
        grant=grant.jti,
        binding=grant.binding,
        first_day=grant.day,
        term_days=grant.term * 30,
        first_at=grant.first_at,
        last_at=grant.last_at,
        revoked_day=grant.revoked,
    )


def audit_entry(row: AuditRow) -> AuditEntry:
    """What is told of a row of the audit log."""
    return AuditEntry(row.seq, row.at, row.actor, row.event, row.subject, json.loads(row.detail))
