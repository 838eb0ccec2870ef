"""What acts and looks of a host return: frozen records, whose fields are the members of `--json`.

Decides the names that programs read (`muster.core.records` makes the JSON). Refuses to know how a
record comes about and how it is worded. Long, because it is one table: shapes beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from muster.core.errors import MusterError
from muster.core.records import Instant, Seconds
from muster.core.settings import Value
from muster.core.values import dataclass
from muster.host.model import AuditRow, HostKey, LogRow
from muster.host.running import HostProcess
from muster.host.tables.dns import DNSResult
from muster.wire.exchange import RequestFile


@dataclass(frozen=True, slots=True)
class InstalledKey:
    """An installed host key: `key` is its key id, `partial` its last group.

    `hardware` is the hardware id, of the fact `hardware_fact`; `activated` tells whether it has a
    grant.
    """

    publisher: str
    key: str
    partial: str
    hardware: str
    hardware_fact: str
    activated: bool


@dataclass(frozen=True, slots=True)
class _MaybeKey:
    publisher: str | None = None
    key: str | None = None
    partial: str | None = None
    hardware: str | None = None
    hardware_fact: str | None = None
    activated: bool | None = None


@dataclass(frozen=True, slots=True)
class SettingState:
    """The value of a setting that is in force; `set` is False where it is the default."""

    value: Value
    set: bool


@dataclass(frozen=True, slots=True)
class HostSettings:
    """All settings of a host by name; looking changes nothing."""

    settings: Mapping[str, SettingState]
    changed: bool = False

    def values(self) -> dict[str, Value]:
        """The value of each."""
        return {name: state.value for name, state in self.settings.items()}

    def text(self, name: str) -> str:
        """The value of a setting that is a text."""
        value = self.settings[name].value
        assert isinstance(value, str)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """The value of a setting that is several texts."""
        value = self.settings[name].value
        assert isinstance(value, tuple)
        return value

    def integer(self, name: str) -> int:
        """The value of a setting that is a whole number."""
        value = self.settings[name].value
        assert isinstance(value, int)
        return value

    def flag(self, name: str) -> bool:
        """The value of a setting that is true or false."""
        value = self.settings[name].value
        assert isinstance(value, bool)
        return value


@dataclass(frozen=True, slots=True)
class HostSetting:
    """One setting of a host; looking changes nothing."""

    name: str
    value: Value
    set: bool
    changed: bool = False


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that was set, or went back to its default.

    `value` the one that it has now; `warning` what an administrator should know of it;
    `overridden` tells that the environment wins over it.
    """

    changed: bool
    name: str
    value: Value
    warning: str | None
    overridden: bool


@dataclass(frozen=True, slots=True)
class GrantStatus:
    """A host grant. `covers` the key groups that it licenses; `code` why it is not used, or ""."""

    grant: str
    group: str
    covers: tuple[str, ...]
    issued_at: Instant
    expires_at: Instant | None
    max_lease: Seconds | None
    code: str


@dataclass(frozen=True, slots=True)
class TermsStatus:
    """The ceiling on a grant: `limit` machines, and "refuse" or "report" for those `over` it.

    `seats` are taken, `silent` of them by machines that have been silent; the first of these comes
    back at `silent_until`.
    """

    version: int
    limit: int
    over: str
    customer: str
    agreement: str
    max_lease: Seconds | None
    seats: int
    silent: int
    silent_until: Instant | None


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """An installed host key: its id, its last group, the hardware id and the fact behind it.

    `asked_at` since when its grant is waited for, which was asked for online and did not come, and
    `refusal` the code of why; None and "" where nobody waits.
    """

    key: str
    partial: str
    hardware: str
    hardware_fact: str
    installed_at: Instant
    activated_at: Instant | None
    grant: GrantStatus | None
    terms: TermsStatus | None
    asked_at: Instant | None
    refusal: str


