"""docs/spec/05-verification.md: each step refuses something which all others let pass.

Every case is one bundle and what is expected. With all steps it is refused by its own step with
its own error; with exactly that step left out it is accepted. Step 1 is left out by reading as
careless programs do.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.lease.trees import tree

from muster.core.errors import MusterError
from muster.core.identity import host_binding
from muster.core.keys import KeyId
from muster.core.products import DAY, Revocation, day_start
from muster.lease import strict
from muster.lease.bundle import ActivationBundle, Bundle, NoticeBundle
from muster.lease.grant import read_grant
from muster.lease.jws import (
    GRANT_TYP,
    LEASE_TYP,
    NOTICE_TYP,
    TERMS_TYP,
    Compact,
    MemorySigningKey,
    PublicKey,
    parse,
    sign,
)
from muster.lease.steps import Case, Expected
from muster.lease.strict import b64url_encode, canonical
from muster.lease.trust import TrustKey, follow
from muster.lease.verify import (
    GRANT_STEPS,
    LEASE_STEPS,
    NOTICE_STEPS,
    Step,
    verify_activation,
    verify_lease,
    verify_notice,
)

if TYPE_CHECKING:
    from tests.lease.conftest import Maker

HOUR = 3600
OTHER_UUID = "00000000-0000-4000-8000-000000000000"
OTHER_TOKEN = "AAAAAAAAAAAAAAAAAAAAAQ"


def now(maker: Maker) -> int:
    """The local clock of the good case, in Unix seconds."""
    return maker.expected().now


def signed_with(header: dict[str, Any], payload: dict[str, Any], key: MemorySigningKey) -> str:
    """A compact JWS with any header, the signature good."""
    text = f"{b64url_encode(canonical(header))}.{b64url_encode(canonical(payload))}"
    return f"{text}.{b64url_encode(key.sign(text.encode()))}"


def changed(payload: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The payload with members set (`...` deletes); names of `muster` are set there."""
    payload = json.loads(json.dumps(payload))
    for name, value in change.items():
        place = payload if name in {*payload, "exp", "extra"} else payload["muster"]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    return payload


def lease_payload(maker: Maker, **change: Any) -> dict[str, Any]:
    """The good lease's payload, changed."""
    bundle = json.loads(maker.bundle())
    return changed(tree(parse(bundle["lease"], strict.SMALL).payload), change)


def notice_payload(maker: Maker, **change: Any) -> dict[str, Any]:
    """The good notice's payload, changed."""
    bundle = json.loads(maker.notice())
    return changed(tree(parse(bundle["notice"], strict.SMALL).payload), change)


def lease_bundle(
    maker: Maker, *, text: str | None = None, grant: str | None = None, **change: Any
) -> bytes:
    """A licence bundle whose lease says anything, signed by the host."""
    signed = text or sign(lease_payload(maker, **change), LEASE_TYP, maker.host_key)
    return Bundle(signed, grant or maker.host_grant(), maker.host_key.public).encode()


def notice_bundle(
    maker: Maker, *, text: str | None = None, grant: str | None = None, **change: Any
) -> bytes:
    """A notice bundle whose notice says anything, signed by the host."""
    signed = text or sign(notice_payload(maker, **change), NOTICE_TYP, maker.host_key)
    return NoticeBundle(signed, grant or maker.host_grant(), maker.host_key.public).encode()


def host_grant(maker: Maker, typ: str = GRANT_TYP, **change: Any) -> str:
    """A host grant that says anything, signed by the publisher's grant key."""
    return sign(changed(maker.grant_payload(), change), typ, maker.grant_key)


def machine_grant(maker: Maker, typ: str = GRANT_TYP, **change: Any) -> bytes:
    """An activation bundle whose grant says anything, signed by the publisher's grant key."""
    payload = tree(parse(maker.mak_grant(), strict.SMALL).payload)
    return ActivationBundle(sign(changed(payload, change), typ, maker.grant_key)).encode()


def twice(data: bytes) -> bytes:
    """The bundle with its version twice."""
    return b'{"v":1,' + data[1:]


def padded(data: bytes) -> bytes:
    """The bundle, longer than a bundle may be."""
    return data + b" " * 16_384


def loose_bits(data: bytes, member: str) -> bytes:
    """The bundle with an unused bit set in the signature of a member."""
    value = json.loads(data)
    text = value[member]
    value[member] = text[:-1] + chr(ord(text[-1]) + 1)
    return canonical(value)


