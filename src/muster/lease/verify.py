"""Verification: one function of numbered steps that returns a verified licence or raises.

Decides whether bytes license this machine for this product now. What is loaded from disk goes
through it as what came from the network. Refuses to know any clock, file or network: everything
that it judges by is in `Expected`. Obeys docs/spec/05-verification.md, step by step.

The steps are data; what each of them checks is in `muster.lease.steps`. A caller never chooses
them; tests leave exactly one out and prove that its vector is then accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from muster.core import grammar
from muster.core.errors import MusterError
from muster.core.identity import weak
from muster.core.values import dataclass
from muster.lease import grant, lease, strict
from muster.lease import steps as checks
from muster.lease.bundle import Bundle
from muster.lease.jws import PublicKey
from muster.lease.steps import Case, Expected
from muster.lease.trust import Trust


@dataclass(frozen=True, slots=True)
class VerifiedLicence:
    """A licence that passed every step; only `verify_lease` and `verify_activation` make one.

    Times are Unix seconds, spans seconds. `kind` is "lease", "mak", "evaluation" or "retail".
    `expires` is shortened by a revocation, None = no end. `weak_fingerprint`: fewer than two
    kinds of facts are in the lease. `text` is the bundle in canonical form, to be stored.
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


LEASE_STEPS: tuple[Step, ...] = (
    Step(
        "1",
        "whole and strictly readable",
        checks.read_lease,
        ("licence/malformed", "licence/version"),
    ),
    Step("2", "signed the one way that exists", checks.lease_headers, ("licence/header",)),
    Step("3", "the publisher granted this host", checks.host_grant, ("licence/grant",)),
    Step("4", "the host that was granted signed it", checks.lease_signer, ("licence/signer",)),
    Step(
        "5",
        "every claim there and typed",
        checks.lease_claims,
        ("licence/version", "licence/claims"),
    ),
    Step("6", "for this publisher and product", checks.lease_audience, ("licence/audience",)),
    Step("7", "for this machine's request", checks.lease_machine, ("licence/machine",)),
    Step("8", "dates within the grant", checks.lease_dates, ("licence/dates",)),
    Step("9", "clocks agree", checks.lease_clock, ("licence/clock",)),
    Step("10", "enough machines counted", checks.lease_count, ("licence/count",)),
    Step("11", "this machine's hardware", checks.lease_fingerprint, ("licence/fingerprint",)),
    Step("12", "not ended", checks.lease_expiry, ("licence/revoked", "licence/expired")),
)
"""Steps of a lease (docs/spec/05-verification.md, section 5.2)."""

GRANT_STEPS: tuple[Step, ...] = (
    Step(
        "A1",
        "whole and strictly readable",
        checks.read_activation,
        ("licence/malformed", "licence/version"),
    ),
    Step("A2", "signed the one way that exists", checks.grant_header, ("licence/header",)),
    Step(
        "A3",
        "the publisher granted it and stands by it",
        checks.machine_grant,
        ("licence/grant", "licence/revoked"),
    ),
    Step(
        "A4",
        "every claim there and typed",
        checks.grant_claims,
        ("licence/version", "licence/claims"),
    ),
    Step("A5", "for this publisher and product", checks.grant_audience, ("licence/audience",)),
    Step("A6", "for this machine", checks.grant_machine, ("licence/machine",)),
    Step("A7", "not ended", checks.grant_expiry, ("licence/clock", "licence/expired")),
)
"""Steps of an activation grant (docs/spec/05-verification.md, section 5.3)."""

NOTICE_STEPS: tuple[Step, ...] = (
    Step(
        "N1",
        "whole and strictly readable",
        checks.read_notice,
        ("licence/malformed", "licence/version"),
    ),
    Step("N2", "signed the one way that exists", checks.notice_headers, ("licence/header",)),
    Step("N3", "the publisher granted this host", checks.host_grant, ("licence/grant",)),
    Step("N4", "the host that was granted signed it", checks.notice_signer, ("licence/signer",)),
    Step(
        "N5",
        "every claim there and typed",
        checks.notice_claims,
        ("licence/version", "licence/claims"),
    ),
    Step("N6", "for this publisher and product", checks.notice_audience, ("licence/audience",)),
    Step("N7", "for this machine's request", checks.notice_machine, ("licence/machine",)),
    Step("N8", "clocks agree", checks.notice_clock, ("licence/clock",)),
    Step("N9", "before the grant ended", checks.notice_dates, ("licence/dates",)),
)
"""Steps of a notice (docs/spec/05-verification.md, section 5.4)."""


def verify_lease(
    data: bytes | Bundle, expected: Expected, steps: tuple[Step, ...] = LEASE_STEPS
) -> VerifiedLicence:
    """Verify a licence bundle, or a host's answer that holds one.

    Args:
        data: from a store or from the network; or a bundle that was read from it strictly.
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
        expires=checks.lease_end(case),
        grant_jti=granted.text("jti", grammar.BASE64URL_16),
        key=granted.object("muster").text("key", grammar.KEY_ID),
        weak_fingerprint=weak(checks.fingerprint(case)),
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
    claims = lease.read_claims(case.of_signed("lease"))
    return OpenLicence(claims, grant.read_claims(case.grant), case.signer)


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


def _run(data: bytes | Bundle, expected: Expected, steps: tuple[Step, ...]) -> Case:
    case = Case(data, expected)
    for step in steps:
        step.check(case)
    return case
