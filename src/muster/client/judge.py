"""Whether a product is licensed here, until when, and why not. Pure.

Decides the licence state from what the store remembers, the machine's facts and the time. There
is one way to be licensed: the stored bundle passes every step of `muster.lease.verify`, under
trust that was walked from the caller's own descriptor, each time that somebody asks. Refuses to
know disk and network. Obeys docs/spec/05-verification.md and 10-licence-states.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.client import bound, conversion
from muster.client.authority import Authority, authority
from muster.client.identity import current_identity
from muster.client.model import Memory, ProductRecord
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import Fact, commitments, compare
from muster.core.keys import Kind
from muster.core.products import DAY, SKEW, Product, day_start
from muster.core.states import LicenceEvent, LicenceState, step
from muster.core.text import instant_text
from muster.core.values import dataclass, replace
from muster.lease import strict
from muster.lease.bundle import read_activation_bundle, read_bundle
from muster.lease.descriptor import Descriptor
from muster.lease.grant import read_claims
from muster.lease.jws import parse
from muster.lease.steps import WIND_DOWN, Expected, effective_now
from muster.lease.verify import (
    GRANT_STEPS,
    VerifiedLicence,
    steps_for,
    verify_activation,
    verify_lease,
)

STALE_CATALOGUE = 400 * DAY
"""A catalogue older than this is worth a warning, never a stop."""

_UNSET = "client/clock-unset"
_EVENTS = {
    "licence/expired": LicenceEvent.LEASE_LAPSED,
    "licence/revoked": LicenceEvent.LEASE_LAPSED,
    "licence/fingerprint": LicenceEvent.HARDWARE_CHANGED,
    "licence/machine": LicenceEvent.HARDWARE_CHANGED,
    "client/fact-unreadable": LicenceEvent.HARDWARE_CHANGED,
    "client/other-machine": LicenceEvent.HARDWARE_CHANGED,
    "client/clock-behind": LicenceEvent.CLOCK_BEHIND,
    _UNSET: LicenceEvent.CLOCK_UNSET,
    "licence/clock": LicenceEvent.CLOCK_BEHIND,
}
"""What the failure of a stored licence means for its state; anything else: VALIDATION_FAILED.

That the host of a lease is revoked shortens the lease, whose end is LEASE_LAPSED.
"""
_ACTIVATION_EVENTS = {
    "licence/expired": LicenceEvent.LEASE_LAPSED,
    "licence/revoked": LicenceEvent.GRANT_REVOKED,
    "licence/machine": LicenceEvent.HARDWARE_CHANGED,
    "client/fact-unreadable": LicenceEvent.HARDWARE_CHANGED,
    "licence/clock": LicenceEvent.CLOCK_BEHIND,
}
"""The same for an activation; an evaluation that has ended is GRACE_ENDED."""
_HOLDS_LICENCE = (LicenceState.LICENSED, LicenceState.EXTENDED_GRACE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a product is told.

    `until` is the end of the licence or of the running grace, None where there is none (for ever,
    or no grace); `licence` is set exactly while `licensed`; `problem` says why there is no
    licence; `warnings` what should be looked at though there is one. `record` is the store's with
    state and since brought up to date, None where the product was not added.
    """

    product: Product
    publisher: str
    state: LicenceState
    since: int
    until: int | None
    licence: VerifiedLicence | None
    fault: MusterError | None
    warnings: tuple[MusterError, ...]
    authority: Authority
    record: ProductRecord | None

    @property
    def licensed(self) -> bool:
        """Whether a verified licence runs."""
        return self.licence is not None


def evaluate(
    descriptor: Descriptor,
    memory: Memory | None,
    fingerprint: tuple[str, ...],
    now: int,
    held: Authority | None = None,
    facts: Sequence[Fact] = (),
    verified: VerifiedLicence | None = None,
) -> Verdict:
    """Judge one product.

    Args:
        descriptor: the caller's own anchor.
        memory: the store's content for the publisher, or None where there is none.
        fingerprint: commitments of the machine's facts under the store's salt.
        now: the local clock.
        held: what `authority` gives for the same memory and time, where the caller has it.
        facts: of this machine, for the binding of an activation.
        verified: a lease that was verified for this machine in this try, under `held`; where it is
            the stored one, it is not verified again.
    Raises:
        Nothing: every outcome is a verdict.
    """
    if held is None:
        held = authority(descriptor, memory, now)
    record = None if memory is None else memory.product(descriptor.product.id)
    if memory is None or record is None:
        missing = error("client/not-added", product=descriptor.product.id)
        return _verdict(descriptor, held, LicenceState.UNLICENSED, now, None, missing, None)
    licence: VerifiedLicence | None = verified
    fault: MusterError | None = None
    if verified is None or verified.text != record.licence or held.fault is not None:
        licence, fault = _examine(descriptor, memory, record, held, fingerprint, now, facts)
    record = _begun(record, descriptor.trust.iat, now)
    state, since = _state(descriptor.product, record, licence, fault, held, now)
    if licence is None and (fault is None or not record.licence):
        fault = _reason(record, fault)
    if fault is None or fault.code != _UNSET:
        # What is judged by a clock that is not set is told, and not remembered.
        record = replace(record, state=state, since=since)
    return _verdict(descriptor, held, state, since, licence, fault, record)


