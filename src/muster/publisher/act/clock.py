"""Says that the clock is right after all, and sets right what was dated while it was ahead.

Obeys docs/spec/13-revocation-and-rotation.md, section 13.3, and 04-grant-function.md, section 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.keys import KeyId
from muster.core.products import day_of
from muster.core.text import instant_text
from muster.core.values import dataclass, replace
from muster.db.engine import Transaction
from muster.lease.grant import GrantValues, confirmation_of, issue_grant
from muster.lease.jws import SigningKey
from muster.lease.trust import TrustKey
from muster.publisher import rules, tables, terms
from muster.publisher.act.signing import Deed, Ground, read_ground, sign_next
from muster.publisher.model import HostGrant, MachineGrant
from muster.publisher.office import Office
from muster.publisher.results import ClockConfirmed, ClockRepaired


def confirm(office: Office, day: int) -> ClockConfirmed:
    """Say that the clock is right, so that acts and activations go on; audited.

    Args:
        day: the day number that the operator reads elsewhere; the clock must show it.
    Raises: `publisher/clock-day`, `publisher/clock` (a date that nothing can be signed with), and
        the errors of writing a file: type it again then.
    """
    with office.lock():
        reading = office.checked.read()
        now = reading.now
        if day != rules.today(now):
            raise error("publisher/clock-day", now=instant_text(now))
        with office.view() as reader:
            found, _ = office.checked.doubt(reader, reading)
        if found is None:
            return ClockConfirmed(False, now)
        detail = {"evidence": found.newest.what, "of": found.newest.at}
        with office.edit() as tx:
            tables.audit.write(
                tx, now, office.actor, Event.CLOCK_CONFIRM, instant_text(now), detail
            )
        office.checked.confirm(reading)
    return ClockConfirmed(True, now)


@dataclass(frozen=True, slots=True)
class _Signer:
    """A grant key that is open, and its index in trust."""

    key: SigningKey
    index: int


def repair(office: Office) -> ClockRepaired:
    """Set right what was dated while the clock was ahead, now that it is right; uses no activation.

    Grants that begin in the future are signed again from today, with the same licence id and term;
    hosts and machines get them when they ask again. Revocations of the future count from today,
    and a catalogue of the future is followed by one of now.

    Raises: `publisher/clock` (the clock is still in doubt), `publisher/no-key`, and the errors of
        opening key files.
    """
    with office.alone() as now:
        today = rules.today(now)
        with office.view() as reader:
            ground = read_ground(reader, now)
            ahead: list[HostGrant | MachineGrant] = [
                *tables.grants.grants_after(reader, today),
                *tables.pools.machines_after(reader, today),
            ]
            revoked = tables.documents.revoked_after(reader, today)
        if not ahead and not revoked and ground.catalogue.iat <= now + rules.CLOCK_SLACK:
            return ClockRepaired(False, (), 0, 0, ground.catalogue.version)
        signers = _signers(office, ground, ahead, now)
        hosts: list[str] = []
        machines: list[str] = []

        def act(tx: Transaction) -> Deed:
            drawn: list[HostGrant | MachineGrant] = [
                *tables.grants.grants_after(tx, today),
                *tables.pools.machines_after(tx, today),
            ]
            for grant in drawn:
                if grant.kid not in signers:
                    raise error("publisher/changed")
                fresh = _redated(office, ground, grant, signers[grant.kid], now)
                detail = {"from": grant.day, "key": grant.key, "to": today}
                tables.audit.write(tx, now, office.actor, Event.GRANT_REDATE, grant.jti, detail)
                if isinstance(fresh, HostGrant):
                    tables.grants.redate_grant(tx, fresh)
                    hosts.append(fresh.jti)
                else:
                    tables.pools.redate_machine(tx, fresh)
                    machines.append(fresh.jti)
            for name, day in tables.documents.revoked_after(tx, today):
                detail = {"from": day, "to": today}
                tables.audit.write(tx, now, office.actor, Event.REVOCATION_REDATE, name, detail)
            tables.documents.revoke_by(tx, today)
            return Deed(Event.CATALOGUE_SIGN, str(ground.catalogue.version + 1), {})

        version = sign_next(office, now, ground, act)
    return ClockRepaired(True, tuple(hosts), len(machines), len(revoked), version)


def _signers(
    office: Office, ground: Ground, grants: Sequence[HostGrant | MachineGrant], now: int
) -> dict[str, _Signer]:
    """Who signs again what each key signed: itself while it may, so that whoever holds an older
    trust understands the digits; else the newest."""
    signers: dict[str, _Signer] = {}
    known = {entry.key.kid: entry for entry in ground.trust.keys}
    for kid in {grant.kid for grant in grants}:
        entry: TrustKey | None = known.get(kid)
        if entry is None or not rules.may_sign(entry, rules.today(now)):
            entry = terms.signer_of(ground.trust, now)
        with office.view() as reader:
            record = tables.documents.key_file(reader, entry.key.kid)
        assert entry.index is not None
        signers[kid] = _Signer(office.vault.signing_key(record, entry.key), entry.index)
    return signers


def _redated(
    office: Office,
    ground: Ground,
    grant: HostGrant | MachineGrant,
    signer: _Signer,
    now: int,
) -> HostGrant | MachineGrant:
    """The same licence from today."""
    key_id = KeyId.parse(grant.key)
    day = day_of(now)
    text = issue_grant(
        GrantValues(
            publisher=office.publisher.id,
            key_id=key_id,
            binding=grant.binding,
            hw=grant.hw if isinstance(grant, HostGrant) else None,
            term=grant.term,
            day=day,
            group=ground.catalogue.group_numbered(key_id.group),
        ),
        signer.key,
    )
    return replace(
        grant,
        day=day,
        kid=signer.key.public.kid,
        grant=text,
        confirmation=confirmation_of(text, signer.index).text,
        first_at=min(grant.first_at, now),
        last_at=min(grant.last_at, now),
    )
