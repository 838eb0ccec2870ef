"""What a machine remembers for one publisher: frozen records, no rules.

`Memory` is the whole content of a publisher's folder in the store. Nothing in it is an authority:
trust, catalogue and licences are texts that are verified each time they are used, starting at the
caller's own descriptor. Times are Unix seconds, 0 where a thing has not happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muster.client.discovery import Address
from muster.client.requests import Requests
from muster.core.audit import Event
from muster.core.errors import Fault, Kind, MusterError, Refusal, Retry, Row, Usage
from muster.core.states import LicenceState
from muster.core.values import dataclass, field, replace

MAX_NOTES = 100
"""Lines of history that a store keeps for one publisher."""
MAX_ASIDES = 256
"""Hosts that a store keeps as set aside for one product, the newest ones."""
MAX_SALTS = 256
"""Product keys whose facts salts a store keeps, the newest ones."""
MAX_DOUBTS = 64
"""Hosts in doubt that a store keeps for one publisher, the newest ones."""
MAX_MARKS = 256
"""Anchors for which a store remembers how far their walk came, the newest ones."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this machine is for one publisher.

    `mode` one of `muster.core.identity.IDENTITY_MODES`; `cmid` the present one; `salt` 32 bytes for
    commitments of facts; `store_random` 32 bytes that are used where a machine has no facts;
    `given` the operator's id in mode explicit; `made_on` the fingerprint when the identity was made
    or last renewed a lease, so that a copied store is noticed; `boot` the boot for which a device
    has a random CMID after a notice, else ""; `changed` when a notice last changed the CMID.
    """

    mode: str
    cmid: str
    salt: bytes
    store_random: bytes
    given: str = ""
    made_on: tuple[str, ...] = ()
    boot: str = ""
    changed: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """The last try that brought no licence, as it is told to people."""

    code: str
    field_code: str
    kind: Kind
    retry: Retry
    what: str
    why: str
    fix: str
    at: int

    @classmethod
    def of(cls, fault: MusterError, at: int) -> Failure:
        """Remember an error."""
        row = fault.row
        return cls(
            fault.code, row.field_code, row.kind, row.retry, fault.what, fault.why, fault.fix, at
        )

    def error(self) -> MusterError:
        """The error again, with the texts that it had."""
        row = Row(
            code=self.code,
            kind=self.kind,
            http=0,
            retry=self.retry,
            what=_literal(self.what),
            why=_literal(self.why),
            fix=_literal(self.fix),
            field_code=self.field_code,
        )
        return {Kind.REFUSAL: Refusal, Kind.USAGE: Usage, Kind.FAULT: Fault}[self.kind](row, {})


def _literal(text: str) -> str:
    """A template that prints exactly this text."""
    return text.replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True, slots=True)
class Aside:
    """A host that is not asked for a product before `until`."""

    address: Address
    until: int


@dataclass(frozen=True, slots=True)
class Doubt:
    """A host that gave no lease `times` in a row; before `until` it is asked after all others."""

    address: Address
    until: int
    times: int


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """One product on this machine.

    `key` the key id of the installed product key and `masked` how it is shown, both "" without
    one; `state` since `since` as last judged; `licence` the bundle in canonical JSON and `nonce`
    the one that it answers, both "" without a licence; `last_good` the host that answered last
    and `last_ip` the address under which; `last_contact` when a host last answered, `last_attempt`
    when one was last asked, `next_attempt` when one is asked next and `scheduled` when that was
    decided [a clock that is before it is another one]; `failures` in a row; `count`
    and `need` as a host last said, unsigned, to be shown only.
    """

    product: str
    added: int
    key: str = ""
    masked: str = ""
    state: LicenceState = LicenceState.UNLICENSED
    since: int = 0
    licence: str = ""
    nonce: str = ""
    last_good: Address | None = None
    last_ip: str = ""
    last_contact: int = 0
    last_attempt: int = 0
    next_attempt: int = 0
    scheduled: int = 0
    failures: int = 0
    failure: Failure | None = None
    aside: tuple[Aside, ...] = ()
    count: int | None = None
    need: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the machine's history: what happened `at` which time, to which product."""

    at: int
    event: Event
    product: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BoundFact:
    """The fact behind the binding of a key: its name, and a commitment of it in place of it."""

    name: str
    mark: str


