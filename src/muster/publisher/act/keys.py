"""Issues and revokes product keys."""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.keys import Kind
from muster.core.values import replace
from muster.db.engine import Transaction
from muster.publisher import reading, rules, tables
from muster.publisher.act.signing import issuer_of, read_ground, sign_next
from muster.publisher.issuer import NewKey
from muster.publisher.model import KeyOrder
from muster.publisher.office import Office
from muster.publisher.results import KeysIssued, Revoked, new_key_row

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

        def act(tx: Transaction) -> None:
            tables.keys.revoke_key(tx, name, rules.today(now))
            tables.audit.write(tx, now, office.actor, Event.KEY_REVOKE, name, {})
            grants.extend(grant.jti for grant in tables.grants.grants(tx, key=name))
            grants.extend(machine.jti for machine in tables.pools.machines(tx, key=name))

        version = sign_next(office, now, ground, act)
    return Revoked(True, version, tuple(grants), key=name)


def register(tx: Transaction, new_keys: Sequence[NewKey], now: int, actor: str) -> None:
    """Keep keys that were just made, each with its audit row."""
    for new in new_keys:
        tables.keys.add_key(tx, new.issued)
        detail: dict[str, object] = {"group": new.issued.group, "term": new.issued.term}
        if new.issued.product:
            detail["product"] = new.issued.product
        if new.issued.pool:
            detail["pool"] = new.issued.pool
        tables.audit.write(tx, now, actor, Event.KEY_ISSUE, new.issued.key_id.text, detail)
