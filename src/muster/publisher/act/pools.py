"""Corrects and extends the pools of keys, and revokes what single machines drew on them."""

from __future__ import annotations

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.db.engine import Transaction
from muster.publisher import reading, rules, tables
from muster.publisher.act.signing import Deed, read_ground, sign_next
from muster.publisher.model import IssuedKey
from muster.publisher.office import Office
from muster.publisher.pools import tell_levels
from muster.publisher.results import PoolChange, Revoked, key_row


def correct_pool(office: Office, key: str, count: int, reason: str) -> PoolChange:
    """Give activations back to a pool after a mistake; within the key's limit, audited.

    Args:
        key: key id or product key.
        count: activations, from 1.
        reason: for the audit log; not empty.
    Returns:
        The key afterwards.
    Raises: `publisher/unknown-key`, `publisher/pool` (no pool, no reason, no count),
        `publisher/correction-limit`, `publisher/change-revoked`.
    """
    now, issued = _pool(office, key)
    name = issued.key_id.text
    if count < 1 or not reason.strip():
        raise error("publisher/pool", detail="a correction has a number from 1 and a reason")
    with office.edit() as tx:
        if not tables.pools.correct_pool(tx, name, count):
            fresh = tables.keys.key(tx, issued.key_id) or issued
            raise error(
                "publisher/correction-limit",
                key=name,
                corrected=fresh.corrected,
                limit=fresh.correction_limit,
            )
        detail = {"count": count, "reason": reason.strip()[:256]}
        tables.audit.write(tx, now, office.actor, Event.POOL_CORRECT, name, detail)
        return PoolChange(True, key_row(tables.keys.key(tx, issued.key_id) or issued))


def extend_pool(office: Office, key: str, pool: int) -> PoolChange:
    """Give a pool another size, as a changed agreement says; audited.

    Returns:
        The key afterwards.
    Raises: `publisher/unknown-key`, `publisher/pool`, `publisher/pool-drawn`,
        `publisher/change-revoked`.
    """
    now, issued = _pool(office, key)
    name = issued.key_id.text
    rules.check_pool(issued.key_id.kind, pool, issued.term, issued.alerts)
    with office.edit() as tx:
        before = tables.keys.key(tx, issued.key_id) or issued
        if before.pool == pool:
            return PoolChange(False, key_row(before))
        if not tables.pools.extend_pool(tx, name, pool, rules.correction_limit(pool)):
            raise error("publisher/pool-drawn", key=name, pool=pool, drawn=before.drawn)
        after = tables.keys.key(tx, issued.key_id) or issued
        detail = {"from": before.pool, "to": pool}
        tables.audit.write(tx, now, office.actor, Event.POOL_EXTEND, name, detail)
        tell_levels(tx, before, after, now, office.actor)
        return PoolChange(True, key_row(after))


def _pool(office: Office, key: str) -> tuple[int, IssuedKey]:
    now = office.now()
    with office.view() as reader:
        issued = reading.find_key(reader, office.publisher.id, key)
    if not issued.pool:
        kind = issued.key_id.kind.text
        raise error("publisher/pool", detail=f"a {kind} key has no pool")
    reading.refuse_revoked(issued)
    return now, issued


def revoke_activation(office: Office, jti: str) -> Revoked:
    """Revoke the activation of one machine in a new catalogue; it stays drawn.

    Args:
        jti: its licence id.
    Raises: `publisher/unknown-activation`.
    """
    with office.alone() as now:
        with office.view() as reader:
            grants = tables.pools.machines(reader, jti=jti[:64])
            if not grants:
                raise error("publisher/unknown-activation", jti=jti[:64])
            (grant,) = grants
            if grant.revoked is not None:
                version = tables.documents.newest_catalogue(reader).version
                return Revoked(False, version, (), key=grant.key)
            ground = read_ground(reader, now)

        def act(tx: Transaction) -> Deed:
            tables.pools.revoke_machine(tx, grant.key, grant.binding, rules.today(now))
            return Deed(Event.MACHINE_REVOKE, grant.jti, {"key": grant.key})

        version = sign_next(office, now, ground, act)
    return Revoked(True, version, (grant.jti,), key=grant.key, machines=1)