@dataclass(frozen=True, slots=True)
class PublisherStatus:
    """A publisher and what the host holds of it.

    `trust` and `catalogue` are versions, 0 for none; `serving` is the word of the running process,
    `able` whether the store has what a process needs to serve; `groups` the key groups of live
    grants; `broken` the codes of what cannot be used and is left out, `faults` the same with what
    to do; `clones` machines with clones within 30 days.
    """

    publisher: str
    label: str
    name: str
    url: str | None
    trust: int
    catalogue: int
    catalogue_old: bool
    serving: bool
    able: bool
    groups: tuple[str, ...]
    keys: tuple[KeyStatus, ...]
    broken: tuple[str, ...]
    faults: tuple[MusterError, ...]
    clones: int


@dataclass(frozen=True, slots=True)
class ProductNeed:
    """How many machines a product needs, and whether they are counted."""

    product: str
    group: str
    need: int
    met: bool


@dataclass(frozen=True, slots=True)
class ApplicationStatus:
    """The count of an application, the distinct addresses behind it, and its products."""

    publisher: str
    label: str
    application: str
    count: int
    addresses: int
    products: tuple[ProductNeed, ...]


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests since the host exists: by licence state "0" to "6", and by error code or "leased".

    A request that was counted and refused for the count alone has not `failed`.
    """

    total: int
    failed: int
    by_state: Mapping[str, int]
    by_outcome: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Listening:
    """Where machines are answered."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class HostServing:
    """A host that answers machines at `address` and `port`, over TLS or not; `operation` is the
    address of its pages for administrators, None where they are off."""

    address: str
    port: int
    tls: bool
    operation: str | None


@dataclass(frozen=True, slots=True)
class TLSStatus:
    """The certificate of the settings. `ends_at` is None where none can be used; `problem` says
    why, or why a newer one is not taken."""

    certificate: str
    names: tuple[str, ...]
    ends_at: Instant | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class NewsStatus:
    """How the last asking of a publisher for news went, as `PublisherNews` has it: by the word of
    the running process, or as it was stored; where nobody asks, when its last file came.
    `next_at` is None where no process will ask."""

    publisher: str
    at: Instant | None
    good_at: Instant | None
    code: str
    next_at: Instant | None
    failures: int


@dataclass(frozen=True, slots=True)
class HostStatus:
    """The whole status of a host at `time`; `tls` is None where TLS is not spoken, `process` and
    `listening` where no process serves the store. `dns` is how the last publishing in each zone
    went, whoever did it; `news` how the last asking of each publisher went."""

    time: Instant
    store: str
    publishers: tuple[PublisherStatus, ...]
    applications: tuple[ApplicationStatus, ...]
    requests: RequestCounts
    listening: Listening | None
    process: HostProcess | None
    settings: Mapping[str, SettingState]
    dns: tuple[DNSResult, ...]
    news: tuple[NewsStatus, ...]
    tls: TLSStatus | None


@dataclass(frozen=True, slots=True)
class ClientLease:
    """The newest lease of a machine for a product; `live` until it ends or is released."""

    product: str
    issued_at: Instant
    expires_at: Instant
    live: bool


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """A machine with its counts and leases.

    `silent` tells of a machine that counts or holds a lease and was last seen longer ago than
    section 6.5 says, `silent_days` for how many whole days; `seat_until` when the last of its
    leases under a ceiling ends, None where it holds no seat. `virtual` is None where it is
    unknown. `duplicates` requests of its clones were refused, and `cloned_at` is when one was last
    found. `applications` says by name whether the machine is counted for it.
    """

    publisher: str
    label: str
    cmid: str
    name: str
    identity: str
    address: str
    os: str
    version: str
    virtual: bool | None
    state: int
    first_seen: Instant
    last_seen: Instant
    silent: bool
    silent_days: int
    seat_until: Instant | None
    duplicates: int
    cloned_at: Instant | None
    restored: int
    clone_name: str
    clone_address: str
    applications: Mapping[str, bool]
    leases: tuple[ClientLease, ...]


@dataclass(frozen=True, slots=True)
class ClientList:
    """Machines that asked the host."""

    clients: tuple[ClientStatus, ...]


