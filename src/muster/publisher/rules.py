"""The publisher's laws: what a catalogue may say next, which key may sign, who may draw.

Decides by values alone. Refuses to know tables, files, clocks and dice. Obeys
docs/spec/03-trust-and-catalogue.md (what never changes, who may sign on a day) and
docs/spec/08-http.md, section 8.5 (draws). Every function returns a value or raises one row of the
catalogue of errors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields

from muster.core.catalogue import error
from muster.core.ids import InstallationId
from muster.core.keys import Kind
from muster.core.products import DAY, Product, day_of, day_start
from muster.core.values import dataclass, replace
from muster.lease.grant import TERM
from muster.lease.trust import CATALOGUE_ROLE, GRANT_ROLE, MAX_DAY, MAX_INDEX, Trust, TrustKey
from muster.publisher.model import Change, Content, HostGrant, IssuedKey, MachineGrant, Seat

SHORTEST_INTERVAL = 15 * 60
"""Seconds; machines do not ask more often."""
LONGEST_INTERVAL = 30 * DAY
"""Seconds; a machine that asks less often than this falls out of the count."""
MAX_TRUST_KEYS = 64
"""Working keys that a trust object holds, retired ones included."""
TOUCH_SECONDS = 3600
"""Who asks again is remembered at most this often."""
CLOCK_SLACK = 4 * 3600
"""Seconds that the publisher's clock may stand before what it did last."""


# Instants.


def today(now: int) -> int:
    """The day number of `now`, if grants can say it.

    Raises: `publisher/clock`, when the clock is outside of what day numbers reach.
    """
    day = day_of(now)
    if not 0 <= day <= MAX_DAY:
        raise error(
            "publisher/clock", detail="it is outside the years 2026 to 2205", today="YYYY-MM-DD"
        )
    return day


def stamp(now: int, newest: int) -> int:
    """The `iat` of the next trust, catalogue or terms: not before the newest one, unless that was
    dated by a clock that was ahead.

    Args:
        now: the publisher's clock in Unix seconds, which was checked (`evidence`).
        newest: `iat` of the newest trust and catalogue, or 0.
    Source: docs/spec/13-revocation-and-rotation.md, section 13.3.
    """
    today(now)
    return newest if now < newest <= now + CLOCK_SLACK else now


# Content of catalogues.


def _refuse_content(where: str, detail: str) -> None:
    raise error("publisher/catalogue-file", where=where, detail=detail)


def _distinct(what: str, values: Iterable[object]) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            _refuse_content(what, f"{value} appears twice")
        seen.add(value)


def check_content(content: Content) -> None:
    """Refuse a content that would make a catalogue by which nobody can be licensed.

    Raises: `publisher/catalogue-file`, naming the place.
    """
    _distinct("applications", (item.id for item in content.applications))
    _distinct("groups", (item.id for item in content.groups))
    _distinct("groups", (f"number {item.number}" for item in content.groups))
    _distinct("products", (item.id for item in content.products))
    _distinct("conversions", (f"{item.source} to {item.target}" for item in content.conversions))
    groups = {item.id for item in content.groups}
    for group in content.groups:
        if group.id not in group.covers:
            _refuse_content(f"groups[{group.id}].covers", "does not hold the group itself")
        unknown = sorted(set(group.covers) - groups)
        if unknown:
            _refuse_content(f"groups[{group.id}].covers", f"{unknown[0]} is not a group")
    for product in content.products:
        _check_product(content, product)
    products = {item.id for item in content.products}
    for rule in content.conversions:
        where = f"conversions[{rule.source} to {rule.target}]"
        if rule.source not in products or rule.target not in products:
            _refuse_content(where, "names a product that is not listed")
        if rule.source == rule.target:
            _refuse_content(where, "source and target are the same product")


def _check_product(content: Content, product: Product) -> None:
    where = f"products[{product.id}]"
    if product.application not in {item.id for item in content.applications}:
        _refuse_content(f"{where}.application", f"{product.application} is not listed")
    if product.group not in {item.id for item in content.groups}:
        _refuse_content(f"{where}.group", f"{product.group} is not listed")
    spans = product.spans
    for group in content.groups:
        if product.group in group.covers and spans.lease > group.max_lease:
            _refuse_content(
                f"{where}.spans.lease", f"is longer than max_lease of the key group {group.id}"
            )
    for name, span in (("renew_after", spans.renew_after), ("retry_after", spans.retry_after)):
        if not SHORTEST_INTERVAL <= span <= LONGEST_INTERVAL:
            _refuse_content(f"{where}.spans.{name}", "is not within 15 minutes and 30 days")
    if spans.renew_after >= spans.lease:
        _refuse_content(f"{where}.spans.renew_after", "is not shorter than the lease")


