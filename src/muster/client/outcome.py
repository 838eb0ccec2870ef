"""What the answer of a host leaves behind: the record of the product, and the identity. Pure.

Decides which fields of a record change by a lease, a refusal or silence, and whether a notice about
a duplicate CMID is heeded. Refuses to know how the answer was got (`muster.client.machine`) and
when exactly a try is due (`muster.client.schedule`). Obeys docs/spec/05-verification.md, section
5.4, and 07-discovery.md, section 7.5.
"""

from __future__ import annotations

from muster.client import identity as identities
from muster.client import schedule
from muster.client.discovery import Address
from muster.client.model import Failure, Identity, ProductRecord
from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.errors import MusterError
from muster.core.states import LicenceEvent, step
from muster.core.values import replace
from muster.lease.verify import VerifiedLicence


def leased(
    record: ProductRecord,
    licence: VerifiedLicence,
    nonce: str,
    *,
    by: Address,
    ip: str,
    now: int,
    dice: Dice,
) -> ProductRecord:
    """The record after a lease was verified.

    Args:
        nonce: of the request that it answers.
        by: the host that gave it; `ip` the address under which that was reached, or "".
    """
    renew_at = now if licence.renew_at is None else licence.renew_at
    return replace(
        record,
        state=step(record.state, LicenceEvent.LEASE_ACCEPTED),
        since=licence.issued,
        licence=licence.text,
        nonce=nonce,
        last_good=by,
        last_ip=ip,
        last_contact=now,
        next_attempt=schedule.renewal(renew_at, licence.expires, now, dice),
        scheduled=now,
        failures=0,
        failure=None,
        aside=(),
        count=licence.count,
        need=licence.need,
    )


def failed(
    record: ProductRecord, fault: MusterError, at: int, now: int, failures: int = 0
) -> ProductRecord:
    """The record after a try without a lease.

    Args:
        fault: why there is none.
        at: the instant of the next try.
        failures: tries in a row in which nobody answered.
    """
    return replace(
        record,
        next_attempt=at,
        scheduled=now,
        failures=failures,
        failure=Failure.of(fault, now),
    )


def heed(
    identity: Identity, publisher: str, boot: str, now: int, dice: Dice, *, meant: bool
) -> identities.Made | MusterError | None:
    """What a verified notice makes of an identity: another one; the error that tells why none is
    taken; None where the notice is not meant for it.

    Args:
        boot: the id of the present boot, "" where the system has none.
        meant: whether the notice says that the CMID is doubled, for the first time in this try.
    """
    fresh = identities.after_notice(identity, publisher, boot, now, dice)
    if fresh is None:
        return error("client/duplicate-explicit", id=identity.given)
    if not meant:
        return None
    if not identities.may_heed_notice(identity, now):
        return error("client/notice-too-soon", cmid=identity.cmid)
    return fresh


def unheeded(fault: MusterError, peer: str) -> MusterError:
    """Why a notice is not heeded: it was unsigned, or its signature or claims are not valid."""
    if fault.code == "client/unsigned-notice":
        return fault
    return error("client/false-notice", peer=peer, code=fault.code)
