"""Verification: one function of numbered steps that returns a verified licence or raises.

Decides whether bytes license this machine for this product now. What is loaded from disk goes
through it as what came from the network. Refuses to know any clock, file or network: everything
that it judges by stands in `Expected`. Obeys docs/spec/05-verification.md, step by step.

The steps are data. A caller never chooses them; tests leave exactly one out and prove that its
vector is then accepted. Each step reads decoded JSON through accessors of its own, so that none
leans on an earlier one for types.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NoReturn

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import compare, host_binding, weak
from muster.core.products import DAY, SKEW, day_start
from muster.core.text import exact_span_text, instant_text
from muster.lease import claims, grant, lease, notice, strict
from muster.lease.bundle import (
    read_activation_bundle,
    read_bundle,
    read_notice_bundle,
)
from muster.lease.catalogue import MAX_COVERS, MAX_SPAN, Catalogue, still_valid
from muster.lease.claims import Claims
from muster.lease.descriptor import Descriptor
from muster.lease.jws import (
    GRANT_TYP,
    LEASE_TYP,
    NOTICE_TYP,
    Compact,
    PublicKey,
    check_header,
    check_header_form,
    parse,
)
from muster.lease.trust import Trust

EARLY = DAY
"""A lease may be older than its grant by this many seconds: a grant is dated by whole days."""
WIND_DOWN = 30 * DAY
"""Leases of a revoked host or product live on so long after the day of revocation, in seconds."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the caller knows of itself. Everything but the first three may be left out where no
    step of the object needs it; what is left out matches nothing.

    `descriptor` is the caller's own anchor; `trust` was walked from it; `now` is the local clock
    in Unix seconds. `catalogue` the newest verified one, or None. `cmid`, `identity` (mode),
    `nonce` and `fingerprint` (commitments now) are the machine's for a lease or notice; `binding`
    is the machine's for the key of an activation grant. `clock_mark` as `advance_mark` keeps it.
    `fresh`: the answer to a request that waits, not a stored licence.
    """

    descriptor: Descriptor
    trust: Trust
    now: int
    catalogue: Catalogue | None = None
    cmid: str = ""
    identity: str = ""
    nonce: str = ""
    fingerprint: tuple[str, ...] = ()
    binding: str = ""
    clock_mark: int = 0
    fresh: bool = False

    def __post_init__(self) -> None:
        """Trust of another publisher than the descriptor's is a bug of the caller."""
        if self.trust.issuer != self.descriptor.publisher:
            raise ValueError("trust was not walked from this descriptor")

    @property
    def publisher(self) -> str:
        """The publisher id."""
        return self.descriptor.publisher


@dataclass(frozen=True, slots=True)
class VerifiedLicence:
    """A licence that passed every step; only `verify_lease` and `verify_activation` make one.

    Times are Unix seconds, spans seconds. `kind` is "lease", "mak", "evaluation" or "retail".
    `expires` is shortened by a revocation, None = for ever. `weak_fingerprint`: fewer than two
    kinds of facts stand in the lease. `text` is the bundle in canonical form, to be stored.
    The last group of fields is None where the licence is no lease: `renew_at`, `retry_after`,
    `count` and `need` as the host says, `trust` and `catalogue` the versions that the host knew.
    """

    publisher: str
    product: str
    cmid: str | None
    group: str
    kind: str
    issued: int
    expires: int | None
    grant_jti: str
    key: str
    weak_fingerprint: bool
    text: str
    renew_at: int | None = None
    retry_after: int | None = None
    count: int | None = None
    need: int | None = None
    trust: int | None = None
    catalogue: int | None = None


@dataclass(frozen=True, slots=True)
class VerifiedNotice:
    """A notice that passed every step; only `verify_notice` makes one."""

    code: str
    publisher: str
    product: str
    cmid: str
    issued: int
    grant_jti: str


@dataclass(frozen=True, slots=True)
class OpenLicence:
    """A licence bundle whose signatures hold, of whatever machine, product and time."""

    lease: lease.LeaseClaims
    grant: grant.Grant
    signer: PublicKey


