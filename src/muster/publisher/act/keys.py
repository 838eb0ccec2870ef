"""Issues and revokes product keys, and changes the limits of host keys."""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.audit import Event, Who
from muster.core.catalogue import error
from muster.core.keys import Kind
from muster.core.values import replace
from muster.db.engine import Transaction
from muster.publisher import reading, rules, tables
from muster.publisher.act.signing import Deed, issuer_of, read_ground, sign_next
from muster.publisher.issuer import NewKey
from muster.publisher.model import LARGEST_LIMIT, IssuedKey, KeyOrder
from muster.publisher.office import Office
from muster.publisher.results import KeysIssued, LimitChange, Revoked, key_row, new_key_row

MOST_KEYS = 1000
"""Product keys that one command issues."""


def issue_keys(office: Office, order: KeyOrder) -> KeysIssued:
    """Issue product keys: of hosts, or with a pool each for machines.

    Returns:
        The keys, each with its text, which is not kept.
    Raises: `publisher/pool`, `publisher/group`, `publisher/serials`, and the errors of opening
        the tag key.
    """
    kind, pool = order.kind, 0
    alerts: tuple[int, ...] = ()
    if kind is not Kind.HOST:
        pool, alerts = rules.check_pool(kind, order.pool, order.term, order.alerts)
    with office.alone() as now:
        with office.view() as reader:
            catalogue = reading.newest_documents(reader)[1]
            key_group = next((group for group in catalogue.groups if group.id == order.group), None)
            if key_group is None:
                known = ", ".join(group.id for group in catalogue.groups)
                raise error("publisher/group", group=order.group, known=known)
            taken = set(tables.keys.serials(reader, kind, key_group.number))
        issuer = issuer_of(office, now)
        new_keys: list[NewKey] = []
        for _ in range(order.count):
            new = issuer.issue(kind, key_group, taken, term=order.term, customer=order.customer)
            if pool:
                limit = rules.correction_limit(pool)
                issued = replace(new.issued, pool=pool, correction_limit=limit, alerts=alerts)
                new = NewKey(issued, new.key)
            taken.add(new.key.serial)
            new_keys.append(new)
        with office.edit() as tx:
            register(tx, new_keys, now, office.actor)
    return KeysIssued(True, tuple(new_key_row(new.issued, new.key.text) for new in new_keys))


def revoke_key(office: Office, key: str) -> Revoked:
    """Revoke a product key, and with it every grant that was drawn on it, in a new catalogue.

    Args:
        key: key id or product key.
    Raises: `key/id`, `publisher/unknown-key`, `publisher/kind`.
    """
    with office.alone() as now:
        with office.view() as reader:
            issued = reading.find_key(reader, office.publisher.id, key)
            name = issued.key_id.text
            if issued.key_id.kind is Kind.SETUP:
                raise error("publisher/kind", key=name, kind=issued.key_id.kind.text)
            if issued.revoked is not None:
                version = tables.documents.newest_catalogue(reader).version
                return Revoked(False, version, key=name)
            ground = read_ground(reader, now)
        grants: list[str] = []
        hosts: set[str] = set()
        machines: list[str] = []

        def act(tx: Transaction) -> Deed:
            tables.keys.revoke_key(tx, name, rules.today(now))
            drawn = tables.grants.grants(tx, key=name)
            activated = tables.pools.machines(tx, key=name)
            grants.extend(grant.jti for grant in drawn)
            grants.extend(machine.jti for machine in activated)
            hosts.update(grant.hw for grant in drawn if grant.revoked is None)
            machines.extend(machine.jti for machine in activated if machine.revoked is None)
            drawn_on = {"hosts": len(hosts), "machines": len(machines)}
            return Deed(Event.KEY_REVOKE, name, drawn_on)

        version = sign_next(office, now, ground, act)
    return Revoked(True, version, tuple(grants), key=name, hosts=len(hosts), machines=len(machines))


def limit_key(
    office: Office, key: str, hosts: int | None, activations: int | None, reason: str
) -> LimitChange:
    """Allow a host key another number of hosts, or of activations on each of them; audited.

    Args:
        key: key id or product key.
        hosts: hosts that the key enrols from now on, 1 to `LARGEST_LIMIT`; None leaves the number.
        activations: host signing keys on one host, likewise.
        reason: for the audit log; not empty.
    Returns:
        The key afterwards.
    Raises: `publisher/unknown-key`, `publisher/limit` (no host key, no reason, a number out of
        range), `publisher/limit-used`, `publisher/change-revoked`, `publisher/clock`.
    """
    now = office.now()
    with office.view() as reader:
        issued = reading.find_key(reader, office.publisher.id, key)
    _check_limit(issued, hosts, activations, reason)
    reading.refuse_revoked(issued)
    name = issued.key_id.text
    with office.edit() as tx:
        before = tables.keys.key(tx, issued.key_id) or issued
        old = before.host_limit, before.activation_limit
        new = old[0] if hosts is None else hosts, old[1] if activations is None else activations
        if new == old:
            return LimitChange(False, key_row(before))
        if not tables.keys.limit_key(tx, name, *new):
            seats = [seat for seat in tables.grants.seats(tx, name) if seat.released_at is None]
            raise error(
                "publisher/limit-used",
                key=name,
                hosts=new[0],
                activations=new[1],
                used_hosts=before.hosts,
                used_activations=max((seat.activations for seat in seats), default=0),
            )
        detail = {
            "hosts": {"from": old[0], "to": new[0]},
            "activations": {"from": old[1], "to": new[1]},
            "reason": reason.strip()[:256],
        }
        tables.audit.write(tx, now, office.actor, Event.KEY_LIMIT, name, detail)
        return LimitChange(True, key_row(tables.keys.key(tx, issued.key_id) or before))


def _check_limit(
    issued: IssuedKey, hosts: int | None, activations: int | None, reason: str
) -> None:
    detail = ""
    if issued.key_id.kind is not Kind.HOST:
        detail = f"a {issued.key_id.kind.text} key enrols no hosts"
    elif hosts is None and activations is None:
        detail = "a number of hosts or of activations is missing"
    elif not reason.strip():
        detail = "a change has a reason"
    elif not all(number is None or 1 <= number <= LARGEST_LIMIT for number in (hosts, activations)):
        detail = f"they are 1 to {LARGEST_LIMIT}"
    if detail:
        raise error("publisher/limit", detail=detail)


def register(tx: Transaction, new_keys: Sequence[NewKey], now: int, actor: Who) -> None:
    """Keep keys that were just made, each with its audit row."""
    for new in new_keys:
        tables.keys.add_key(tx, new.issued)
        detail: dict[str, object] = {"group": new.issued.group, "term": new.issued.term}
        if new.issued.product:
            detail["product"] = new.issued.product
        if new.issued.pool:
            detail["pool"] = new.issued.pool
        tables.audit.write(tx, now, actor, Event.KEY_ISSUE, new.issued.key_id.text, detail)