@dataclass(frozen=True, slots=True)
class RequestList:
    """Requests of the log, oldest first, with the fields of event 12290."""

    requests: tuple[LogRow, ...]


@dataclass(frozen=True, slots=True)
class AuditList:
    """What administrators did, oldest first."""

    audit: tuple[AuditRow, ...]


# DNS.


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """The records of a zone as lines of a zone file, and how many were added and removed."""

    zone: str
    records: tuple[str, ...]
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class DNSChange:
    """Records that were published, or `withdrawn`."""

    changed: bool
    withdrawn: bool
    zones: tuple[ZoneChange, ...]


@dataclass(frozen=True, slots=True)
class ZoneRecords:
    """The records of a zone as lines of a zone file, and the script that makes them."""

    zone: str
    records: tuple[str, ...]
    nsupdate: str


@dataclass(frozen=True, slots=True)
class DNSRecords:
    """What a host would publish; looking changes nothing."""

    zones: tuple[ZoneRecords, ...]
    changed: bool = False


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """A site file that was signed: its `text`, and what it says to machines.

    `publishers` are labels; `tls`: hosts are asked over TLS only; `authorities` how many
    certificates of authorities are in it; `until` when the first of its parts ends; `file` where
    it was written to, None where it is only shown.
    """

    changed: bool
    text: str
    hosts: tuple[str, ...]
    tls: bool
    suffixes: tuple[str, ...]
    publishers: tuple[str, ...]
    authorities: int
    until: Instant
    file: str | None = None


# News of publishers.


@dataclass(frozen=True, slots=True)
class PublisherUpdate:
    """Versions of trust and catalogue before and after, 0 for none; `added` where it was pinned."""

    changed: bool
    added: bool
    publisher: str
    label: str
    trust_before: int
    trust: int
    catalogue_before: int
    catalogue: int


@dataclass(frozen=True, slots=True)
class RefusedPublisher:
    """A publisher of which nothing came, and why."""

    publisher: str
    label: str
    error: MusterError


@dataclass(frozen=True, slots=True)
class CatalogueNews:
    """What the services of publishers had newer; `refused` are those of which nothing came."""

    changed: bool
    publishers: tuple[PublisherUpdate, ...]
    refused: tuple[RefusedPublisher, ...] = ()


@dataclass(frozen=True, slots=True)
class TermsHeld:
    """Terms: `limit` machines, and "refuse" or "report" for those `over` it."""

    version: int
    limit: int
    over: str


@dataclass(frozen=True, slots=True)
class KeyTerms(InstalledKey):
    """An installed host key and its terms, None where it has none; `lacks_terms`: its key group
    requires them, so that it is not used."""

    changed: bool
    terms: TermsHeld | None
    lacks_terms: bool


@dataclass(frozen=True, slots=True)
class RefusedKey(InstalledKey):
    """An installed host key for which nothing came of it, and why."""

    error: MusterError