class Case:
    """One object under verification: what step 1 took apart, and what is expected.

    `signed` is the lease or notice; for an activation grant it is the grant itself. Steps 1 to 5 of
    leases and notices need `trust` and `publisher` alone, all others `expected`.
    """

    __slots__ = ("data", "expected", "grant", "publisher", "signed", "signer", "text", "trust")

    data: bytes
    expected: Expected
    trust: Trust
    publisher: str
    grant: Compact
    signed: Compact
    signer: PublicKey
    text: str

    def __init__(self, data: bytes, expected: Expected) -> None:
        self.data = data
        self.expected = expected
        self.trust = expected.trust
        self.publisher = expected.publisher

    @classmethod
    def of_anybody(cls, data: bytes, trust: Trust, publisher: str) -> Case:
        """A case of whatever machine, product and time: for steps 1 to 5."""
        case = cls.__new__(cls)
        case.data = data
        case.trust = trust
        case.publisher = publisher
        return case

    def of_grant(self, code: str = "licence/claims") -> Claims:
        """The grant's payload; accessors raise `code`."""
        return Claims(self.grant.payload, "grant", code)

    def of_signed(self, what: str, code: str = "licence/claims") -> Claims:
        """The lease's or notice's payload; accessors raise `code`."""
        return Claims(self.signed.payload, what, code)


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step: `check` returns or raises. `codes` are the errors that it may raise."""

    number: str
    title: str
    check: Callable[[Case], None]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepResult:
    """How one step ended: "passed", "failed", "skipped" or "not reached"."""

    number: str
    title: str
    outcome: str
    error: MusterError | None = None


# Clocks (section 5.5).


def effective_now(now: int, clock_mark: int) -> int:
    """The instant by which expiry is judged: a clock that was turned back gains nothing."""
    return max(now, clock_mark)


def advance_mark(clock_mark: int, iat: int, now: int) -> int:
    """Raise the clock mark by a verified `iat`, at most to the local clock.

    Args:
        clock_mark: the mark so far, 0 at first.
        iat: of trust, of a catalogue, or of a lease that passed step 9.
        now: the local clock.
    Source: docs/spec/05-verification.md, section 5.5.
    """
    return max(clock_mark, min(iat, now))


# Steps of a lease and, where they are the same, of a notice (sections 5.2 and 5.4).


def _read_lease(case: Case) -> None:
    bundle = read_bundle(case.data)
    case.signed = parse(bundle.lease, strict.SMALL, "lease")
    case.grant = parse(bundle.grant, strict.SMALL, "grant")
    case.signer = bundle.signer
    case.text = bundle.encode().decode("utf-8")


def _read_notice(case: Case) -> None:
    bundle = read_notice_bundle(case.data)
    case.signed = parse(bundle.notice, strict.SMALL, "notice")
    case.grant = parse(bundle.grant, strict.SMALL, "grant")
    case.signer = bundle.signer
    case.text = bundle.encode().decode("utf-8")


def _read_activation(case: Case) -> None:
    bundle = read_activation_bundle(case.data)
    case.signed = case.grant = parse(bundle.grant, strict.SMALL, "grant")
    case.text = bundle.encode().decode("utf-8")


def _lease_headers(case: Case) -> None:
    check_header(case.signed, LEASE_TYP, "lease")
    check_header_form(case.grant, "grant")


def _notice_headers(case: Case) -> None:
    check_header(case.signed, NOTICE_TYP, "notice")
    check_header_form(case.grant, "grant")


def _grant_header(case: Case) -> None:
    check_header_form(case.grant, "grant")


def _host_grant(case: Case) -> None:
    _publishers_grant(case, (grant.HOST,))


def _machine_grant(case: Case) -> None:
    _publishers_grant(case, grant.MACHINE_KINDS)
    at = _revoked(case)
    if at is not None:
        raise error("licence/revoked", at=instant_text(at))


def _publishers_grant(case: Case, kinds: Collection[str]) -> None:
    header = Claims(case.grant.header, "grant header", "licence/grant")
    if header.value.get("typ") != GRANT_TYP:
        _refuse("licence/grant", f"its typ is not {GRANT_TYP}")
    kid = header.text("kid", grammar.BASE64URL_32)
    grant.check_signature(case.grant, kid, case.trust, case.publisher)
    kind = case.of_grant("licence/grant").object("muster").value.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        _refuse("licence/grant", f"its kind is not {' or '.join(kinds)}")


def _lease_signer(case: Case) -> None:
    _signer(case, "lease")


def _notice_signer(case: Case) -> None:
    _signer(case, "notice")


def _signer(case: Case, what: str) -> None:
    muster = case.of_grant("licence/signer").object("muster")
    bound = host_binding(case.publisher, claims.key_id(muster), case.signer.raw)
    if muster.text("binding", grammar.BINDING) != bound:
        _refuse("licence/signer", "the signing key is not the one that the grant names")
    header = Claims(case.signed.header, f"{what} header", "licence/signer")
    issuer = case.of_signed(what, "licence/signer").text("iss", grammar.BASE64URL_32)
    if header.text("kid", grammar.BASE64URL_32) != case.signer.kid or issuer != case.signer.kid:
        _refuse("licence/signer", "kid and iss are not the signing key's")
    try:
        case.signer.verify(case.signed.signature, case.signed.signing_input)
    except MusterError:
        _refuse("licence/signer", "the signature does not hold")


def _lease_claims(case: Case) -> None:
    _versions(case, "lease")
    lease.read_claims(case.of_signed("lease"))
    grant.read_claims(case.grant)


def _notice_claims(case: Case) -> None:
    _versions(case, "notice")
    notice.read_claims(case.of_signed("notice"))
    grant.read_claims(case.grant)


def _versions(case: Case, what: str) -> None:
    """The `v` of both come first: whoever reads a later version knows none of its claims."""
    claims.version(case.of_signed(what).object("muster"), what)
    claims.version(case.of_grant().object("muster"), "grant")


def _grant_claims(case: Case) -> None:
    grant.read_claims(case.grant)


def _lease_audience(case: Case) -> None:
    product = case.expected.descriptor.product
    payload = case.of_signed("lease")
    _audience(case, payload)
    group = payload.object("muster").text("group", grammar.NAME)
    if group != product.group:
        _refuse("licence/audience", f"it is for the key group {group}, not {product.group}")
    _covered(case)


def _notice_audience(case: Case) -> None:
    _audience(case, case.of_signed("notice"))
    _covered(case)


def _audience(case: Case, payload: Claims) -> None:
    expected = f"{case.expected.publisher}/{case.expected.descriptor.product.id}"
    found = payload.text("aud", grammar.AUDIENCE)
    if found != expected:
        _refuse("licence/audience", f"it is for {found}, not {expected}")


def _covered(case: Case) -> None:
    group = case.expected.descriptor.product.group
    if group not in case.of_grant().object("muster").texts("covers", grammar.NAME, MAX_COVERS):
        _refuse("licence/audience", f"the grant does not cover the key group {group}")


def _grant_audience(case: Case) -> None:
    publisher = case.expected.publisher
    payload = case.of_grant()
    issuer = payload.text("iss", grammar.PUBLISHER_ID)
    audience, _, group = payload.text("aud", grammar.AUDIENCE).partition("/")
    if issuer != publisher or audience != publisher:
        _refuse("licence/audience", f"it is of the publisher {issuer}, not {publisher}")
    if group not in {item.id for item in case.expected.descriptor.groups}:
        _refuse("licence/audience", f"the descriptor does not list the key group {group}")
    _covered(case)


def _lease_machine(case: Case) -> None:
    payload = case.of_signed("lease")
    _machine(case, payload)
    identity = payload.object("muster").text("identity", grammar.NAME)
    if identity not in case.expected.descriptor.product.identity:
        _refuse("licence/machine", f"the product does not allow the identity mode {identity}")
    if identity != case.expected.identity:
        _refuse("licence/machine", f"its identity mode is {identity}")


def _notice_machine(case: Case) -> None:
    _machine(case, case.of_signed("notice"))


def _machine(case: Case, payload: Claims) -> None:
    if payload.text("sub", grammar.UUID) != case.expected.cmid:
        _refuse("licence/machine", "its CMID is another")
    if payload.object("muster").text("nonce", grammar.BASE64URL_16) != case.expected.nonce:
        _refuse("licence/machine", "its nonce is another")


def _grant_machine(case: Case) -> None:
    found = case.of_grant().object("muster").text("binding", grammar.BINDING)
    if found != case.expected.binding:
        _refuse("licence/machine", "its binding is another")


def _lease_dates(case: Case) -> None:
    payload = case.of_signed("lease")
    granted = case.of_grant()
    iat, exp = payload.integer("iat"), payload.integer("exp")
    if payload.integer("nbf") != iat:
        _refuse("licence/dates", "nbf is not iat")
    if iat < granted.integer("iat") - EARLY:
        _refuse("licence/dates", "it is older than the host's grant")
    longest = granted.object("muster").integer("max_lease", 1, MAX_SPAN)
    if exp - iat > longest:
        _refuse("licence/dates", f"it lasts longer than {exact_span_text(longest)}")
    last = granted.optional_integer("exp")
    if last is not None and exp > last:
        _refuse("licence/dates", f"it ends after the host's grant ({instant_text(last)})")


def _lease_clock(case: Case) -> None:
    expected = case.expected
    iat = case.of_signed("lease").integer("iat")
    _clock(expected, iat, expected.fresh)


def _notice_clock(case: Case) -> None:
    _clock(case.expected, case.of_signed("notice").integer("iat"), fresh=True)


def _clock(expected: Expected, iat: int, fresh: bool) -> None:
    if iat > expected.now + SKEW or (fresh and iat < expected.now - SKEW):
        _refuse(
            "licence/clock",
            f"the host's is at {instant_text(iat)}, ours at {instant_text(expected.now)}",
        )
    if expected.now < expected.clock_mark - SKEW:
        _refuse(
            "licence/clock",
            f"ours is at {instant_text(expected.now)},"
            f" but was at {instant_text(expected.clock_mark)} before",
        )


def _notice_dates(case: Case) -> None:
    last = case.of_grant().optional_integer("exp")
    if last is not None and case.of_signed("notice").integer("iat") > last:
        _refuse("licence/dates", f"the host's grant ended on {instant_text(last)}")


def _lease_count(case: Case) -> None:
    count = case.of_signed("lease").object("muster").integer("count")
    need = case.expected.descriptor.product.need
    if count < need:
        raise error("licence/count", count=count, need=need)


def _lease_fingerprint(case: Case) -> None:
    found = _fingerprint(case)
    if not found and case.expected.identity == "explicit":
        return
    compared = compare(found, case.expected.fingerprint)
    if not compared.same:
        raise error("licence/fingerprint", detail=compared.text)


def _lease_expiry(case: Case) -> None:
    at = _revoked(case)
    if at is not None and case.of_signed("lease").integer("iat") > at:
        raise error("licence/revoked", at=instant_text(at))
    exp = case.of_signed("lease").integer("exp")
    end = _lease_end(case)
    now = effective_now(case.expected.now, case.expected.clock_mark)
    if at is not None and end < exp and now >= end:
        raise error("licence/revoked", at=instant_text(at))
    if now >= end:
        raise error("licence/expired", expires=instant_text(end), now=instant_text(now))


def _grant_expiry(case: Case) -> None:
    exp = case.of_grant().optional_integer("exp")
    if exp is None:
        return
    now = effective_now(case.expected.now, case.expected.clock_mark)
    issued = case.of_grant().integer("iat")
    if now < issued - EARLY:
        _refuse(
            "licence/clock",
            f"this machine's stands at {instant_text(now)}, before {instant_text(issued)}",
        )
    if now >= exp:
        raise error("licence/expired", expires=instant_text(exp), now=instant_text(now))


# What several steps share.


def _fingerprint(case: Case) -> tuple[str, ...]:
    muster = case.of_signed("lease").object("muster")
    return muster.texts("fingerprint", grammar.COMMITMENT, strict.SMALL.items)


def _revoked(case: Case) -> int | None:
    """The instant since which the grant or the caller's product is revoked, or None.

    A catalogue that trust no longer stands behind says nothing. Names that are no text are named
    by no revocation: whether they are of their type is judged by another step.
    """
    catalogue = case.expected.catalogue
    if catalogue is None or not still_valid(catalogue, case.expected.trust):
        return None
    payload = case.of_grant()
    jti, key = payload.value.get("jti"), payload.object("muster").value.get("key")
    named = catalogue.revoked(
        jti if isinstance(jti, str) else "", key if isinstance(key, str) else ""
    )
    product = catalogue.product_revoked(case.expected.descriptor.product)
    days = [day for day in (named, product) if day is not None]
    return day_start(min(days)) if days else None


def _lease_end(case: Case) -> int:
    """When a lease ends, as shortened by a revocation of its host or product."""
    exp = case.of_signed("lease").integer("exp")
    at = _revoked(case)
    return exp if at is None else min(exp, at + WIND_DOWN)


def _refuse(code: str, detail: str) -> NoReturn:
    raise error(code, detail=detail)


LEASE_STEPS: tuple[Step, ...] = (
    Step("1", "whole and strictly readable", _read_lease, ("licence/malformed", "licence/version")),
    Step("2", "signed the one way that exists", _lease_headers, ("licence/header",)),
    Step("3", "the publisher granted this host", _host_grant, ("licence/grant",)),
    Step("4", "the host that was granted signed it", _lease_signer, ("licence/signer",)),
    Step("5", "every claim there and typed", _lease_claims, ("licence/version", "licence/claims")),
    Step("6", "for this publisher and product", _lease_audience, ("licence/audience",)),
    Step("7", "for this machine's request", _lease_machine, ("licence/machine",)),
    Step("8", "dates within the grant", _lease_dates, ("licence/dates",)),
    Step("9", "clocks agree", _lease_clock, ("licence/clock",)),
    Step("10", "enough machines counted", _lease_count, ("licence/count",)),
    Step("11", "this machine's hardware", _lease_fingerprint, ("licence/fingerprint",)),
    Step("12", "not ended", _lease_expiry, ("licence/revoked", "licence/expired")),
)
"""Steps of a lease (docs/spec/05-verification.md, section 5.2)."""

GRANT_STEPS: tuple[Step, ...] = (
    Step(
        "A1",
        "whole and strictly readable",
        _read_activation,
        ("licence/malformed", "licence/version"),
    ),
    Step("A2", "signed the one way that exists", _grant_header, ("licence/header",)),
    Step(
        "A3",
        "the publisher granted it and stands by it",
        _machine_grant,
        ("licence/grant", "licence/revoked"),
    ),
    Step("A4", "every claim there and typed", _grant_claims, ("licence/version", "licence/claims")),
    Step("A5", "for this publisher and product", _grant_audience, ("licence/audience",)),
    Step("A6", "for this machine", _grant_machine, ("licence/machine",)),
    Step("A7", "not ended", _grant_expiry, ("licence/clock", "licence/expired")),
)
"""Steps of an activation grant (docs/spec/05-verification.md, section 5.3)."""

NOTICE_STEPS: tuple[Step, ...] = (
    Step(
        "N1", "whole and strictly readable", _read_notice, ("licence/malformed", "licence/version")
    ),
    Step("N2", "signed the one way that exists", _notice_headers, ("licence/header",)),
    Step("N3", "the publisher granted this host", _host_grant, ("licence/grant",)),
    Step("N4", "the host that was granted signed it", _notice_signer, ("licence/signer",)),
    Step(
        "N5", "every claim there and typed", _notice_claims, ("licence/version", "licence/claims")
    ),
    Step("N6", "for this publisher and product", _notice_audience, ("licence/audience",)),
    Step("N7", "for this machine's request", _notice_machine, ("licence/machine",)),
    Step("N8", "clocks agree", _notice_clock, ("licence/clock",)),
    Step("N9", "before the grant ended", _notice_dates, ("licence/dates",)),
)
"""Steps of a notice (docs/spec/05-verification.md, section 5.4)."""


def verify_lease(
    data: bytes, expected: Expected, steps: tuple[Step, ...] = LEASE_STEPS
) -> VerifiedLicence:
    """Verify a licence bundle, or a host's answer that holds one.

    Args:
        data: from a store or from the network.
        expected: with `cmid`, `identity`, `nonce`, `fingerprint`.
        steps: only tests pass another tuple.
    Raises:
        MusterError of the first step that fails; see `LEASE_STEPS`. Nothing else, for any bytes.
    Source: docs/spec/05-verification.md, section 5.2.
    """
    case = _run(data, expected, steps)
    payload = case.of_signed("lease")
    muster = payload.object("muster")
    granted = case.of_grant()
    issued = payload.integer("iat")
    return VerifiedLicence(
        publisher=expected.publisher,
        product=expected.descriptor.product.id,
        cmid=payload.text("sub", grammar.UUID),
        group=muster.text("group", grammar.NAME),
        kind="lease",
        issued=issued,
        expires=_lease_end(case),
        grant_jti=granted.text("jti", grammar.BASE64URL_16),
        key=granted.object("muster").text("key", grammar.KEY_ID),
        weak_fingerprint=weak(_fingerprint(case)),
        text=case.text,
        renew_at=issued + muster.integer("renew_after"),
        retry_after=muster.integer("retry_after"),
        count=muster.integer("count"),
        need=muster.integer("need"),
        trust=muster.integer("trust"),
        catalogue=muster.integer("catalogue"),
    )


def verify_activation(
    data: bytes, expected: Expected, steps: tuple[Step, ...] = GRANT_STEPS
) -> VerifiedLicence:
    """Verify an activation bundle: the grant of this one machine.

    Args:
        data: from a store or from the network.
        expected: with `binding`, the machine's for the key of the grant.
        steps: only tests pass another tuple.
    Raises:
        MusterError of the first step that fails; see `GRANT_STEPS`. Nothing else, for any bytes.
    Source: docs/spec/05-verification.md, section 5.3.
    """
    case = _run(data, expected, steps)
    payload = case.of_grant()
    muster = payload.object("muster")
    return VerifiedLicence(
        publisher=expected.publisher,
        product=expected.descriptor.product.id,
        cmid=None,
        group=payload.text("aud", grammar.AUDIENCE).partition("/")[2],
        kind=muster.choice("kind", grant.KINDS),
        issued=payload.integer("iat"),
        expires=payload.optional_integer("exp"),
        grant_jti=payload.text("jti", grammar.BASE64URL_16),
        key=muster.text("key", grammar.KEY_ID),
        weak_fingerprint=False,
        text=case.text,
    )


def verify_notice(
    data: bytes, expected: Expected, steps: tuple[Step, ...] = NOTICE_STEPS
) -> VerifiedNotice:
    """Verify a notice bundle as the answer to the request that waits for `expected.nonce`.

    That it is heeded once, and at most once in 24 hours, is the caller's.

    Raises:
        MusterError of the first step that fails; see `NOTICE_STEPS`. Nothing else, for any bytes.
    Source: docs/spec/05-verification.md, section 5.4.
    """
    case = _run(data, expected, steps)
    payload = case.of_signed("notice")
    return VerifiedNotice(
        code=payload.object("muster").text("code", grammar.NOTICE_CODE),
        publisher=expected.publisher,
        product=expected.descriptor.product.id,
        cmid=payload.text("sub", grammar.UUID),
        issued=payload.integer("iat"),
        grant_jti=case.of_grant().text("jti", grammar.BASE64URL_16),
    )


def open_licence(data: bytes, trust: Trust, publisher: str) -> OpenLicence:
    """Check that the signatures of a licence bundle hold: steps 1 to 5, of any machine and time.

    For a host that takes a licence back and for programs that show licences of others; it says
    nothing about whether the licence is good anywhere.

    Raises:
        MusterError of steps 1 to 5.
    Source: docs/spec/05-verification.md, section 5.6.
    """
    case = Case.of_anybody(data, trust, publisher)
    for step in LEASE_STEPS[:5]:
        step.check(case)
    found = lease.read_claims(case.of_signed("lease"))
    return OpenLicence(found, grant.read_claims(case.grant), case.signer)


def explain(data: bytes, expected: Expected, skip: Collection[str] = ()) -> list[StepResult]:
    """Run the steps that fit the object and tell how each ended, for `muster verify`.

    Args:
        data: a licence, activation or notice bundle; anything else fails at step 1.
        expected: as for the verifying functions.
        skip: numbers of steps that cannot be judged here, such as "7" and "11" for the licence
            of another machine; they are told as "skipped". The first step is never skipped.
    Returns:
        One result for each step, in order. After the first that failed all are "not reached".
    Raises:
        Nothing.
    """
    case = Case(data, expected)
    results: list[StepResult] = []
    failed = False
    steps = steps_for(data)
    for step in steps:
        if failed:
            results.append(StepResult(step.number, step.title, "not reached"))
        elif step.number in skip and step is not steps[0]:
            results.append(StepResult(step.number, step.title, "skipped"))
        else:
            try:
                step.check(case)
            except MusterError as fault:
                failed = True
                results.append(StepResult(step.number, step.title, "failed", fault))
            else:
                results.append(StepResult(step.number, step.title, "passed"))
    return results


def steps_for(data: bytes) -> tuple[Step, ...]:
    """The steps that fit a bundle, by the members that it has; a lease's for what is no bundle."""
    try:
        value = strict.read(data, strict.BUNDLE, "bundle")
    except MusterError:
        return LEASE_STEPS
    for member, steps in (("lease", LEASE_STEPS), ("notice", NOTICE_STEPS), ("grant", GRANT_STEPS)):
        if member in value:
            return steps
    return LEASE_STEPS


def _run(data: bytes, expected: Expected, steps: tuple[Step, ...]) -> Case:
    case = Case(data, expected)
    for step in steps:
        step.check(case)
    return case