def retired(maker: Maker, until: int) -> dict[str, Any]:
    """Trust that retired the grant key."""
    entry = TrustKey(maker.grant_key.public, "grant", 0, until=until)
    trust = follow(maker.trust, maker.sign_trust(version=2, keys=[maker.keys[0], entry]))
    return {"trust": trust}


def withdrawn(maker: Maker) -> dict[str, Any]:
    """Trust that withdrew the grant key."""
    trust = follow(maker.trust, maker.sign_trust(version=2, keys=[maker.keys[0]]))
    return {"trust": trust}


@dataclass(frozen=True)
class Sample:
    """What a case makes: the bundle and changes to what is expected."""

    data: bytes
    expected: dict[str, Any]


CASES: list[tuple[str, str, str, Callable[[Maker], Sample]]] = []
"""Number of the step, its error, a name, and the maker of the sample."""

Build = Callable[["Maker"], Sample | bytes]


def case(step: str, code: str, name: str, build: Build) -> None:
    """Register a case."""

    def make(maker: Maker) -> Sample:
        made = build(maker)
        return made if isinstance(made, Sample) else Sample(made, {})

    CASES.append((step, code, name, make))


def stranger_signs(maker: Maker) -> bytes:
    """A lease that a stranger signed in its own name, under the host's grant."""
    key = maker.stranger
    text = sign(lease_payload(maker, iss=key.public.kid), LEASE_TYP, key)
    return Bundle(text, maker.host_grant(), key.public).encode()


def stranger_signs_notice(maker: Maker) -> bytes:
    """A notice that a stranger signed in its own name, under the host's grant."""
    key = maker.stranger
    text = sign(notice_payload(maker, iss=key.public.kid), NOTICE_TYP, key)
    return NoticeBundle(text, maker.host_grant(), key.public).encode()


def of_other_publisher(maker: Maker) -> str:
    """A host grant in the name of another publisher, signed by a grant key that both trust."""
    return host_grant(maker, iss="b" * 16, aud="b" * 16 + "/contoso-server")


def lease_header(maker: Maker, **change: Any) -> str:
    """A lease with another header."""
    header = {"alg": "EdDSA", "kid": maker.host_key.public.kid, "typ": LEASE_TYP} | change
    return signed_with(header, lease_payload(maker), maker.host_key)


def grant_header(maker: Maker, payload: dict[str, Any] | None = None, **change: Any) -> str:
    """A host grant with another header."""
    header = {"alg": "EdDSA", "kid": maker.grant_key.public.kid, "typ": GRANT_TYP} | change
    return signed_with(header, payload or maker.grant_payload(), maker.grant_key)


def mak_payload(maker: Maker) -> dict[str, Any]:
    """The payload of the machine's grant."""
    return tree(parse(maker.mak_grant(), strict.SMALL).payload)


def revoked(maker: Maker, at: int, key: KeyId | None = None) -> dict[str, Any]:
    """A catalogue that revokes the host's grant (or a key) since a day."""
    if key is not None:
        return {"catalogue": maker.catalogue(Revocation(None, key.text, at))}
    grant = read_grant(maker.host_grant(), maker.trust, maker.publisher)
    return {"catalogue": maker.catalogue(Revocation(grant.jti, None, at))}


BAD, HEAD, GRANT = "licence/malformed", "licence/header", "licence/grant"
SIGNER, VERSION, CLAIMS = "licence/signer", "licence/version", "licence/claims"
AUDIENCE, MACHINE, DATES = "licence/audience", "licence/machine", "licence/dates"
CLOCK, COUNT, PRINT = "licence/clock", "licence/count", "licence/fingerprint"
EXPIRED, REVOKED = "licence/expired", "licence/revoked"

# Leases.