@dataclass(frozen=True, slots=True)
class TermsNews:
    """The terms of activated host keys after they were taken or asked for; `refused` are keys of
    which their publishers gave none."""

    changed: bool
    keys: tuple[KeyTerms, ...]
    refused: tuple[RefusedKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Followed:
    """What a running host took of a publisher by itself. `waits` is why a key whose grant an
    administrator asked for got none, None where no key waits any more."""

    changed: bool
    waits: MusterError | None


# Machines that are removed.


@dataclass(frozen=True, slots=True)
class MachineRemoval:
    """A machine that was removed, and how many leases and counts were `given_back`."""

    changed: bool
    cmid: str
    given_back: int


# Enrolment.


@dataclass(frozen=True, slots=True)
class HostInit:
    """Publishers that were pinned or updated, and where the host's store is."""

    changed: bool
    store: str
    publishers: tuple[PublisherUpdate, ...]


@dataclass(frozen=True, slots=True)
class KeyInstallation(InstalledKey):
    """An installed host key; `survives_reinstall` whether its hardware id does."""

    changed: bool
    label: str
    survives_reinstall: bool


@dataclass(frozen=True, slots=True)
class KeyRemoval(InstalledKey):
    """A host key that was removed; `activated` tells whether it had a grant."""

    changed: bool


@dataclass(frozen=True, slots=True)
class PublisherRemoval:
    """A publisher that was forgotten."""

    changed: bool
    publisher: str


# Activation.


@dataclass(frozen=True, slots=True)
class ActivatedKey(InstalledKey):
    """A host key that has a grant; `changed` tells that it is new.

    `label` is its publisher's, `group` and `covers` what the grant licenses, `expires_at` its end
    or None. `lacks_terms` tells that its key group requires terms and that it has none.
    """

    changed: bool
    label: str
    group: str
    covers: tuple[str, ...]
    expires_at: Instant | None
    lacks_terms: bool


@dataclass(frozen=True, slots=True)
class HostActivation:
    """Host keys that were activated, or were so already; `refused` are those that were not."""

    changed: bool
    activated: tuple[ActivatedKey, ...]
    refused: tuple[RefusedKey, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyRequest(InstalledKey):
    """What a publisher is shown of a host key: its installation ID, and the request file."""

    installation_id: str
    file: RequestFile


@dataclass(frozen=True, slots=True)
class RequestWritten(_MaybeKey):
    """A request file that was written; all None where no key waits."""

    changed: bool = False
    file: str | None = None


@dataclass(frozen=True, slots=True)
class InstallationIdShown(_MaybeKey):
    """The installation ID of a host key, to be read out; all None where no key waits.

    `qr` is the file of its QR code, where one was named. Looking changes nothing.
    """

    installation_id: str | None = None
    qr: str | None = None
    changed: bool = False


class KeyMembers(TypedDict):
    """The members of an `InstalledKey`, for the records that have more."""

    publisher: str
    key: str
    partial: str
    hardware: str
    hardware_fact: str
    activated: bool


@dataclass(frozen=True, slots=True)
class DatabaseCheck:
    """A database that was read to its end and is whole."""

    database: str


@dataclass(frozen=True, slots=True)
class HostBackupWritten:
    """A backup of a host; `host` is the id of its store, `rows` the lines of the file, `keys` the
    publishers whose signing keys are in it, sealed; `not_audited` the code of what kept it out of
    the audit, such as `db/full`, or empty."""

    changed: bool
    file: str
    host: str
    made_at: Instant
    rows: int
    keys: tuple[str, ...]
    not_audited: str


@dataclass(frozen=True, slots=True)
class HostRestored:
    """A store after a restore. `rows` were taken and `skipped` passed over; `merged` where there
    were rows before; `keys` the publishers whose signing keys came with it; `missing_keys` those
    whose grants are useless for want of their signing key; `aside` the folder with the files that
    were there before. After `--in-place`, `made_at` is now and `rows` is 0."""

    changed: bool
    store: str
    host: str
    made_at: Instant
    rows: int
    skipped: int
    merged: bool
    keys: tuple[str, ...]
    missing_keys: tuple[str, ...]
    aside: str | None


def key_members(key: HostKey, *, activated: bool | None = None) -> KeyMembers:
    """The members of an `InstalledKey`.

    Args:
        activated: where it is known better than from the grant that is held.
    """
    return {
        "publisher": key.publisher,
        "key": key.key_id,
        "partial": key.partial,
        "hardware": key.hw,
        "hardware_fact": key.primary,
        "activated": key.grant is not None if activated is None else activated,
    }


def request_written(asked: KeyRequest, file: str, *, changed: bool) -> RequestWritten:
    """What is told of a request file."""
    return RequestWritten(**_same(asked), changed=changed, file=file)


def installation_id_shown(asked: KeyRequest, qr: str | None) -> InstallationIdShown:
    """What is told of an installation ID."""
    return InstallationIdShown(**_same(asked), installation_id=asked.installation_id, qr=qr)


def _same(key: InstalledKey) -> KeyMembers:
    return {
        "publisher": key.publisher,
        "key": key.key,
        "partial": key.partial,
        "hardware": key.hardware,
        "hardware_fact": key.hardware_fact,
        "activated": key.activated,
    }