@dataclass(frozen=True, slots=True)
class CatalogueMark:
    """The highest catalogue version seen, the key that signed it, and its `iat`.

    `iat` is None in stores of programs that did not keep it.
    """

    version: int
    kid: str
    iat: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything that is remembered for one publisher.

    `trust` holds trust objects above the descriptors', by version; `trust_marks` tells for each
    anchor (`trust_chain.anchor_name`) the highest version that the walk from there came to, the
    last one raised last; `clock_mark` as docs/spec/05-verification.md, section 5.5; `history` the
    last changes, oldest first; `first_added` when each product was set
    up for the first time, so that setting it up again wins no grace; `salts` the facts salt of
    each product key that activates this machine once, by key id: what a binding is made with,
    kept when the key is removed or another one is installed
    (docs/spec/01-identities.md, section 1.7.5); `bound` by key id the fact to which its licence is
    bound; `requests` what the next request to a host shows of those before it; `doubts` the hosts
    that gave no lease lately, the newest last (`muster.client.doubts`).
    """

    publisher: str
    identity: Identity
    products: Mapping[str, ProductRecord] = field(default_factory=dict)
    trust: tuple[str, ...] = ()
    trust_marks: Mapping[str, int] = field(default_factory=dict)
    catalogue: str = ""
    catalogue_mark: CatalogueMark | None = None
    clock_mark: int = 0
    history: tuple[Note, ...] = ()
    first_added: Mapping[str, int] = field(default_factory=dict)
    salts: Mapping[str, bytes] = field(default_factory=dict)
    bound: Mapping[str, BoundFact] = field(default_factory=dict)
    requests: Requests = field(default_factory=Requests)
    doubts: tuple[Doubt, ...] = ()

    def noted(self, at: int, event: Event, product: str = "", detail: str = "") -> Memory:
        """The same with one more line of history; the oldest lines fall out."""
        notes = (*self.history, Note(at, event, product, detail))
        return replace(self, history=notes[-MAX_NOTES:])

    def reached(self, anchor: str, version: int) -> Memory:
        """The same, knowing that the walk from an anchor came to a version."""
        if self.trust_marks.get(anchor, 0) >= version:
            return self
        others = [mark for mark in self.trust_marks.items() if mark[0] != anchor]
        return replace(self, trust_marks=dict([*others, (anchor, version)][-MAX_MARKS:]))

    def salted(self, key: str, salt: bytes) -> Memory:
        """The same, knowing the facts salt of a product key."""
        others = [pair for pair in self.salts.items() if pair[0] != key]
        return replace(self, salts=dict([*others, (key, salt)][-MAX_SALTS:]))

    def bound_to(self, key: str, fact: BoundFact) -> Memory:
        """The same, knowing to which fact the licence of a product key is bound."""
        if self.bound.get(key) == fact:
            return self
        others = [pair for pair in self.bound.items() if pair[0] != key]
        return replace(self, bound=dict([*others, (key, fact)][-MAX_SALTS:]))

    def product(self, product: str) -> ProductRecord | None:
        """The record of a product, or None where it was not added."""
        return self.products.get(product)

    def with_product(self, record: ProductRecord) -> Memory:
        """The same with one record put in or replaced.

        Where the record was found to begin later than was thought, so does its first grace.
        """
        first, products = self.first_added, {**self.products, record.product: record}
        if first.get(record.product, record.added) < record.added:
            first = {**first, record.product: record.added}
        return replace(self, products=products, first_added=first)

    def without_product(self, product: str) -> Memory:
        """The same without one record."""
        return replace(self, products={k: v for k, v in self.products.items() if k != product})

    def with_all(self, **changes: Any) -> Memory:
        """The same with every product record changed alike."""
        return replace(self, products={k: replace(v, **changes) for k, v in self.products.items()})