def _is_set(instant: int, born: int) -> bool:
    """Whether an instant can be one of a clock that is set: not before the descriptor's trust.

    Args:
        instant: of a clock of this machine.
        born: when that trust was signed; hours of skew are forgiven.
    """
    return instant >= born - SKEW


def _begun(record: ProductRecord, born: int, now: int) -> ProductRecord:
    """The record with a first grace that begins when the clock is set.

    A board without a battery sets its products up in 1970; when the clock is right the grace would
    have been over for decades.
    Source: docs/spec/10-licence-states.md, section 10.4.
    """
    if not _is_set(now, born) or _is_set(record.added, born):
        return record
    if record.state is LicenceState.INITIAL_GRACE and not _is_set(record.since, born):
        return replace(record, added=now, since=now)
    return replace(record, added=now)


def copied(memory: Memory, fingerprint: tuple[str, ...]) -> bool:
    """Whether the store was made on another machine: its facts contradict this machine's.

    Facts that this user may not read make a fingerprint smaller; that alone is no contradiction.
    Source: docs/spec/01-identities.md, section 1.6.3.
    """
    made_on = memory.identity.made_on
    if memory.identity.mode == "explicit" or not made_on or not fingerprint:
        return False
    compared = compare(made_on, fingerprint)
    return compared.comparable and not compared.same


def _examine(
    descriptor: Descriptor,
    memory: Memory,
    record: ProductRecord,
    held: Authority,
    fingerprint: tuple[str, ...],
    now: int,
    facts: Sequence[Fact],
) -> tuple[VerifiedLicence | None, MusterError | None]:
    """The verified licence of a record, or why there is none."""
    if is_activation(record.licence):
        # Bound to one fact of the hardware, not to the fingerprint of the store.
        if held.fault is not None:
            return None, held.fault
        try:
            return verify_stored(descriptor, memory, record.licence, held, facts, now), None
        except MusterError as fault:
            return None, fault
    if copied(memory, fingerprint):
        detail = compare(memory.identity.made_on, fingerprint).text
        return None, error("client/other-machine", detail=detail)
    if held.fault is not None:
        return None, held.fault
    if not record.licence:
        return None, None
    expected = Expected(
        descriptor=descriptor,
        trust=held.trust,
        now=now,
        catalogue=held.catalogue,
        cmid=memory.identity.cmid,
        identity=memory.identity.mode,
        nonce=record.nonce,
        fingerprint=fingerprint,
        clock_mark=held.clock_mark,
    )
    if descriptor.product.channel == conversion.EVALUATION:
        leased = conversion.as_leased(descriptor, record.licence, held.catalogue)
        expected = replace(expected, descriptor=leased)
    try:
        return verify_lease(record.licence.encode("utf-8"), expected), None
    except MusterError as fault:
        if fault.code == "licence/clock" and now < held.clock_mark - SKEW:
            dates = {"now": instant_text(now), "mark": instant_text(held.clock_mark)}
            if not _is_set(now, descriptor.trust.iat) and _was_good(record, expected):
                return None, error(_UNSET, **dates)
            return None, error("client/clock-behind", **dates)
        return None, fault


def _was_good(record: ProductRecord, expected: Expected) -> bool:
    """Whether a stored lease passes all steps at the clock mark."""
    try:
        verify_lease(record.licence.encode("utf-8"), replace(expected, now=expected.clock_mark))
    except MusterError:
        return False
    return True


def is_activation(licence: str) -> bool:
    """Whether a stored licence is an activation of this one machine, and not a lease."""
    return bool(licence) and steps_for(licence.encode("utf-8")) is GRANT_STEPS