case("1", BAD, "a member name twice", lambda m: twice(m.bundle()))
case("1", BAD, "too long", lambda m: padded(m.bundle()))
case("1", BAD, "lease signature with loose bits", lambda m: loose_bits(m.bundle(), "lease"))
case("1", BAD, "grant signature with loose bits", lambda m: loose_bits(m.bundle(), "grant"))
case("1", VERSION, "bundle of a later format", lambda m: m.bundle().replace(b'"v":1', b'"v":2'))
case("2", HEAD, "alg none", lambda m: lease_bundle(m, text=lease_header(m, alg="none")))
case("2", HEAD, "alg HS256", lambda m: lease_bundle(m, text=lease_header(m, alg="HS256")))
case("2", HEAD, "typ notice", lambda m: lease_bundle(m, text=lease_header(m, typ=NOTICE_TYP)))
case("2", HEAD, "typ JWT", lambda m: lease_bundle(m, text=lease_header(m, typ="JWT")))
case("2", HEAD, "crit", lambda m: lease_bundle(m, text=lease_header(m, crit=["exp"])))
case(
    "2", HEAD, "own key", lambda m: lease_bundle(m, text=lease_header(m, jwk=m.host_key.public.jwk))
)
case("2", HEAD, "grant with crit", lambda m: lease_bundle(m, grant=grant_header(m, crit=["a"])))
case("2", HEAD, "grant alg", lambda m: lease_bundle(m, grant=grant_header(m, alg="RS256")))
case("3", GRANT, "stranger", lambda m: lease_bundle(m, grant=m.host_grant(key=m.stranger)))
case(
    "3", GRANT, "catalogue key", lambda m: lease_bundle(m, grant=m.host_grant(key=m.catalogue_key))
)
case("3", GRANT, "a root", lambda m: lease_bundle(m, grant=m.host_grant(key=m.working)))
case("3", GRANT, "typ terms", lambda m: lease_bundle(m, grant=host_grant(m, TERMS_TYP)))
case("3", GRANT, "other publisher", lambda m: lease_bundle(m, grant=of_other_publisher(m)))
case("3", GRANT, "retired key", lambda m: Sample(m.bundle(), retired(m, 299)))
case("3", GRANT, "withdrawn key", lambda m: Sample(m.bundle(), withdrawn(m)))
case(
    "3",
    GRANT,
    "changed",
    lambda m: lease_bundle(m, grant=mixed(m.host_grant(), m.host_grant(term=63))),
)
case("4", SIGNER, "stranger in its own name", stranger_signs)
case(
    "4",
    SIGNER,
    "stranger in the host's name",
    lambda m: lease_bundle(m, text=sign(lease_payload(m), LEASE_TYP, m.stranger)),
)
case("4", SIGNER, "iss of another", lambda m: lease_bundle(m, iss=m.stranger.public.kid))
case(
    "4",
    SIGNER,
    "kid of another",
    lambda m: lease_bundle(m, text=lease_header(m, kid=m.stranger.public.kid)),
)
case(
    "4",
    SIGNER,
    "changed",
    lambda m: lease_bundle(
        m, text=mixed(json.loads(m.bundle())["lease"], json.loads(m.bundle(count=9999))["lease"])
    ),
)
case(
    "4", SIGNER, "grant of another key", lambda m: lease_bundle(m, grant=host_grant(m, key="0-7-1"))
)
case("5", VERSION, "lease of a later format", lambda m: lease_bundle(m, v=2))
case("5", VERSION, "grant of a later format", lambda m: lease_bundle(m, grant=host_grant(m, v=2)))
case("5", CLAIMS, "no jti", lambda m: lease_bundle(m, jti=...))
case("5", CLAIMS, "jti of no grammar", lambda m: lease_bundle(m, jti="{count}"))
case(
    "5",
    CLAIMS,
    "fingerprint not sorted",
    lambda m: lease_bundle(m, fingerprint=list(reversed(m.fingerprint))),
)
case("5", CLAIMS, "grant without hw", lambda m: lease_bundle(m, grant=host_grant(m, hw=...)))
case(
    "6",
    AUDIENCE,
    "other product",
    lambda m: lease_bundle(m, aud=f"{m.publisher}/contoso-desktop-7"),
)
case("6", AUDIENCE, "other publisher", lambda m: lease_bundle(m, aud=f"{'b' * 16}/{m.product.id}"))
case("6", AUDIENCE, "other group, covered", lambda m: lease_bundle(m, group="contoso-server"))
case(
    "6",
    AUDIENCE,
    "group not covered",
    lambda m: lease_bundle(
        m, grant=host_grant(m, covers=["contoso-office"], aud=f"{m.publisher}/contoso-office")
    ),
)
case("7", MACHINE, "other CMID", lambda m: lease_bundle(m, sub=OTHER_UUID))
case("7", MACHINE, "other mode", lambda m: lease_bundle(m, identity="device"))
case("7", MACHINE, "other nonce", lambda m: lease_bundle(m, nonce=OTHER_TOKEN))
case("7", MACHINE, "nothing expected", lambda m: Sample(m.bundle(), {"cmid": ""}))
case("8", DATES, "nbf is not iat", lambda m: lease_bundle(m, nbf=now(m) - 61))
case(
    "8",
    DATES,
    "before the grant",
    lambda m: Sample(
        lease_bundle(
            m, iat=day_start(299) - 1, nbf=day_start(299) - 1, exp=day_start(330) + 2 * DAY
        ),
        {},
    ),
)
case("8", DATES, "one second too long", lambda m: lease_bundle(m, exp=now(m) - 60 + 180 * DAY + 1))
case("8", DATES, "the year 9999", lambda m: lease_bundle(m, exp=253_402_300_799))
case("8", DATES, "after the grant", lambda m: lease_bundle(m, grant=m.host_grant(term=2)))
case(
    "9",
    CLOCK,
    "fresh and old",
    lambda m: Sample(m.bundle(), {"fresh": True, "now": now(m) - 60 + 4 * HOUR + 1}),
)
case(
    "9",
    CLOCK,
    "fresh and early",
    lambda m: Sample(m.bundle(), {"fresh": True, "now": now(m) - 60 - 4 * HOUR - 1}),
)
case(
    "9",
    CLOCK,
    "stored and early",
    lambda m: Sample(m.bundle(), {"now": now(m) - 60 - 4 * HOUR - 1}),
)
case(
    "9",
    CLOCK,
    "clock turned back",
    lambda m: Sample(m.bundle(), {"clock_mark": now(m) + 4 * HOUR + 1}),
)
case("10", COUNT, "one too few", lambda m: lease_bundle(m, count=24))
case("10", COUNT, "the host's own need", lambda m: lease_bundle(m, count=1, need=1))
case(
    "11",
    PRINT,
    "another UUID",
    lambda m: Sample(m.bundle(), {"fingerprint": (*m.fingerprint[:2], "u" + "0" * 16)}),
)
case(
    "11", PRINT, "another machine", lambda m: Sample(m.bundle(), {"fingerprint": ("n" + "0" * 16,)})
)
case("11", PRINT, "no facts here", lambda m: Sample(m.bundle(), {"fingerprint": ()}))
case("11", PRINT, "no facts in the lease", lambda m: lease_bundle(m, fingerprint=[]))
case("12", EXPIRED, "just ended", lambda m: Sample(m.bundle(), {"now": now(m) - 60 + 180 * DAY}))
case(
    "12",
    EXPIRED,
    "ended by the mark",
    lambda m: Sample(lease_bundle(m, exp=now(m) + HOUR), {"clock_mark": now(m) + HOUR}),
)
case(
    "12",
    EXPIRED,
    "exp in capitals is no exp",
    lambda m: Sample(lease_bundle(m, EXP=2**52), {"now": now(m) + 181 * DAY}),
)
case("12", REVOKED, "signed after", lambda m: Sample(m.bundle(), revoked(m, 330)))
case(
    "12",
    REVOKED,
    "its key, signed after",
    lambda m: Sample(m.bundle(), revoked(m, 1, m.host_key_id)),
)
case(
    "12",
    REVOKED,
    "ended by revocation",
    lambda m: Sample(m.bundle(), revoked(m, 331) | {"now": day_start(361)}),
)

