"""What acts and looks of a client return: frozen records, whose fields are the members of `--json`.

Decides the names that programs read (`muster.core.records` makes the JSON). Refuses to know how a
record comes about and how it is worded. `changed` tells whether the wish changed anything.
"""

from __future__ import annotations

from muster.core.audit import Event
from muster.core.errors import MusterError
from muster.core.records import Instant, Seconds
from muster.core.states import LicenceState
from muster.core.values import dataclass
from muster.wire.exchange import RequestFile
from muster.wire.publisher import ConfirmRequest

# Products and their keys.


@dataclass(frozen=True, slots=True)
class ProductAdded:
    """A product that was set up. `state` of it afterwards; `key` masked, or ""."""

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
class NotLasting:
    """Products whose next activation would be bound to this store and not to the hardware."""

    products: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProductRemoved:
    """A product that this machine forgot."""

    product: str
    publisher: str
    changed: bool


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A product key that was installed or removed, masked; `state` of the product afterwards."""

    product: str
    publisher: str
    key: str
    changed: bool
    state: LicenceState


# What is known of products.


@dataclass(frozen=True, slots=True)
class ProductSummary:
    """A product on this machine. `key` masked, "" where none is installed."""

    product: str
    publisher: str
    label: str
    name: str
    edition: str
    key: str
    state: LicenceState
    state_text: str
    licensed: bool


@dataclass(frozen=True, slots=True)
class ProductList:
    """The products on this machine."""

    products: tuple[ProductSummary, ...]


@dataclass(frozen=True, slots=True)
class HeldLicence:
    """A verified licence.

    `kind` is "lease", "mak", "evaluation" or "retail"; `expires_at` None without an end; `grant`
    the id of its grant and `host_key` the id of its product key. Of a lease only, else None:
    `renew_at`, `retry_after`, and `count` and `need` as the host said.
    """

    kind: str
    issued_at: Instant
    expires_at: Instant | None
    renew_at: Instant | None
    retry_after: Seconds | None
    count: int | None
    need: int | None
    grant: str
    host_key: str


@dataclass(frozen=True, slots=True)
class SiteOfHosts:
    """A site file that names hosts for a publisher, and until when it counts."""

    file: str
    hosts: tuple[str, ...]
    until: Instant


@dataclass(frozen=True, slots=True)
class ProductStatus(ProductSummary):
    """Everything that is known of a product on this machine.

    `until` is the end of the licence or of the running grace, None where there is none; `why` the
    reason why there is no licence. `cmid` and `identity` are None where the publisher's store
    cannot be read. `need` is the count that the product needs. `key_id` names the installed key
    and `key_kind` is "setup", "mak", "evaluation" or "retail", both "" without one. What begins
    with `last_` is None where it has not happened. `trust` and `catalogue` are versions.
    `retry_after` and `renew_after` are the spans that hold here: of the licence, else of the
    product. `last_refusal` is why the last try brought no licence, None where it did.
    `trusted_time` is the clock, or its mark where that is later. Of the `sites`, which are site
    files, `last_host_file` names the last host; `site_errors` is why others do not count.
    """

    publisher_name: str
    application: str
    channel: str
    since: Instant
    until: Instant | None
    why: MusterError | None
    warnings: tuple[MusterError, ...]
    cmid: str | None
    identity: str | None
    key_id: str
    key_kind: str
    need: int
    licence: HeldLicence | None
    last_host: str | None
    last_ip: str | None
    last_count: int | None
    last_contact: Instant | None
    last_attempt: Instant | None
    last_refusal: MusterError | None
    next_attempt: Instant | None
    retry_after: Seconds
    renew_after: Seconds
    trust: int
    catalogue: int | None
    set_host: str | None
    suffixes: tuple[str, ...]
    host_caching: bool
    publisher_url: str | None
    trusted_time: Instant
    store: str
    sites: tuple[SiteOfHosts, ...]
    site_errors: tuple[MusterError, ...]
    last_host_file: str | None


@dataclass(frozen=True, slots=True)
class StatusList:
    """What is known of one product, or of all, at a `time`."""

    time: Instant
    products: tuple[ProductStatus, ...]


@dataclass(frozen=True, slots=True)
class LicenceText:
    """The licence bundle of a product, the file that it was written to, and whether that changed
    the file."""

    product: str
    licence: str
    file: str | None = None
    changed: bool = False


# Activation.


@dataclass(frozen=True, slots=True)
class TriedHost:
    """A host that was asked, how it was found, and why it gave no licence. `file` is the site file
    that names it, "" where none does."""

    host: str
    source: str
    domain: str
    error: MusterError | None
    file: str


@dataclass(frozen=True, slots=True)
class ProductActivation(ProductStatus):
    """What a try for a product brought.

    `renewed`: a new licence was verified and kept; `due`: whether anything was tried; `told` is
    what happened on the way.
    """

    renewed: bool
    due: bool
    error: MusterError | None
    tried: tuple[TriedHost, ...]
    told: tuple[MusterError, ...]


@dataclass(frozen=True, slots=True)
class Activations:
    """What tries for some products brought."""

    products: tuple[ProductActivation, ...]
    changed: bool


@dataclass(frozen=True, slots=True)
class FailedActivations(Activations):
    """Tries of which one or more failed; `error` is that of the first."""

    error: MusterError


@dataclass(frozen=True, slots=True)
class Waited(ProductStatus):
    """A product that is licensed; `changed`: it was not when the waiting began."""

    changed: bool


@dataclass(frozen=True, slots=True)
class Released:
    """A lease that was given back, and to which host."""

    product: str
    host: str
    changed: bool


@dataclass(frozen=True, slots=True)
class OfflineRequest:
    """What a machine shows to be activated without a network.

    `key` masked; `survives_reinstall`: the same after a reinstall on this hardware; `changed`:
    the store remembers now by which fact.
    """

    product: str
    publisher: str
    key: str
    installation_id: str
    survives_reinstall: bool
    changed: bool

    @property
    def request(self) -> RequestFile:
        """The request file, which a QR code shows too."""
        return RequestFile(self.publisher, ConfirmRequest(self.installation_id))


@dataclass(frozen=True, slots=True)
class CodeWritten(OfflineRequest):
    """The same, and the file `qr` with a QR code of it."""

    qr: str


@dataclass(frozen=True, slots=True)
class RequestWritten(OfflineRequest):
    """The same in a request `file`; `changed`: the file was written."""

    file: str


@dataclass(frozen=True, slots=True)
class Imported:
    """The versions held after a publisher file was taken; 0 is no catalogue."""

    publisher: str
    trust: int
    catalogue: int
    changed: bool


# How hosts are found.


@dataclass(frozen=True, slots=True)
class AskedNames:
    """The names that DNS was asked in a domain, and how many records it has of each."""

    domain: str
    label: str
    general: str
    label_records: int
    general_records: int


@dataclass(frozen=True, slots=True)
class Served:
    """What a host serves of a publisher: key groups, and the versions that it holds."""

    groups: tuple[str, ...]
    trust: int
    catalogue: int


@dataclass(frozen=True, slots=True)
class FoundHost:
    """A host in the order of one try. `serves` None where it serves nothing or did not answer;
    `file` is the site file that names it, "" where none does."""

    host: str
    source: str
    domain: str
    file: str
    priority: int
    weight: int
    in_doubt: bool
    error: MusterError | None
    serves: Served | None


@dataclass(frozen=True, slots=True)
class DiscoveredHosts:
    """How hosts are found for a publisher."""

    publisher: str
    label: str
    set_host: str | None
    last_host: str | None
    host_caching: bool
    names: tuple[AskedNames, ...]
    errors: tuple[MusterError, ...]
    hosts: tuple[FoundHost, ...]


# Settings; `publisher` None where they are of the machine.


@dataclass(frozen=True, slots=True)
class HostSetting:
    """The one host that is asked, None where DNS finds hosts."""

    host: str | None
    publisher: str | None
    changed: bool


@dataclass(frozen=True, slots=True)
class DomainSetting:
    """The domains in which hosts are looked for, None for the machine's own."""

    suffixes: tuple[str, ...] | None
    publisher: str | None
    changed: bool