def verify_stored(
    descriptor: Descriptor,
    memory: Memory,
    licence: str,
    held: Authority,
    facts: Sequence[Fact],
    now: int,
) -> VerifiedLicence:
    """Verify an activation bundle for this machine.

    Raises: of the first step that fails; `client/other-key` where the key was never here.
    Source: docs/spec/05-verification.md, section 5.3.
    """
    data = licence.encode("utf-8")
    granted = read_claims(parse(read_activation_bundle(data).grant, strict.SMALL, "grant"))
    key = granted.key
    salt = memory.salts.get(key)
    if salt is None:
        raise error("client/other-key", key=key)
    own, _ = bound.binding_like(memory, key, salt, facts, granted.binding)
    missing = bound.unreadable(memory, key, facts)
    if own != granted.binding and missing:
        raise error("client/fact-unreadable", fact=missing)
    expected = Expected(
        descriptor=descriptor,
        trust=held.trust,
        now=now,
        catalogue=held.catalogue,
        binding=own,
        clock_mark=held.clock_mark,
    )
    return verify_activation(data, expected)


def binding_in(licence: str) -> str:
    """The binding in an activation bundle that was verified before."""
    bundle = read_activation_bundle(licence.encode("utf-8"))
    return read_claims(parse(bundle.grant, strict.SMALL, "grant")).binding


def _state(
    product: Product,
    record: ProductRecord,
    licence: VerifiedLicence | None,
    fault: MusterError | None,
    held: Authority,
    now: int,
) -> tuple[LicenceState, int]:
    """The state now and since when, from the state as last judged.

    Deadlines are judged at the later of clock and clock mark.
    Source: docs/spec/10-licence-states.md, sections 10.2 to 10.4.
    """
    local = now
    now = effective_now(now, held.clock_mark)
    state, since = record.state, min(record.since, now)
    if licence is not None:
        # An evaluation in the store was taken where no better licence ran.
        event = _ACCEPTED.get(licence.kind, LicenceEvent.LEASE_ACCEPTED)
        base = LicenceState.UNLICENSED if licence.kind == EVALUATION else state
        return step(base, event), min(licence.issued, max(now, local))
    if record.licence and fault is not None:
        event = _lost(record, fault)
        if state in _HOLDS_LICENCE:
            # Which of the two is said by the licence that is there.
            evaluated = _grant_kind(record) == EVALUATION
            state = LicenceState.EXTENDED_GRACE if evaluated else LicenceState.LICENSED
        after = step(state, event)
        if after != state:
            dated = event in (LicenceEvent.LEASE_LAPSED, LicenceEvent.GRACE_ENDED)
            began = _ended(record, held, product) if dated else now
            state, since = after, min(began, now)
    elif state in _HOLDS_LICENCE:
        # The store says licensed and holds no licence: it says nothing.
        state, since = step(LicenceState.LICENSED, LicenceEvent.LICENCE_RELEASED), now
    end = grace_end(product, state, since)
    if end is not None and now >= end:
        state, since = step(state, LicenceEvent.GRACE_ENDED), end
    return state, since


EVALUATION = Kind.EVALUATION.text
_ACCEPTED = {
    Kind.MAK.text: LicenceEvent.ACTIVATION_ACCEPTED,
    Kind.RETAIL.text: LicenceEvent.ACTIVATION_ACCEPTED,
    EVALUATION: LicenceEvent.EVALUATION_ACCEPTED,
}


def _lost(record: ProductRecord, fault: MusterError) -> LicenceEvent:
    """What it means for the state that the stored licence fails."""
    if not is_activation(record.licence):
        return _EVENTS.get(fault.code, LicenceEvent.VALIDATION_FAILED)
    if fault.code == "licence/expired" and _grant_kind(record) == EVALUATION:
        return LicenceEvent.GRACE_ENDED
    return _ACTIVATION_EVENTS.get(fault.code, LicenceEvent.VALIDATION_FAILED)


def _grant_kind(record: ProductRecord) -> str:
    """The kind that the stored activation says, "" for a lease and for what cannot be read."""
    if not is_activation(record.licence):
        return ""
    try:
        bundle = read_activation_bundle(record.licence.encode("utf-8"))
        return read_claims(parse(bundle.grant, strict.SMALL, "grant")).kind
    except MusterError:
        return ""


def _ended(record: ProductRecord, held: Authority, product: Product) -> int:
    """When the stored licence ended: by its own word, or earlier because of a revocation."""
    try:
        if is_activation(record.licence):
            alone = read_activation_bundle(record.licence.encode("utf-8"))
            exp = read_claims(parse(alone.grant, strict.SMALL, "grant")).exp
            return record.since if exp is None else exp
        bundle = read_bundle(record.licence.encode("utf-8"))
        lease = parse(bundle.lease, strict.SMALL, "lease").payload
        grant = read_claims(parse(bundle.grant, strict.SMALL, "grant"))
    except MusterError:
        return record.since
    end = lease.get("exp")
    if not isinstance(end, int):
        return record.since
    if held.catalogue is None:
        return end
    named = held.catalogue.revoked(grant.jti, grant.key)
    days = [day for day in (named, held.catalogue.product_revoked(product)) if day is not None]
    return min([end, *(day_start(day) + WIND_DOWN for day in days)])