# Activation grants.

case("A1", BAD, "a member name twice", lambda m: twice(m.activation()))
case("A1", BAD, "too long", lambda m: padded(m.activation()))
case("A1", BAD, "signature with loose bits", lambda m: loose_bits(m.activation(), "grant"))
case("A1", VERSION, "of a later format", lambda m: m.activation().replace(b'"v":1', b'"v":2'))
case(
    "A2",
    HEAD,
    "alg none",
    lambda m: ActivationBundle(grant_header(m, mak_payload(m), alg="none")).encode(),
)
case(
    "A2",
    HEAD,
    "crit",
    lambda m: ActivationBundle(grant_header(m, mak_payload(m), crit=["exp"])).encode(),
)
case("A3", GRANT, "stranger", lambda m: m.activation(key=m.stranger))
case("A3", GRANT, "catalogue key", lambda m: m.activation(key=m.catalogue_key))
case("A3", GRANT, "typ terms", lambda m: machine_grant(m, TERMS_TYP))
case(
    "A3",
    GRANT,
    "host grant",
    lambda m: Sample(
        ActivationBundle(m.host_grant()).encode(),
        {"binding": host_binding(m.publisher, m.host_key_id, m.host_key.public.raw)},
    ),
)
case("A3", GRANT, "retired key", lambda m: Sample(m.activation(), retired(m, 326)))
case("A3", GRANT, "withdrawn key", lambda m: Sample(m.activation(), withdrawn(m)))
case("A3", REVOKED, "its key", lambda m: Sample(m.activation(), revoked(m, 1, m.mak_key_id)))
case(
    "A3",
    REVOKED,
    "in the future",
    lambda m: Sample(m.activation(), revoked(m, 65_535, m.mak_key_id)),
)
case("A4", VERSION, "of a later format", lambda m: machine_grant(m, v=2))
case("A4", CLAIMS, "covers not sorted", lambda m: machine_grant(m, covers=["x", "contoso-desktop"]))
case("A4", CLAIMS, "kind of another key", lambda m: machine_grant(m, key="4-3-815"))
case("A5", AUDIENCE, "group not covered", lambda m: machine_grant(m, covers=["contoso-office"]))
case(
    "A5",
    AUDIENCE,
    "group not listed",
    lambda m: machine_grant(
        m, aud=f"{m.publisher}/contoso-office", covers=["contoso-desktop", "contoso-office"]
    ),
)
case("A6", MACHINE, "another machine", lambda m: m.activation(binding="1" * 25))
case("A6", MACHINE, "nothing expected", lambda m: Sample(m.activation(), {"binding": ""}))
case(
    "A7",
    "licence/clock",
    "ends, and the clock stands before it began",
    lambda m: Sample(m.activation(term=1), {"now": 0}),
)
case("A7", EXPIRED, "just ended", lambda m: Sample(m.activation(term=1), {"now": day_start(357)}))
case(
    "A7",
    EXPIRED,
    "ended by the mark",
    lambda m: Sample(m.activation(term=1), {"clock_mark": day_start(357)}),
)

