"""Revokes and releases hosts, and puts ceilings on what they may lease."""

from __future__ import annotations

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.db.engine import Reader, Transaction
from muster.lease.terms import Ceiling
from muster.publisher import reading, rules, tables, terms
from muster.publisher.act.signing import Deed, read_ground, sign_next
from muster.publisher.model import HostGrant
from muster.publisher.office import Office
from muster.publisher.results import Revoked, TermsIssued, TermsShown
from muster.wire.exchange import ReplyFile
from muster.wire.publisher import TRUST_STEPS, ConfirmAnswer


def revoke_host(office: Office, host: str) -> Revoked:
    """Revoke the grants of a host in a new catalogue; its seat stays taken.

    Args:
        host: a licence id, which names one grant, or a hardware id, which names all of one
            machine.
    Raises: `publisher/unknown-host`.
    """
    return _revoke(office, host, release=False)


def release_host(office: Office, host: str) -> Revoked:
    """Free the seat of a host, and revoke all its grants in the same new catalogue.

    Args:
        host: its hardware id, or the licence id of one of its grants.
    Raises: `publisher/unknown-host`.
    """
    return _revoke(office, host, release=True)


def _revoke(office: Office, host: str, *, release: bool) -> Revoked:
    with office.alone() as now:
        with office.view() as reader:
            named = tables.grants.grants(reader, host=host)
            if not named:
                raise error("publisher/unknown-host", host=host[:64])
            key, hw = named[0].key, named[0].hw
            if release:
                named = tuple(
                    grant for grant in tables.grants.grants(reader, key=key) if grant.hw == hw
                )
            seat = tables.grants.seat(reader, key, hw)
            open_grants = [grant for grant in named if grant.revoked is None]
            held = release and seat is not None and seat.released_at is None
            if not open_grants and not held:
                version = tables.documents.newest_catalogue(reader).version
                return Revoked(False, version, key=key, hardware=hw)
            ground = read_ground(reader, now)
        revoked: list[str] = []

        def act(tx: Transaction) -> Deed:
            # Read again: a host may have drawn between the two looks.
            fresh = (
                tables.grants.grants(tx, key=key)
                if release
                else tables.grants.grants(tx, host=host)
            )
            for grant in fresh:
                if grant.hw == hw and grant.revoked is None:
                    tables.grants.revoke_grant(tx, grant.key, grant.binding, rules.today(now))
                    revoked.append(grant.jti)
            released = held and tables.grants.release_host(tx, key, hw, now)
            event = Event.HOST_RELEASE if released else Event.HOST_REVOKE
            one_grant = not released and len(revoked) == 1
            subject = revoked[0] if one_grant else hw
            return Deed(event, subject, {"key": key, "hw": hw, "grants": revoked})

        version = sign_next(office, now, ground, act)
    return Revoked(True, version, tuple(revoked), key=key, hardware=hw, hosts=1 if revoked else 0)


def issue_terms(office: Office, host: str, ceiling: Ceiling) -> TermsIssued:
    """Put a ceiling on a host's grant; the terms, and the reply file that carries them.

    Terms that say the same as the newest ones are given again; nothing is signed then.

    Args:
        host: the licence id of its grant, or its hardware id where that names one grant.
        ceiling: what they say.
    Raises: `publisher/unknown-host`, `publisher/many-hosts`, `publisher/grant-revoked`,
        `publisher/terms-later`, `publisher/no-key`, `terms/claims`.
    """
    with office.alone() as now:
        with office.view() as reader:
            grant = _one_grant(reader, host)
            held = tables.grants.host_terms(reader, grant.jti)
            trust, catalogue = reading.newest_documents(reader)
            entry = terms.signer_of(trust, now)
            record = tables.documents.key_file(reader, entry.key.kid)
        changed = not (
            held is not None
            and terms.still_accepted(held, trust)
            and terms.ceiling_of(held) == ceiling
        )
        issued = held
        if issued is None or changed:
            key = office.vault.signing_key(record, entry.key)
            with office.edit() as tx:
                if tables.documents.newest_trust(tx).version != trust.version:
                    raise error("publisher/changed")
                documents = (trust, catalogue)
                issued = terms.issue(tx, grant, documents, key, now, office.actor, ceiling)
        with office.view() as reader:
            line = tables.documents.trust_above(
                reader, max(0, trust.version - TRUST_STEPS), TRUST_STEPS
            )
        answer = ConfirmAnswer(
            grant=grant.grant,
            confirmation_id=grant.confirmation,
            trust=tuple(version.text for version in line),
            catalogue=catalogue.text,
            terms=issued.text,
        )
    shown = TermsShown(
        changed=changed,
        grant=issued.jti,
        version=issued.version,
        limit=issued.limit,
        over=issued.over,
        agreement=issued.agreement,
        customer=issued.customer,
        max_lease=issued.max_lease,
    )
    return TermsIssued(shown, ReplyFile(office.publisher.id, answer))


def _one_grant(reader: Reader, host: str) -> HostGrant:
    named = tables.grants.grants(reader, host=host)
    if not named:
        raise error("publisher/unknown-host", host=host[:64])
    good = [grant for grant in named if grant.revoked is None]
    if not good:
        raise error("publisher/grant-revoked", jti=named[-1].jti)
    if len(good) > 1:
        raise error("publisher/many-hosts", host=host[:64], count=len(good))
    return good[0]
