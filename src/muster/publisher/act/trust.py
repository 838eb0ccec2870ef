"""Signs trust: rotates keys with the working root, recovers with the reserve root."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.values import dataclass, replace
from muster.lease.jws import PublicKey, SigningKey
from muster.lease.trust import (
    CATALOGUE_ROLE,
    GRANT_ROLE,
    MAX_DAY,
    Trust,
    TrustClaims,
    TrustKey,
    follow,
    make_trust,
)
from muster.publisher import reading, rules, tables
from muster.publisher.act.signing import kids, sign_catalogue, signed_by
from muster.publisher.model import HostGrant, KeyFileRecord, MachineGrant, SignedText
from muster.publisher.office import Office
from muster.publisher.results import TrustSigned, trust_version
from muster.publisher.vault import RESERVE, ROOT


@dataclass(frozen=True, slots=True)
class _Signed:
    """The newest trust after it was signed; `again` grants are no longer accepted."""

    trust: Trust
    catalogue: int
    again: int

    def result(self) -> TrustSigned:
        """As it is told."""
        return TrustSigned(True, trust_version(self.trust), self.catalogue, self.again)


@dataclass(frozen=True, slots=True)
class _Step:
    """What the next version of trust is to be: new keys of `roles`, the old ones of which may sign
    `until` a day, or not at all (None)."""

    version: int
    roots: tuple[PublicKey, PublicKey]
    roles: Sequence[str]
    until: int | None
    retired_too: bool = False


def rotate(
    office: Office,
    roles: Sequence[str],
    *,
    keep_days: int = 0,
    withdraw: bool = False,
    withdraw_retired: bool = False,
    root: Path | None = None,
) -> TrustSigned:
    """Sign the next trust version with the working root: a new key for each role named.

    Args:
        roles: grant, catalogue, or both.
        keep_days: days that the old keys may still sign; 0 = they are retired at the end of
            today. What a retired key signed stays good.
        withdraw: drop the old keys instead: everything that they signed refuses.
        withdraw_retired: drop the keys of these roles that were retired earlier as well.
        root: file of the working root, where it is not in the store.
    Raises: `publisher/key-away`, `publisher/wrong-key`, `publisher/trust-full`,
        `publisher/clock`.
    """
    with office.alone() as now:
        with office.view() as reader:
            newest = reading.newest_trust(reader)
        signer = _root(office, newest.roots[0], root)
        step = _Step(
            newest.version + 1,
            newest.roots,
            roles,
            until=None if withdraw else rules.today(now) + keep_days,
            retired_too=withdraw_retired,
        )
        return _sign_trust(office, now, newest, signer, step).result()


def recover(
    office: Office,
    reserve: Path,
    version: int | None = None,
    *,
    roles: Sequence[str] = (),
    withdraw: bool = False,
    new_root: bool = False,
    new_reserve: Path | None = None,
) -> TrustSigned:
    """Sign a higher trust version with the reserve root, after the working root was lost or
    stolen.

    Args:
        reserve: file of the reserve root.
        version: any above the newest, and above what a thief published; newest + 1 by default.
        roles: working keys to make again.
        withdraw: drop the old ones of these roles instead of retiring them today.
        new_root: make a new working root.
        new_reserve: make a new reserve root in this file too; needs `new_root`. A further
            version, signed by the new working root, follows at once, because a descriptor can
            only pin a version that one of its own roots signed.
    Raises: `publisher/trust-step`, `publisher/key-away`, `publisher/wrong-key`,
        `publisher/reserve-inside`, `keyfile/exists`.
    """
    with office.alone() as now:
        with office.view() as reader:
            newest = reading.newest_trust(reader)
        wanted = newest.version + 1 if version is None else version
        if not newest.version < wanted < 2**53 - 1:
            raise error("publisher/trust-step", version=wanted, newest=newest.version)
        if new_reserve is not None:
            if office.folder.resolve() in new_reserve.resolve().parents:
                raise error("publisher/reserve-inside")
            if new_reserve.exists():
                raise error("keyfile/exists", path=str(new_reserve))
        signer = _root(office, newest.roots[1], reserve)
        records: list[KeyFileRecord] = []
        roots = newest.roots
        root: SigningKey | None = None
        if new_root:
            root = _new_key(office, ROOT, now, records)
            roots = (root.public, roots[1])
            if new_reserve is not None:
                roots = (root.public, _new_key(office, RESERVE, now, records, new_reserve).public)
        day = rules.today(now)
        step = _Step(wanted, roots, roles, until=None if withdraw else day)
        result = _sign_trust(office, now, newest, signer, step, records)
        if root is not None and roots[1] != newest.roots[1]:
            step = _Step(wanted + 1, roots, (), until=day)
            signed = _sign_trust(office, now, result.trust, root, step)
            result = replace(signed, again=result.again)
        return result.result()


def _root(office: Office, public: PublicKey, path: Path | None) -> SigningKey:
    with office.view() as reader:
        record = tables.documents.key_file(reader, public.kid)
    return office.vault.signing_key(record, public, path)


def _new_key(
    office: Office, role: str, now: int, records: list[KeyFileRecord], path: Path | None = None
) -> SigningKey:
    with office.view() as reader:
        used = tables.documents.key_numbers(reader, role)
    number = rules.next_index(used) if role == GRANT_ROLE else max(used, default=0) + 1
    record, key = office.vault.make_key(role, number, office.dice.token(32), now, path)
    records.append(record)
    return key


def _sign_trust(
    office: Office,
    now: int,
    newest: Trust,
    signer: SigningKey,
    step: _Step,
    records: Sequence[KeyFileRecord] = (),
) -> _Signed:
    with office.view() as reader:
        _, catalogue = reading.newest_documents(reader)
    iat = rules.stamp(now, max(newest.iat, catalogue.iat))
    day = rules.today(now)
    new_records = list(records)
    # Judged before any key is made, with what will be in the new version.
    rules.next_keys(
        newest.keys,
        [TrustKey(signer.public, role) for role in step.roles],
        day,
        step.until,
        retired_too=step.retired_too,
    )
    fresh: dict[str, SigningKey] = {}
    entries: list[TrustKey] = []
    for role in step.roles:
        fresh[role] = _new_key(office, role, now, new_records)
        index = new_records[-1].number if role == GRANT_ROLE else None
        entries.append(TrustKey(fresh[role].public, role, index))
    text = make_trust(
        TrustClaims(
            issuer=newest.issuer,
            label=newest.label,
            name=newest.name,
            version=step.version,
            iat=iat,
            roots=step.roots,
            keys=rules.next_keys(
                newest.keys,
                entries,
                day,
                min(step.until, MAX_DAY) if step.until is not None else None,
                retired_too=step.retired_too,
            ),
        ),
        signer,
    )
    trust = follow(newest, text)
    with office.edit() as tx:
        if tables.documents.newest_trust(tx).version != newest.version:
            raise error("publisher/changed")
        tables.documents.add_trust(tx, SignedText(step.version, iat, text))
        for record in new_records:
            tables.documents.add_key_file(tx, record)
        detail: dict[str, object] = {
            "signer": signer.public.kid,
            "roots": kids(step.roots),
            "keys": [key.key.kid for key in trust.keys],
        }
        if CATALOGUE_ROLE in fresh:
            # The newest catalogue is never signed by a key that was withdrawn.
            signed = sign_catalogue(
                trust,
                catalogue.version + 1,
                iat,
                reading.content_of(catalogue),
                tables.documents.revocations(tx),
                fresh[CATALOGUE_ROLE],
            )
            tables.documents.add_catalogue(tx, signed)
            detail |= signed_by(signed, fresh[CATALOGUE_ROLE])
        tables.audit.write(tx, now, office.actor, Event.TRUST_SIGN, str(step.version), detail)
        drawn: list[HostGrant | MachineGrant] = [
            *tables.grants.grants(tx),
            *tables.pools.machines(tx),
        ]
        again = sum(
            1
            for grant in drawn
            if grant.revoked is None
            and rules.accepts_signature(newest, grant.kid, grant.day)
            and not rules.accepts_signature(trust, grant.kid, grant.day)
        )
        newest_catalogue = tables.documents.newest_catalogue(tx).version
    return _Signed(trust, newest_catalogue, again)