# Notices.

case("N1", BAD, "a member name twice", lambda m: twice(m.notice()))
case("N1", BAD, "too long", lambda m: padded(m.notice()))
case("N1", BAD, "signature with loose bits", lambda m: loose_bits(m.notice(), "notice"))
case("N1", VERSION, "of a later format", lambda m: m.notice().replace(b'"v":1', b'"v":2'))
case(
    "N2",
    HEAD,
    "typ lease",
    lambda m: notice_bundle(m, text=sign(notice_payload(m), LEASE_TYP, m.host_key)),
)
case("N2", HEAD, "grant with crit", lambda m: notice_bundle(m, grant=grant_header(m, crit=["a"])))
case("N3", GRANT, "stranger", lambda m: notice_bundle(m, grant=m.host_grant(key=m.stranger)))
case("N3", GRANT, "typ terms", lambda m: notice_bundle(m, grant=host_grant(m, TERMS_TYP)))
case("N3", GRANT, "other publisher", lambda m: notice_bundle(m, grant=of_other_publisher(m)))
case("N3", GRANT, "withdrawn key", lambda m: Sample(m.notice(), withdrawn(m)))
case("N4", SIGNER, "stranger in its own name", stranger_signs_notice)
case(
    "N4",
    SIGNER,
    "stranger in the host's name",
    lambda m: notice_bundle(m, text=sign(notice_payload(m), NOTICE_TYP, m.stranger)),
)
case("N4", SIGNER, "iss of another", lambda m: notice_bundle(m, iss=m.stranger.public.kid))
case("N5", VERSION, "of a later format", lambda m: notice_bundle(m, v=2))
case("N5", CLAIMS, "no jti", lambda m: notice_bundle(m, jti=...))
case("N6", AUDIENCE, "other product", lambda m: notice_bundle(m, aud=f"{m.publisher}/x"))
case(
    "N6",
    AUDIENCE,
    "group not covered",
    lambda m: notice_bundle(
        m, grant=host_grant(m, covers=["contoso-office"], aud=f"{m.publisher}/contoso-office")
    ),
)
case("N7", MACHINE, "other CMID", lambda m: notice_bundle(m, sub=OTHER_UUID))
case("N7", MACHINE, "other request", lambda m: notice_bundle(m, nonce=OTHER_TOKEN))
case("N8", CLOCK, "old", lambda m: Sample(m.notice(), {"now": now(m) - 60 + 4 * HOUR + 1}))
case("N8", CLOCK, "early", lambda m: Sample(m.notice(), {"now": now(m) - 60 - 4 * HOUR - 1}))
case(
    "N8",
    CLOCK,
    "clock turned back",
    lambda m: Sample(m.notice(), {"clock_mark": now(m) + 4 * HOUR + 1}),
)
case("N9", DATES, "after the grant", lambda m: notice_bundle(m, grant=m.host_grant(term=1)))


