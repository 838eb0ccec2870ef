"""Records of the publisher wing: what its tables hold and what its service answers.

Decides nothing. Obeys docs/spec/03-trust-and-catalogue.md (content, keys in use) and
docs/spec/08-http.md, section 8.5 (draws). Instants are Unix seconds UTC, days are day numbers
(day 0 = 2026-01-01), terms are counted in 30 days.
"""

from __future__ import annotations

from muster.core.keys import KeyId, Kind
from muster.core.products import Application, Conversion, KeyGroup, Product
from muster.core.values import dataclass, field

HARDWARE_LIMIT = 6
"""Hosts that one host key enrols, unless its publisher allows more."""
ACTIVATION_LIMIT = 10
"""Host signing keys (first activation and reactivations) on one of these hosts, likewise."""
LARGEST_LIMIT = 10_000
"""Neither limit of a host key goes above this."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who this publisher is: fixed at `init`, but for the name."""

    id: str
    label: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Content:
    """What an engineer writes into a catalogue; version, revocations and signature are added.

    Products without hosts, and products that have not been published yet, have `setup_key` "".
    """

    groups: tuple[KeyGroup, ...] = ()
    applications: tuple[Application, ...] = ()
    products: tuple[Product, ...] = ()
    conversions: tuple[Conversion, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A catalogue file as read; label and name are the publisher's, or None where not given."""

    content: Content
    label: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two contents: `what` is "application", "group", "product" or
    "conversion"; `how` "added", "changed" or "removed"; `fields` names what changed."""

    what: str
    id: str
    how: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyFileRecord:
    """Where a signing key is: `kid` thumbprint, `role` root, reserve, catalogue or grant;
    `number` counts up per role and is the index of a grant key; `file` relative to the store's
    folder of keys, or "" where the key is elsewhere (the reserve root)."""

    kid: str
    role: str
    number: int
    file: str
    made_at: int


@dataclass(frozen=True, slots=True)
class SignedText:
    """A version of trust or catalogue as it is in the tables; `text` the compact JWS."""

    version: int
    iat: int
    text: str


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A product key that was issued. The key itself is not kept: `masked` shows its last group,
    `proof_key` (32 bytes) recognises installation IDs made with it.

    `product` is the product of a setup key, else None. `term` counts 30 days, 0 = no end.
    `revoked` is the day of revocation, or None. `hosts` counts the hardware ids in use.

    Of a key that activates machines, `pool` is its size as agreed, `drawn` how many machines hold
    a grant, `corrected` what staff gave back (at most `correction_limit`), `alerts` the
    percentages of the size at which somebody is told.
    """

    key_id: KeyId
    group: str
    masked: str
    proof_key: bytes = field(repr=False)
    issued_at: int
    term: int = 0
    customer: str = ""
    product: str | None = None
    revoked: int | None = None
    hosts: int = 0
    host_limit: int = HARDWARE_LIMIT
    activation_limit: int = ACTIVATION_LIMIT
    pool: int = 0
    corrected: int = 0
    correction_limit: int = 0
    drawn: int = 0
    alerts: tuple[int, ...] = ()

    @property
    def left(self) -> int:
        """How many machines the pool can still activate."""
        return self.pool + self.corrected - self.drawn


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """Product keys that are to be issued.

    `group` is the id of their key group, `count` 1 to `MOST_KEYS`, `term` counts 30 days, 0 = no
    end (an evaluation has 3 or 6), `customer` is for the publisher's own lists. Of keys that
    activate machines, `pool` is the size of each one's pool (None for a retail key, which activates
    one), `alerts` the percentages at which somebody is told (None for the usual ones).
    """

    kind: Kind
    group: str
    count: int = 1
    term: int = 0
    customer: str = ""
    pool: int | None = None
    alerts: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """One of the hosts of a host key: a hardware id and how many host signing keys were
    activated on it. `released_at` is set while it holds no seat."""

    key: str
    hw: str
    activations: int
    first_at: int
    released_at: int | None = None


@dataclass(frozen=True, slots=True)
class HostGrant:
    """A grant that was drawn: unique by (key, binding), never deleted.

    `day` of the first activation and `term` never change; `grant`, `confirmation` and `kid` change
    only when the key that signed them was withdrawn. `revoked` is the day of revocation. `name` is
    what the host called itself at an activation, the first word that it said, or "".
    """

    key: str
    binding: str
    hw: str
    jti: str
    day: int
    term: int
    kid: str
    grant: str
    confirmation: str
    first_at: int
    last_at: int
    revoked: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class MachineGrant:
    """A draw on the pool of a key: unique by (key, binding), never deleted.

    As `HostGrant`, for one machine: `day` and `term` never change.
    """

    key: str
    binding: str
    jti: str
    day: int
    term: int
    kid: str
    grant: str
    confirmation: str
    first_at: int
    last_at: int
    revoked: int | None = None


@dataclass(frozen=True, slots=True)
class HostTerms:
    """Terms of a host's grant: a ceiling of `limit` machines; `over` "refuse" or "report".

    `max_lease` bounds leases under it, in seconds, or is None; `jti` is the grant's licence id,
    `iat` in Unix seconds, `kid` signed `text`, a compact JWS.
    """

    jti: str
    version: int
    iat: int
    limit: int
    over: str
    customer: str
    agreement: str
    kid: str
    text: str
    max_lease: int | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One line of the audit table; `detail` is canonical JSON, `hash` that of `publisher.chain`."""

    seq: int
    at: int
    actor: str
    event: str
    subject: str
    detail: str
    hash: str