FIXED = ("application", "group", "need")
"""Members of a product that never change [machines in the field hold them in descriptors]."""


def check_successor(old: Content, new: Content) -> None:
    """Refuse a content that breaks a promise of the one before it.

    Groups, products and applications may be added and never dropped; a group record, and
    application, group and need of a product, never change.

    Raises: `publisher/catalogue-fixed`, naming the place and the reason.
    """
    for change in diff(old, new):
        where = f"{change.what} {change.id}"
        if change.what == "conversion":
            continue
        if change.how == "removed":
            detail = "it was published and cannot be dropped"
            raise error("publisher/catalogue-fixed", where=where, detail=detail)
        if change.how != "changed":
            continue
        fixed = [
            name for name in change.fields if change.what == "group" or name in FIXED
        ]  # an application's name may change
        if change.what in ("group", "product") and fixed:
            detail = f"{' and '.join(fixed)} cannot change"
            raise error("publisher/catalogue-fixed", where=where, detail=detail)


def diff(old: Content, new: Content) -> tuple[Change, ...]:
    """What `new` adds, changes and removes. What no engineer writes does not count: setup keys, and
    conversions that were withdrawn before."""
    changes: list[Change] = []
    parts = (
        ("application", old.applications, new.applications),
        ("group", old.groups, new.groups),
        ("product", old.products, new.products),
        ("conversion", old.conversions, new.conversions),
    )
    for what, before, after in parts:
        was = {_name(item): item for item in before}
        now = {_name(item): item for item in after}
        for name in [*now, *(name for name in was if name not in now)]:
            if name not in was:
                changes.append(Change(what, name, "added"))
            elif name not in now:
                if getattr(was[name], "until", None) is None:
                    changes.append(Change(what, name, "removed"))
            else:
                changed = _changed(was[name], now[name])
                if changed:
                    changes.append(Change(what, name, "changed", changed))
    return tuple(changes)


_NOT_WRITTEN = ("setup_key", "until")


def _name(item: object) -> str:
    own = getattr(item, "id", None)
    if isinstance(own, str):
        return own
    return f"{getattr(item, 'source', '')} to {getattr(item, 'target', '')}"


def _changed(before: object, after: object) -> tuple[str, ...]:
    return tuple(
        field.name
        for field in fields(before)  # type: ignore[arg-type]  # all four records are dataclasses
        if field.name not in _NOT_WRITTEN
        and getattr(before, field.name) != getattr(after, field.name)
    )


def needs_setup_key(product: Product) -> bool:
    """Whether machines become clients of hosts with this product: those of the volume channel."""
    return product.channel == "volume"


def with_setup_keys(content: Content, keys: dict[str, str]) -> Content:
    """The content with the setup key of each product that needs one; `keys` by product id."""
    return replace(
        content,
        products=tuple(
            replace(item, setup_key=keys[item.id] if needs_setup_key(item) else "")
            for item in content.products
        ),
    )


# Trust.


def version_of_residue(versions: Collection[int], residue: int) -> int | None:
    """The newest of the versions that is `residue` modulo 256, or None."""
    return max((version for version in versions if version % 256 == residue), default=None)


def may_sign(entry: TrustKey, day: int) -> bool:
    """Whether a working key may sign on a day: in use, or not yet retired."""
    return entry.until is None or day <= entry.until


def choose_key(newest: Trust, held: Trust, role: str, day: int) -> TrustKey | None:
    """The key that signs for somebody who holds an older trust.

    Args:
        newest: the publisher's newest trust; only what is there speaks today.
        held: the trust that the asker holds; only what is there is understood.
        role: "grant" or "catalogue".
        day: the day number of the signature.
    Returns:
        Among the keys of both that may sign, one in use before one on its way out, and the one
        of the highest index; None when there is none: then trust comes first.
    """
    known = {key.key.kid for key in held.keys if key.role == role and may_sign(key, day)}
    able = [
        key
        for key in newest.keys
        if key.role == role and key.key.kid in known and may_sign(key, day)
    ]
    return max(able, key=lambda key: (key.until is None, key.index or 0), default=None)


def accepts_signature(newest: Trust, kid: str, day: int) -> bool:
    """Whether newest trust still stands behind a grant that this key signed for that day."""
    return any(
        key.role == GRANT_ROLE and key.key.kid == kid and may_sign(key, day) for key in newest.keys
    )


