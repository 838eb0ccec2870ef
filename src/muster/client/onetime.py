"""One-time activation of a machine: installation ID out, grant or digits in. Pure.

Decides what a machine reads out, and what it keeps of an answer: nothing before the grant that came
or was rebuilt has passed every step of `muster.lease.verify` for this machine and its installed
key. All channels end here: online, reply file, QR code, telephone. Refuses to know which it was.
Obeys docs/spec/04-grant-function.md, section 4.4, and 10-licence-states.md, section 10.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from muster.client import bound, conversion, schedule
from muster.client.authority import Authority, authority
from muster.client.judge import (
    EVALUATION,
    Verdict,
    binding_in,
    evaluate,
    is_activation,
    verify_stored,
)
from muster.client.model import Memory, ProductRecord
from muster.core.audit import Event as Audit
from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.errors import MusterError
from muster.core.identity import Fact, commitments
from muster.core.ids import ConfirmationId, InstallationId, make_installation_id
from muster.core.keys import KeyId, Kind
from muster.core.products import DAY, KeyGroup, Product
from muster.core.states import LicenceEvent, LicenceState, step
from muster.core.text import instant_text
from muster.core.values import replace
from muster.lease import strict
from muster.lease.bundle import ActivationBundle, read_activation_bundle
from muster.lease.catalogue import Catalogue
from muster.lease.descriptor import Descriptor
from muster.lease.grant import read_claims, rebuild_grant
from muster.lease.jws import parse
from muster.lease.verify import VerifiedLicence

KINDS = (Kind.MAK, Kind.EVALUATION, Kind.RETAIL)
"""Kinds of keys that activate one machine once."""
Proofs = Callable[[], Mapping[str, bytes]]
"""Reads the proof keys of installed keys, by key id; only the owner of a store may."""
SHORTEST_EVALUATION = 90 * DAY
"""Seconds that an evaluation lasts at least (docs/spec/11-pools.md, section 11.1): what a key gives
is not known before it is activated."""
LOOK_AGAIN = DAY
"""Seconds after which an activated machine that knows its publisher asks for news."""


def is_one_time(key: str) -> bool:
    """Whether a key id, as text, is of a key that activates a machine once."""
    return bool(key) and KeyId.parse(key).kind in KINDS


def is_done(verdict: Verdict) -> bool:
    """Whether the licence that runs is the activation of the key that is installed."""
    licence, record = verdict.licence, verdict.record
    return licence is not None and record is not None and licence.key == record.key


def is_waiting(verdict: Verdict) -> bool:
    """Whether the key that is installed activates this machine once, and never did.

    A licence of that key that is no longer worth anything does not make it wait again.
    """
    record = verdict.record
    if record is None or not is_one_time(record.key) or is_done(verdict):
        return False
    if not is_activation(record.licence):
        return True
    bundle = read_activation_bundle(record.licence.encode("utf-8"))
    return read_claims(parse(bundle.grant, strict.SMALL, "grant")).key != record.key


def installation_id(
    descriptor: Descriptor, memory: Memory, facts: Sequence[Fact], now: int, proofs: Proofs
) -> InstallationId:
    """What this machine reads out for its installed key: 12 groups of digits.

    The same hardware and key give the same ID after a reinstall, but for the trust version that the
    machine holds, which the first group tells.

    Args:
        proofs: the proof keys that the store keeps; read only where one is needed.
    Raises: `client/no-key`, `client/no-one-time-key`, `client/no-proof-key`, what reading raises;
        as `check_worth`: a publisher uses an activation for whoever shows an ID.
    """
    record = _waiting(descriptor, memory)
    proof = proofs().get(record.key)
    if proof is None:
        raise error("client/no-proof-key", product=record.product, masked=record.masked)
    key_id = KeyId.parse(record.key)
    held = authority(descriptor, memory, now)
    check_worth(descriptor, memory, facts, held, now)
    return make_installation_id(
        held.trust.version,
        key_id,
        bound.binding_of(memory, record.key, memory.salts[record.key], facts),
        None,
        proof,
    )


def check_waiting(descriptor: Descriptor, memory: Memory) -> None:
    """Refuse where no key is installed that activates the product once.

    Raises: `client/not-added`, `client/no-key`, `client/no-one-time-key`.
    """
    _waiting(descriptor, memory)


def _waiting(descriptor: Descriptor, memory: Memory) -> ProductRecord:
    """The record of a product whose installed key activates it once."""
    name = descriptor.product.id
    record = memory.product(name)
    if record is None:
        raise error("client/not-added", product=name)
    if not record.key:
        raise error("client/no-key", product=name)
    if not is_one_time(record.key) or record.key not in memory.salts:
        raise error("client/no-one-time-key", product=name, masked=record.masked)
    return record


def rebuilt(
    descriptor: Descriptor,
    memory: Memory,
    facts: Sequence[Fact],
    confirmation: ConfirmationId,
    now: int,
) -> str:
    """The grant that digits stand for on this machine, as compact JWS.

    Raises: `client/no-key`, `client/no-one-time-key`, `confirmation/key`,
        `confirmation/signature`, `descriptor/group`.
    """
    record = _waiting(descriptor, memory)
    key_id = KeyId.parse(record.key)
    salt = memory.salts[record.key]
    return rebuild_grant(
        confirmation,
        memory.publisher,
        key_id,
        bound.binding_of(memory, record.key, salt, facts),
        None,
        descriptor.group_numbered(key_id.group),
        authority(descriptor, memory, now).trust,
    )


def accept(
    descriptor: Descriptor,
    memory: Memory,
    facts: Sequence[Fact],
    grant: str,
    now: int,
    channel: str,
) -> tuple[Memory, VerifiedLicence]:
    """Keep the grant of this machine, if it is that.

    Args:
        grant: compact JWS, from anywhere.
        channel: through which it came, for the history.
    Raises: of the step that fails; `client/other-key` (of a key that is not the installed one),
        `client/better-licence`, `client/longer-evaluation`, `client/conversion-…`.
    """
    record = _waiting(descriptor, memory)
    held = authority(descriptor, memory, now)
    if held.fault is not None:
        raise held.fault
    text = ActivationBundle(grant).encode().decode("utf-8")
    licence = verify_stored(descriptor, memory, text, held, facts, now)
    memory = remember(memory, licence.key, text, facts)
    if licence.key != record.key:
        raise error("client/other-key", key=licence.key)
    evaluated = licence.kind == EVALUATION
    running = _running(descriptor, memory, facts, held, now) if evaluated else None
    if running is not None and running.kind != EVALUATION:
        raise error("client/better-licence", kind=running.kind)
    if running is not None and licence.expires is not None:
        refuse_shorter(running, licence.expires)
    check_conversion(descriptor.product, KeyId.parse(record.key), descriptor.groups, held.catalogue)
    event = LicenceEvent.EVALUATION_ACCEPTED if evaluated else LicenceEvent.ACTIVATION_ACCEPTED
    state = step(LicenceState.UNLICENSED if evaluated else record.state, event)
    if record.licence != licence.text:
        memory = memory.noted(
            now, Audit.CLIENT_LICENCE_ACCEPT, record.product, f"{licence.kind} by {channel}"
        )
    record = replace(
        record,
        state=state,
        since=min(licence.issued, now),
        licence=licence.text,
        nonce="",
        next_attempt=now + LOOK_AGAIN,
        scheduled=now,
        failures=0,
        failure=None,
        aside=(),
    )
    memory = replace(memory, clock_mark=held.clock_mark)
    return memory.with_product(record), licence


def remember(memory: Memory, key: str, licence: str, facts: Sequence[Fact]) -> Memory:
    """The memory, knowing the fact to which a verified activation is bound."""
    salt = memory.salts[key]
    _, fact = bound.binding_like(memory, key, salt, facts, binding_in(licence))
    return bound.remembered(memory, key, fact)


def check_worth(
    descriptor: Descriptor, memory: Memory, facts: Sequence[Fact], held: Authority, now: int
) -> None:
    """Refuse a key whose activation would be refused here: before anything is used for it.

    Raises: as `check_conversion` and `refuse_worse`.
    """
    key = KeyId.parse(_waiting(descriptor, memory).key)
    if key.kind is Kind.EVALUATION:
        refuse_worse(descriptor, memory, facts, held, now, key)
    check_conversion(descriptor.product, key, descriptor.groups, held.catalogue)


def refuse_worse(
    descriptor: Descriptor,
    memory: Memory,
    facts: Sequence[Fact],
    held: Authority,
    now: int,
    key: KeyId,
) -> None:
    """An evaluation never takes a better licence away, nor one of another key that may be longer.

    Args:
        key: an evaluation key.
    Raises: `client/better-licence`, `client/longer-evaluation`.
    """
    licence = _running(descriptor, memory, facts, held, now)
    if licence is None:
        return
    if licence.kind != EVALUATION:
        raise error("client/better-licence", kind=licence.kind)
    if licence.key != key.text:
        refuse_shorter(licence, now + SHORTEST_EVALUATION)


def refuse_shorter(running: VerifiedLicence, end: int) -> None:
    """Refuse an evaluation that may end at `end` (Unix seconds) where one runs that ends later.

    Raises: `client/longer-evaluation`.
    """
    if running.expires is not None and running.expires > end:
        days = SHORTEST_EVALUATION // DAY
        raise error("client/longer-evaluation", until=instant_text(running.expires), days=days)


def _running(
    descriptor: Descriptor, memory: Memory, facts: Sequence[Fact], held: Authority, now: int
) -> VerifiedLicence | None:
    fingerprint = commitments(memory.identity.salt, facts)
    return evaluate(descriptor, memory, fingerprint, now, held, facts).licence


def shortened(before: VerifiedLicence | None, after: VerifiedLicence | None) -> list[MusterError]:
    """The warning where a full licence took the place of one that would have run longer.

    Whether a key has a term is known when it has been activated: it is said, and how to go back.
    """
    if before is None or after is None or after.expires is None or before.kind == EVALUATION:
        return []
    if before.key == after.key or (before.expires is not None and before.expires <= after.expires):
        return []
    until = "for ever" if before.expires is None else f"until {instant_text(before.expires)}"
    return [error("client/shorter-licence", until=instant_text(after.expires), before=until)]


def check_conversion(
    product: Product, key: KeyId, groups: Sequence[KeyGroup], catalogue: Catalogue | None
) -> None:
    """Whether a build may become what a key stands for.

    That a build is an evaluation is said by its product's channel, never by the key. A full key
    on an evaluation build asks the catalogue's conversions from that product to the products that
    the key stands for: of its group and of all that it covers, or the one of a setup key. Without
    a catalogue nothing is known, and nothing refused: it is looked up before anything is drawn.

    Raises: `client/conversion-refused`, `client/conversion-unsupported` with the supported way.
    Source: docs/spec/10-licence-states.md, section 10.5.
    """
    if product.channel != "evaluation" or key.kind is Kind.EVALUATION or catalogue is None:
        return
    targets = {
        item.id for item in conversion.of_key(key, groups, catalogue) if item.id != product.id
    }
    rules = [
        rule
        for rule in catalogue.conversions
        if rule.source == product.id and rule.target in targets
    ]
    if any(rule.rule == "allowed" for rule in rules):
        return
    for rule in rules:
        if rule.rule == "unsupported":
            raise error(
                "client/conversion-unsupported",
                source=product.id,
                target=rule.target,
                way=rule.way.rstrip(". ") or "install the full edition afresh",
            )
    target = rules[0].target if rules else ", ".join(sorted(targets)) or "a full edition"
    way = (rules[0].way.rstrip(". ") if rules else "") or "the publisher does not offer it"
    raise error("client/conversion-refused", source=product.id, target=target, way=way)


def after_failure(
    record: ProductRecord, now: int, code: str, uptime: int | None, dice: Dice
) -> ProductRecord:
    """The record after a try that brought nothing: asked again within 15 minutes to 4 hours, and
    sooner while the machine starts and its network is not up yet.

    Args:
        code: of the error that ended the try.
        uptime: seconds since the machine started, None where unknown.
    """
    soon = schedule.soon_after_boot(now, uptime, (code,), dice)
    if soon is not None:
        return replace(record, next_attempt=soon, scheduled=now, last_attempt=now)
    failures = record.failures + 1
    wait = min(schedule.SHORTEST << min(failures - 1, 8), schedule.LONGEST_UNSIGNED)
    return replace(
        record, failures=failures, next_attempt=now + wait, scheduled=now, last_attempt=now
    )
