"""The checks of verification: each returns or raises, and leans on no other one for types.

Decides what each numbered step of docs/spec/05-verification.md asks of a lease, a notice or an
activation grant. Refuses to know in which order they run (`muster.lease.verify`), and any clock,
file or network: everything that they judge by is in `Expected`. Each reads decoded JSON through
accessors of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import compare, host_binding
from muster.core.products import DAY, SKEW, day_start
from muster.core.text import exact_span_text, instant_text
from muster.core.values import dataclass
from muster.lease import claims, grant, lease, notice, strict
from muster.lease.bundle import (
    Bundle,
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


class Case:
    """One object under verification: what step 1 took apart, and what is expected.

    `bundle` is the licence bundle where the caller has read it; else it is read from `data`.
    `signed` is the lease or notice; for an activation grant it is the grant itself. Steps 1 to 5 of
    leases and notices need `trust` and `publisher` alone, all others `expected`.
    """

    __slots__ = (
        "bundle",
        "data",
        "expected",
        "grant",
        "publisher",
        "signed",
        "signer",
        "text",
        "trust",
    )

    data: bytes
    bundle: Bundle | None
    expected: Expected
    trust: Trust
    publisher: str
    grant: Compact
    signed: Compact
    signer: PublicKey
    text: str

    def __init__(self, data: bytes | Bundle, expected: Expected) -> None:
        self.bundle = data if isinstance(data, Bundle) else None
        self.data = b"" if isinstance(data, Bundle) else data
        self.expected = expected
        self.trust = expected.trust
        self.publisher = expected.publisher

    @classmethod
    def of_anybody(cls, data: bytes, trust: Trust, publisher: str) -> Case:
        """A case of whatever machine, product and time: for steps 1 to 5."""
        case = cls.__new__(cls)
        case.data = data
        case.bundle = None
        case.trust = trust
        case.publisher = publisher
        return case

    def of_grant(self, code: str = "licence/claims") -> Claims:
        """The grant's payload; accessors raise `code`."""
        return Claims(self.grant.payload, "grant", code)

    def of_signed(self, what: str, code: str = "licence/claims") -> Claims:
        """The lease's or notice's payload; accessors raise `code`."""
        return Claims(self.signed.payload, what, code)


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


def read_lease(case: Case) -> None:
    """Step 1: a licence bundle."""
    bundle = case.bundle or read_bundle(case.data)
    case.signed = parse(bundle.lease, strict.SMALL, "lease")
    case.grant = parse(bundle.grant, strict.SMALL, "grant")
    case.signer = bundle.signer
    case.text = bundle.encode().decode("utf-8")


def read_notice(case: Case) -> None:
    """Step N1: a notice bundle."""
    bundle = read_notice_bundle(case.data)
    case.signed = parse(bundle.notice, strict.SMALL, "notice")
    case.grant = parse(bundle.grant, strict.SMALL, "grant")
    case.signer = bundle.signer
    case.text = bundle.encode().decode("utf-8")


def read_activation(case: Case) -> None:
    """Step A1: an activation bundle."""
    bundle = read_activation_bundle(case.data)
    case.signed = case.grant = parse(bundle.grant, strict.SMALL, "grant")
    case.text = bundle.encode().decode("utf-8")


def lease_headers(case: Case) -> None:
    """Step 2."""
    check_header(case.signed, LEASE_TYP, "lease")
    check_header_form(case.grant, "grant")


def notice_headers(case: Case) -> None:
    """Step N2."""
    check_header(case.signed, NOTICE_TYP, "notice")
    check_header_form(case.grant, "grant")


def grant_header(case: Case) -> None:
    """Step A2."""
    check_header_form(case.grant, "grant")


def host_grant(case: Case) -> None:
    """Steps 3 and N3: the grant is a host's."""
    _publishers_grant(case, (grant.HOST,))


def machine_grant(case: Case) -> None:
    """Step A3: the grant is a machine's and not revoked."""
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


def lease_signer(case: Case) -> None:
    """Step 4."""
    signed_by_host(case, "lease")


def notice_signer(case: Case) -> None:
    """Step N4."""
    signed_by_host(case, "notice")


def signed_by_host(case: Case, what: str) -> None:
    """Steps 4, N4 and S4: the signer is the host that the grant names, and it signed."""
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
        _refuse("licence/signer", "the signature is not valid")


def lease_claims(case: Case) -> None:
    """Step 5."""
    _versions(case, "lease")
    lease.read_claims(case.of_signed("lease"))
    grant.read_claims(case.grant)


def notice_claims(case: Case) -> None:
    """Step N5."""
    _versions(case, "notice")
    notice.read_claims(case.of_signed("notice"))
    grant.read_claims(case.grant)


def _versions(case: Case, what: str) -> None:
    """The `v` of both come first: whoever reads a later version knows none of its claims."""
    claims.version(case.of_signed(what).object("muster"), what)
    claims.version(case.of_grant().object("muster"), "grant")


def grant_claims(case: Case) -> None:
    """Step A4."""
    grant.read_claims(case.grant)


def lease_audience(case: Case) -> None:
    """Step 6."""
    product = case.expected.descriptor.product
    payload = case.of_signed("lease")
    _audience(case, payload)
    group = payload.object("muster").text("group", grammar.NAME)
    if group != product.group:
        _refuse("licence/audience", f"it is for the key group {group}, not {product.group}")
    _covered(case)