def mixed(one: str, other: str) -> str:
    """Header and signature of one object, payload of the other."""
    head, _, signature = one.split(".")
    return f"{head}.{other.split('.')[1]}.{signature}"


# Reading as careless programs do, in place of step 1.


def _careless(text: str) -> Compact:
    head, body, signature = text.split(".")

    def decode(part: str) -> bytes:
        return base64.urlsafe_b64decode(part + "==")

    return Compact(
        text,
        json.loads(decode(head)),
        json.loads(decode(body)),
        f"{head}.{body}".encode(),
        decode(signature),
    )


def _careless_step(case: Case) -> None:
    value = json.loads(case.data)
    case.grant = _careless(value["grant"])
    case.signed = _careless(value.get("lease") or value.get("notice") or value["grant"])
    if "signer" in value:
        case.signer = PublicKey(base64.urlsafe_b64decode(value["signer"]["x"] + "="))
    case.text = case.data.decode()


def without(steps: tuple[Step, ...], number: str) -> tuple[Step, ...]:
    """The steps but one; the first is replaced by careless reading."""
    kept = tuple(step for step in steps if step.number != number)
    if number == steps[0].number:
        return (Step(number, "careless reading", _careless_step, ()), *kept)
    return kept


Verifier = Callable[[bytes, Expected, tuple[Step, ...]], object]


def verifier(number: str) -> tuple[Verifier, tuple[Step, ...]]:
    """The verifying function and its steps, by the number of a step."""
    if number.startswith("A"):
        return verify_activation, GRANT_STEPS
    if number.startswith("N"):
        return verify_notice, NOTICE_STEPS
    return verify_lease, LEASE_STEPS


@pytest.mark.parametrize(
    ("number", "code", "build"),
    [
        pytest.param(number, code, build, id=f"{number} {name}")
        for number, code, name, build in CASES
    ],
)
def test_exactly_its_own_step_refuses_it(
    maker: Maker, number: str, code: str, build: Callable[[Maker], Sample]
) -> None:
    sample = build(maker)
    expected = maker.expected(**sample.expected)
    verify, steps = verifier(number)
    with pytest.raises(MusterError) as caught:
        verify(sample.data, expected, steps)
    assert caught.value.code == code
    step = next(step for step in steps if step.number == number)
    assert code in step.codes
    assert verify(sample.data, expected, without(steps, number))
    for other in steps:
        if other.number != number:
            with pytest.raises(MusterError) as caught:
                verify(sample.data, expected, without(steps, other.number))
            assert caught.value.code == code


def test_every_step_and_every_error_has_a_case() -> None:
    wanted = {
        (step.number, code)
        for steps in (LEASE_STEPS, GRANT_STEPS, NOTICE_STEPS)
        for step in steps
        for code in step.codes
    }
    assert {(number, code) for number, code, _, _ in CASES} == wanted


def test_steps_are_numbered_in_order() -> None:
    assert [step.number for step in LEASE_STEPS] == [str(n) for n in range(1, 13)]
    assert [step.number for step in GRANT_STEPS] == [f"A{n}" for n in range(1, 8)]
    assert [step.number for step in NOTICE_STEPS] == [f"N{n}" for n in range(1, 10)]


def test_the_publisher_is_judged_twice(maker: Maker) -> None:
    """Step A3 already refuses another publisher's grant; A5 does so on its own."""
    data = machine_grant(maker, iss="b" * 16, aud="b" * 16 + "/contoso-desktop")
    for steps, code in ((GRANT_STEPS, GRANT), (without(GRANT_STEPS, "A3"), AUDIENCE)):
        with pytest.raises(MusterError) as caught:
            verify_activation(data, maker.expected(), steps)
        assert caught.value.code == code


def test_a_setup_key_grants_nothing(maker: Maker) -> None:
    payload = mak_payload(maker)
    payload["muster"] |= {"kind": "setup", "key": "2-3-815"}
    text = sign(payload, GRANT_TYP, maker.grant_key)
    with pytest.raises(MusterError) as caught:
        verify_activation(ActivationBundle(text).encode(), maker.expected())
    assert caught.value.code == GRANT