def next_keys(
    keys: Sequence[TrustKey],
    fresh: Sequence[TrustKey],
    day: int,
    until: int | None,
    *,
    retired_too: bool = False,
) -> tuple[TrustKey, ...]:
    """The working keys after a rotation.

    Args:
        keys: of the newest version.
        fresh: the new keys, in use; of each role at most one, which replaces the keys of its role.
        day: the day of the rotation.
        until: the last day of those that may still sign, which are then retired; None withdraws
            them: everything that they signed refuses.
        retired_too: withdraw those that were retired before as well.
    Raises: `publisher/trust-full`, when trust would hold more than it can.
    """
    roles = {trust_key.role for trust_key in fresh}
    kept: list[TrustKey] = []
    for key in keys:
        if key.role not in roles:
            kept.append(key)
        elif not may_sign(key, day):
            if not retired_too:
                kept.append(key)
        elif until is not None:
            kept.append(replace(key, until=until if key.until is None else min(key.until, until)))
    renewed = (*kept, *fresh)
    if len(renewed) > MAX_TRUST_KEYS:
        raise error("publisher/trust-full", count=len(renewed), maximum=MAX_TRUST_KEYS)
    return renewed


def next_index(used: Collection[int]) -> int:
    """The index of the next grant key: above every one that ever was.

    Raises: `publisher/trust-full`.
    """
    index = max(used, default=-1) + 1
    if index > MAX_INDEX:
        raise error("publisher/trust-full", count=index + 1, maximum=MAX_INDEX + 1)
    return index


def catalogue_key(trust: Trust, day: int) -> TrustKey:
    """The key that signs the next catalogue. Raises: `publisher/no-key`."""
    key = choose_key(trust, trust, CATALOGUE_ROLE, day)
    if key is None:
        raise error("publisher/no-key", role=CATALOGUE_ROLE, trust=trust.version)
    return key


# Draws.


@dataclass(frozen=True, slots=True)
class Again:
    """The same host signing key on the same hardware: the grant that was drawn, no draw.

    `resign` says that the key that signed it was withdrawn since, so that it is signed again with
    the same day and term.
    """

    grant: HostGrant
    resign: bool


@dataclass(frozen=True, slots=True)
class Draw:
    """A new host signing key: one of the activations of its hardware id, which is itself one of
    the hosts of the key where `new_host`."""

    new_host: bool


def check_host_request(iid: InstallationId, key: IssuedKey | None) -> IssuedKey:
    """Whose key an installation ID was made with, before its proof is looked at.

    Raises: `publisher/not-host-key`, `publisher/unknown-key`.
    """
    if iid.key_id.kind is not Kind.HOST:
        raise error("publisher/not-host-key", key=iid.key_id.text, kind=iid.key_id.kind.text)
    if key is None:
        raise error("publisher/unknown-key", key=iid.key_id.text)
    return key


def decide_host(
    iid: InstallationId,
    key: IssuedKey,
    seat: Seat | None,
    grant: HostGrant | None,
    newest: Trust,
    now: int,
) -> Again | Draw:
    """Whether a host gets a grant, and whether that is a draw.

    Args:
        iid: the installation ID; its proof was checked.
        key: the host key; `key.hosts` counts the hardware ids that hold a seat.
        seat: what the key knows of `iid.hw`, or None.
        grant: what was drawn for `iid.binding`, or None.
        newest: the publisher's newest trust.
        now: Unix seconds.
    Raises: `publisher/key-revoked`, `publisher/host-revoked`, `publisher/hardware-changed`,
        `publisher/term-over`, `publisher/hosts-used-up`, `publisher/activations-used-up`.
    """
    if key.revoked is not None:
        raise error("publisher/key-revoked", key=key.key_id.text)
    if grant is not None:
        if grant.revoked is not None:
            raise error("publisher/host-revoked", key=key.key_id.text, jti=grant.jti)
        if grant.hw != iid.hw:
            raise error("publisher/hardware-changed", key=key.key_id.text)
        if grant.term and now >= day_start(grant.day) + grant.term * TERM:
            raise error("publisher/term-over", key=key.key_id.text, days=grant.term * 30)
        return Again(grant, resign=not accepts_signature(newest, grant.kid, grant.day))
    held = seat is not None and seat.released_at is None
    if not held and key.hosts >= key.host_limit:
        raise error("publisher/hosts-used-up", key=key.key_id.text, limit=key.host_limit)
    if held and seat is not None and seat.activations >= key.activation_limit:
        limit = key.activation_limit
        raise error("publisher/activations-used-up", key=key.key_id.text, limit=limit)
    return Draw(new_host=not held)


# Pools.