@dataclass(frozen=True, slots=True)
class CachingSetting:
    """Whether the host that answered last is asked first."""

    host_caching: bool
    publisher: str | None
    changed: bool


@dataclass(frozen=True, slots=True)
class TLSSetting:
    """Whether hosts are asked over TLS."""

    host_tls: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class PublisherSetting:
    """The address of the publisher's service, None where no command set one."""

    publisher_url: str | None
    publisher: str | None
    changed: bool


# The machine.


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """Who this machine is for one publisher after a wish to change it."""

    publisher: str
    mode: str
    cmid: str
    changed: bool


@dataclass(frozen=True, slots=True)
class KnownIdentity:
    """Who this machine is for one publisher."""

    publisher: str
    mode: str
    cmid: str


@dataclass(frozen=True, slots=True)
class IdentityList:
    """Who this machine is, by publisher."""

    identities: tuple[KnownIdentity, ...]


@dataclass(frozen=True, slots=True)
class MarkReset:
    """A clock mark that was reset; `old` 0 where there was none."""

    publisher: str
    old: Instant


@dataclass(frozen=True, slots=True)
class ClockReset:
    """Clock marks that were reset."""

    changed: bool
    marks: tuple[MarkReset, ...]


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One change on this machine; `product` None where it is none of a single product."""

    at: Instant
    event: Event
    publisher: str
    product: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class History:
    """What was changed on this machine, oldest first."""

    history: tuple[HistoryLine, ...]


@dataclass(frozen=True, slots=True)
class FactReading:
    """One value of a fact, masked unless it was asked for whole.

    `at` where it stands; `why` a word for why it does not count, "" where it does, and `text` the
    same in words; `binds`: a one-time licence may be bound to it.
    """

    value: str
    at: str
    counts: bool
    binds: bool
    why: str
    text: str


@dataclass(frozen=True, slots=True)
class FactStatus:
    """One fact of the machine: who carries it, where it stands, and what was read."""

    name: str
    present: bool
    counts: bool
    carried_by: str
    source: str
    privilege: str
    stability: str
    readings: tuple[FactReading, ...]


@dataclass(frozen=True, slots=True)
class FactList:
    """The facts of this machine in the order of the table; `file` the facts file where it was
    written, `changed` whether it is another than before."""

    facts: tuple[FactStatus, ...]
    file: str | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class FactsWritten:
    """A facts file that was written, and how many facts it holds."""

    file: str
    count: int
    changed: bool