def grace_end(product: Product, state: LicenceState, since: int) -> int | None:
    """When the running grace ends, or None where none runs."""
    spans = product.spans
    match state:
        case LicenceState.INITIAL_GRACE:
            return since + spans.initial_grace
        case LicenceState.TOLERANCE_GRACE | LicenceState.NON_GENUINE_GRACE:
            return since + spans.tolerance_grace
        case _:
            return None


def _reason(record: ProductRecord, fault: MusterError | None) -> MusterError:
    """Why a record without a licence has none, the most useful reason first."""
    if fault is not None:
        return fault
    if not record.key:
        return error("client/no-key", product=record.product)
    if record.failure is not None:
        return record.failure.error()
    return error("client/not-activated", product=record.product)


def _verdict(
    descriptor: Descriptor,
    held: Authority,
    state: LicenceState,
    since: int,
    licence: VerifiedLicence | None,
    fault: MusterError | None,
    record: ProductRecord | None,
) -> Verdict:
    grace, product = grace_end(descriptor.product, state, since), descriptor.product
    if product.channel == conversion.EVALUATION:
        product = conversion.licensed_as(descriptor, licence, held.catalogue)
    return Verdict(
        product=product,
        publisher=descriptor.publisher,
        state=state,
        since=since,
        until=grace if licence is None else licence.expires,
        licence=licence,
        fault=fault,
        warnings=(),
        authority=held,
        record=record,
    )


def with_warnings(verdict: Verdict, now: int, extra: tuple[MusterError, ...] = ()) -> Verdict:
    """The verdict with what should be looked at: a weak fingerprint, an old catalogue, and so on.

    Args:
        extra: what loading the store had to tell.
    """
    faults = list(extra)
    licence, catalogue = verdict.licence, verdict.authority.catalogue
    if licence is not None and licence.weak_fingerprint:
        faults.append(error("client/weak-fingerprint"))
    if catalogue is not None and now - catalogue.iat > STALE_CATALOGUE:
        days = (now - catalogue.iat) // DAY
        faults.append(error("client/stale-catalogue", version=catalogue.version, days=days))
    if licence is not None and verdict.record is not None:
        failure = verdict.record.failure
        if failure is not None and licence.renew_at is not None and now > licence.renew_at:
            faults.append(
                error("client/renewal-late", code=failure.code, what=failure.what.rstrip("."))
            )
        if catalogue is not None and catalogue.product_revoked(verdict.product) is not None:
            until = instant_text(licence.expires or now)
            faults.append(error("client/revoked-product", product=verdict.product.id, until=until))
        elif _revoked(verdict):
            faults.append(error("client/revoked-host", until=instant_text(licence.expires or now)))
    return replace(verdict, warnings=tuple(faults))


def _revoked(verdict: Verdict) -> bool:
    """Whether the host behind a running lease is revoked: another one must be found in time."""
    licence, catalogue = verdict.licence, verdict.authority.catalogue
    if licence is None or catalogue is None or licence.kind != "lease":
        return False
    return catalogue.revoked(licence.grant_jti, licence.key) is not None


def must_hurry(verdict: Verdict) -> bool:
    """Whether a try should not wait for its time: the licence failed, or its host is revoked."""
    record = verdict.record
    if record is None:
        return False
    return (verdict.licence is None and bool(record.licence)) or _revoked(verdict)


def evaluate_facts(
    descriptor: Descriptor,
    memory: Memory | None,
    facts: Sequence[Fact] | MusterError,
    boot: str,
    now: int,
    loading: tuple[MusterError, ...] = (),
) -> Verdict:
    """Judge one product from the facts of this machine: what status and applications ask.

    Args:
        facts: of this machine now, or why they could not be read; then nothing is licensed.
        boot: the id of the present boot, "" where unknown.
        loading: what loading the store had to tell.
    Raises:
        Nothing.
    """
    unread: MusterError | None = None
    fingerprint: tuple[str, ...] = ()
    if isinstance(facts, MusterError):
        unread = facts
    elif memory is not None:
        try:
            identity = current_identity(memory.identity, memory.publisher, facts, boot)
            memory = replace(memory, identity=identity)
            fingerprint = commitments(identity.salt, facts)
        except MusterError as fault:
            unread = fault
    known = () if isinstance(facts, MusterError) else facts
    verdict = evaluate(descriptor, memory, fingerprint, now, facts=known)
    if unread is not None and verdict.record is not None and verdict.licence is None:
        verdict = replace(verdict, fault=unread)
    return with_warnings(verdict, now, loading)