MACHINE_KINDS = (Kind.MAK, Kind.EVALUATION, Kind.RETAIL)
"""Kinds of keys that activate machines, each from a pool."""
EVALUATION_TERMS = (3, 6)
"""Terms of evaluation keys, times 30 days: 90 and 180 days."""
MAX_TERM = 63
"""Longest term of a licence, times 30 days."""
MAX_POOL = 10_000_000
"""Machines of one key."""
ALERTS = (80, 95, 100)
"""Percentages of a pool at which somebody is told, where none are given."""
CORRECTION_SHARE = 10
"""Staff may give back one in this many activations of a pool, and at least one."""


@dataclass(frozen=True, slots=True)
class MachineAgain:
    """The same machine with the same key: the grant that was drawn, no draw.

    `resign` as in `Again`.
    """

    grant: MachineGrant
    resign: bool


def check_pool(
    kind: Kind, pool: int | None, term: int, alerts: Sequence[int] | None = None
) -> tuple[int, tuple[int, ...]]:
    """Size and alert levels of a new key that activates machines.

    Args:
        kind: mak, evaluation or retail.
        pool: machines; None for one (retail), which is the only size of a retail key.
        term: of its grants, times 30 days, at most `MAX_TERM`, 0 = no end; an evaluation has one
            of `EVALUATION_TERMS`.
        alerts: percentages, any order; None for `ALERTS`, and for none on a retail key, whose
            one machine is no news.
    Raises: `publisher/pool`.
    """
    if kind not in MACHINE_KINDS:
        raise error("publisher/pool", detail=f"a {kind.text} key has no pool")
    if kind is Kind.RETAIL:
        if pool not in (None, 1):
            raise error("publisher/pool", detail="a retail key activates one machine")
        pool = 1
    if alerts is None:
        alerts = () if kind is Kind.RETAIL else ALERTS
    if pool is None:
        raise error("publisher/pool", detail="the size is missing")
    if not 1 <= pool <= MAX_POOL:
        raise error("publisher/pool", detail=f"the size is not within 1 and {MAX_POOL}")
    if not 0 <= term <= MAX_TERM:
        raise error("publisher/pool", detail=f"the term is not within 0 and {MAX_TERM}")
    if kind is Kind.EVALUATION and term not in EVALUATION_TERMS:
        raise error("publisher/pool", detail="an evaluation runs for 90 or 180 days")
    levels = tuple(sorted(set(alerts)))
    if not all(1 <= level <= 100 for level in levels) or len(levels) > 16:
        raise error("publisher/pool", detail="an alert level is a percentage from 1 to 100")
    return pool, levels


def correction_limit(pool: int) -> int:
    """How many activations staff may give back over the life of a pool of this size."""
    return max(1, pool // CORRECTION_SHARE)


def check_machine_request(iid: InstallationId, key: IssuedKey | None) -> IssuedKey:
    """Whose key an installation ID was made with, before its proof is looked at.

    Raises: `publisher/not-machine-key`, `publisher/unknown-key`.
    """
    if iid.key_id.kind not in MACHINE_KINDS:
        raise error("publisher/not-machine-key", key=iid.key_id.text, kind=iid.key_id.kind.text)
    if key is None:
        raise error("publisher/unknown-key", key=iid.key_id.text)
    return key


def decide_machine(
    key: IssuedKey, grant: MachineGrant | None, newest: Trust, now: int
) -> MachineAgain | None:
    """Whether a machine gets a grant: the one that it has, or None for a draw.

    That the pool has room is asked by the draw itself.

    Raises: `publisher/key-revoked`, `publisher/activation-revoked`, `publisher/licence-over`.
    """
    if key.revoked is not None:
        raise error("publisher/key-revoked", key=key.key_id.text)
    if grant is None:
        return None
    if grant.revoked is not None:
        raise error("publisher/activation-revoked", key=key.key_id.text, jti=grant.jti)
    if grant.term and now >= day_start(grant.day) + grant.term * TERM:
        raise error("publisher/licence-over", key=key.key_id.text, days=grant.term * 30)
    return MachineAgain(grant, resign=not accepts_signature(newest, grant.kid, grant.day))


def reached(key: IssuedKey) -> tuple[int, ...]:
    """The alert levels that the pool of a key is at or above.

    A level is reached when drawn * 100 >= level * (pool + corrected).
    """
    size = key.pool + key.corrected
    return tuple(level for level in key.alerts if key.drawn * 100 >= level * size)


def crossed(before: IssuedKey, after: IssuedKey) -> tuple[int, ...]:
    """The alert levels that a change of a key reaches: draws, or a smaller size."""
    return tuple(level for level in reached(after) if level not in reached(before))