def notice_audience(case: Case) -> None:
    """Step N6."""
    _audience(case, case.of_signed("notice"))
    _covered(case)


def _audience(case: Case, payload: Claims) -> None:
    expected = f"{case.expected.publisher}/{case.expected.descriptor.product.id}"
    group = payload.text("aud", grammar.AUDIENCE)
    if group != expected:
        _refuse("licence/audience", f"it is for {group}, not {expected}")


def _covered(case: Case) -> None:
    group = case.expected.descriptor.product.group
    if group not in case.of_grant().object("muster").texts("covers", grammar.NAME, MAX_COVERS):
        _refuse("licence/audience", f"the grant does not cover the key group {group}")


def grant_audience(case: Case) -> None:
    """Step A5."""
    publisher = case.expected.publisher
    payload = case.of_grant()
    issuer = payload.text("iss", grammar.PUBLISHER_ID)
    audience, _, group = payload.text("aud", grammar.AUDIENCE).partition("/")
    if issuer != publisher or audience != publisher:
        _refuse("licence/audience", f"it is of the publisher {issuer}, not {publisher}")
    if group not in {item.id for item in case.expected.descriptor.groups}:
        _refuse("licence/audience", f"the descriptor does not list the key group {group}")
    _covered(case)


def lease_machine(case: Case) -> None:
    """Step 7."""
    payload = case.of_signed("lease")
    _machine(case, payload)
    identity = payload.object("muster").text("identity", grammar.NAME)
    if identity not in case.expected.descriptor.product.identity:
        _refuse("licence/machine", f"the product does not allow the identity mode {identity}")
    if identity != case.expected.identity:
        _refuse("licence/machine", f"its identity mode is {identity}")


def notice_machine(case: Case) -> None:
    """Step N7."""
    _machine(case, case.of_signed("notice"))


def _machine(case: Case, payload: Claims) -> None:
    if payload.text("sub", grammar.UUID) != case.expected.cmid:
        _refuse("licence/machine", "its CMID is another")
    if payload.object("muster").text("nonce", grammar.BASE64URL_16) != case.expected.nonce:
        _refuse("licence/machine", "its nonce is another")


def grant_machine(case: Case) -> None:
    """Step A6."""
    binding = case.of_grant().object("muster").text("binding", grammar.BINDING)
    if binding != case.expected.binding:
        _refuse("licence/machine", "its binding is another")


def lease_dates(case: Case) -> None:
    """Step 8."""
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


def lease_clock(case: Case) -> None:
    """Step 9."""
    expected = case.expected
    iat = case.of_signed("lease").integer("iat")
    _clock(expected, iat, expected.fresh)


def notice_clock(case: Case) -> None:
    """Step N8."""
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


def notice_dates(case: Case) -> None:
    """Step N9."""
    last = case.of_grant().optional_integer("exp")
    if last is not None and case.of_signed("notice").integer("iat") > last:
        _refuse("licence/dates", f"the host's grant ended on {instant_text(last)}")


def lease_count(case: Case) -> None:
    """Step 10."""
    count = case.of_signed("lease").object("muster").integer("count")
    need = case.expected.descriptor.product.need
    if count < need:
        raise error("licence/count", count=count, need=need)


def lease_fingerprint(case: Case) -> None:
    """Step 11."""
    commitments = fingerprint(case)
    if not commitments and case.expected.identity == "explicit":
        return
    compared = compare(commitments, case.expected.fingerprint)
    if not compared.same:
        raise error("licence/fingerprint", detail=compared.text)


def lease_expiry(case: Case) -> None:
    """Step 12."""
    at = _revoked(case)
    if at is not None and case.of_signed("lease").integer("iat") > at:
        raise error("licence/revoked", at=instant_text(at))
    exp = case.of_signed("lease").integer("exp")
    end = lease_end(case)
    now = effective_now(case.expected.now, case.expected.clock_mark)
    if at is not None and end < exp and now >= end:
        raise error("licence/revoked", at=instant_text(at))
    if now >= end:
        raise error("licence/expired", expires=instant_text(end), now=instant_text(now))


def grant_expiry(case: Case) -> None:
    """Step A7."""
    exp = case.of_grant().optional_integer("exp")
    if exp is None:
        return
    now = effective_now(case.expected.now, case.expected.clock_mark)
    issued = case.of_grant().integer("iat")
    if now < issued - EARLY:
        _refuse(
            "licence/clock",
            f"this machine's shows {instant_text(now)}, before {instant_text(issued)}",
        )
    if now >= exp:
        raise error("licence/expired", expires=instant_text(exp), now=instant_text(now))


# What several steps share.


def fingerprint(case: Case) -> tuple[str, ...]:
    """The commitments that are in a lease."""
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


def lease_end(case: Case) -> int:
    """When a lease ends, as shortened by a revocation of its host or product."""
    exp = case.of_signed("lease").integer("exp")
    at = _revoked(case)
    return exp if at is None else min(exp, at + WIND_DOWN)


def _refuse(code: str, detail: str) -> NoReturn:
    raise error(code, detail=detail)
