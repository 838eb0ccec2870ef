"""docs/spec/05-verification.md: what verification tells, its clocks, and its limits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lease.trees import tree
from tests.profiles import examples

from muster.core.errors import MusterError
from muster.core.identity import publisher_id
from muster.core.keys import KeyId, Kind
from muster.core.products import DAY, Revocation, day_start
from muster.lease import strict
from muster.lease.bundle import Bundle, read_bundle
from muster.lease.grant import read_grant
from muster.lease.jws import LEASE_TYP, MemorySigningKey, parse, sign
from muster.lease.steps import Expected, advance_mark, effective_now
from muster.lease.trust import TrustKey, anchor, follow
from muster.lease.verify import (
    GRANT_STEPS,
    LEASE_STEPS,
    NOTICE_STEPS,
    explain,
    open_licence,
    steps_for,
    verify_activation,
    verify_lease,
    verify_notice,
)

if TYPE_CHECKING:
    from tests.lease.conftest import Maker

KeyOf = Callable[[str], MemorySigningKey]
HOUR = 3600


def code_of(call: Callable[..., object], *args: object) -> str:
    """The code that the call raises."""
    with pytest.raises(MusterError) as caught:
        call(*args)
    return caught.value.code


# What is told.


def test_a_verified_lease(maker: Maker) -> None:
    claims = maker.lease_claims()
    data = maker.bundle()
    licence = verify_lease(data, maker.expected(fresh=True))
    assert licence.publisher == maker.publisher
    assert (licence.product, licence.group) == (maker.product.id, "contoso-desktop")
    assert (licence.cmid, licence.kind) == (maker.cmid, "lease")
    assert (licence.issued, licence.expires) == (claims.iat, claims.exp)
    assert licence.renew_at == claims.iat + 7 * DAY
    assert (licence.retry_after, licence.count, licence.need) == (7200, 25, 25)
    assert (licence.trust, licence.catalogue) == (1, 1)
    assert not licence.weak_fingerprint
    assert licence.key == maker.host_key_id.text
    grant = read_grant(maker.host_grant(), maker.trust, maker.publisher)
    assert licence.grant_jti == grant.jti
    assert licence.text.encode() == data


def test_what_is_stored_is_the_bundle_alone(maker: Maker) -> None:
    value = strict.read(maker.bundle(), strict.BUNDLE)
    answer = strict.canonical(value | {"count": 99, "need": 1, "trust": 7, "catalogue": 7})
    licence = verify_lease(answer, maker.expected(fresh=True))
    assert licence.text.encode() == maker.bundle()
    assert (licence.count, licence.trust) == (25, 1), "the unsigned ones are not believed"
    assert verify_lease(licence.text.encode(), maker.expected()) == licence


def test_a_verified_activation(maker: Maker) -> None:
    licence = verify_activation(maker.activation(), maker.expected())
    assert (licence.kind, licence.cmid, licence.expires) == ("mak", None, None)
    assert (licence.group, licence.issued) == ("contoso-desktop", day_start(327))
    assert (licence.count, licence.renew_at, licence.trust) == (None, None, None)
    assert licence.text.encode() == maker.activation()
    assert not licence.weak_fingerprint, "a grant is bound to its machine; no facts are in it"
    trial = maker.activation(key_id=KeyId(Kind.EVALUATION, 3, 1), term=3)
    found = verify_activation(trial, maker.expected())
    assert (found.kind, found.expires) == ("evaluation", day_start(327 + 90))
    retail = maker.activation(key_id=KeyId(Kind.RETAIL, 3, 1))
    assert verify_activation(retail, maker.expected()).kind == "retail"


def test_a_key_of_a_higher_group_licenses_lower_products(maker: Maker) -> None:
    data = maker.activation(key_id=KeyId(Kind.MAK, 7, 1), group=maker.server)
    licence = verify_activation(data, maker.expected())
    assert (licence.group, licence.product) == ("contoso-server", maker.product.id)


def test_a_verified_notice(maker: Maker) -> None:
    found = verify_notice(maker.notice(), maker.expected(fresh=True))
    assert (found.code, found.cmid) == ("host/duplicate-cmid", maker.cmid)
    assert (found.publisher, found.product) == (maker.publisher, maker.product.id)


def test_one_kind_is_never_taken_for_another(maker: Maker) -> None:
    kinds = (
        (verify_lease, maker.bundle()),
        (verify_notice, maker.notice()),
        (verify_activation, maker.activation()),
    )
    for verify, own in kinds:
        for _, data in kinds:
            if data is not own:
                assert code_of(verify, data, maker.expected()) in {
                    "licence/malformed",
                    "licence/grant",
                }
    lease = json.loads(maker.bundle())
    swapped = strict.canonical(lease | {"lease": json.loads(maker.notice())["notice"]})
    assert code_of(verify_lease, swapped, maker.expected()) == "licence/header"
    swapped = strict.canonical(lease | {"lease": lease["grant"]})
    assert code_of(verify_lease, swapped, maker.expected()) == "licence/header"
    swapped = strict.canonical(lease | {"grant": maker.mak_grant()})
    assert code_of(verify_lease, swapped, maker.expected()) == "licence/grant"
    swapped = strict.canonical(lease | {"grant": maker.trust_text})
    assert code_of(verify_lease, swapped, maker.expected()) == "licence/malformed"
    swapped = strict.canonical(lease | {"grant": maker.sign_terms()})
    assert code_of(verify_lease, swapped, maker.expected()) == "licence/grant"


def test_both_names_of_the_algorithm_are_verified(maker: Maker) -> None:
    bundle = read_bundle(maker.bundle())
    payload = tree(parse(bundle.lease, strict.SMALL).payload)
    head = {"alg": "Ed25519", "kid": maker.host_key.public.kid, "typ": LEASE_TYP}
    text = ".".join(strict.b64url_encode(strict.canonical(part)) for part in (head, payload))
    text += "." + strict.b64url_encode(maker.host_key.sign(text.encode()))
    data = Bundle(text, bundle.grant, bundle.signer).encode()
    assert verify_lease(data, maker.expected()).count == 25


# Edges of the steps that count.


def test_fingerprints(maker: Maker) -> None:
    disk, card, uuid = maker.fingerprint
    other_disk, other_card, other_uuid = (one[0] + "0" * 16 for one in maker.fingerprint)

    more = tuple(sorted((*maker.fingerprint, "b" + "0" * 16)))
    for here in ((disk,), (card,), (uuid,), (other_disk, card), (disk, other_card), more):
        assert verify_lease(maker.bundle(), maker.expected(fingerprint=here))
    for here in ((other_disk, other_card, uuid), (disk, card, other_uuid)):
        expected = maker.expected(fingerprint=here)
        assert code_of(verify_lease, maker.bundle(), expected) == "licence/fingerprint"
    assert not verify_lease(maker.bundle(), maker.expected()).weak_fingerprint
    for few in ((card,), (card, other_card)):
        data = maker.bundle(fingerprint=tuple(sorted(few)))
        assert verify_lease(data, maker.expected(fingerprint=few)).weak_fingerprint


def test_only_explicit_may_lack_facts(maker: Maker) -> None:
    for mode in ("machine", "device", "node"):
        data = maker.bundle(fingerprint=(), identity=mode)
        expected = maker.expected(identity=mode)
        assert code_of(verify_lease, data, expected) == "licence/fingerprint"
    data = maker.bundle(fingerprint=(), identity="explicit")
    found = verify_lease(data, maker.expected(identity="explicit", fingerprint=()))
    assert found.weak_fingerprint
    data = maker.bundle(identity="explicit")
    expected = maker.expected(identity="explicit", fingerprint=())
    assert code_of(verify_lease, data, expected) == "licence/fingerprint"


def test_only_modes_that_the_product_allows(maker: Maker) -> None:
    modes = ("machine", "device", "node")
    product = replace(maker.product, identity=modes)
    descriptor = replace(maker.descriptor, product=product)
    for mode in modes:
        expected = maker.expected(descriptor=descriptor, identity=mode)
        assert verify_lease(maker.bundle(identity=mode), expected)
    data = maker.bundle(fingerprint=(), identity="explicit")
    expected = maker.expected(descriptor=descriptor, identity="explicit", fingerprint=())
    with pytest.raises(MusterError) as caught:
        verify_lease(data, expected)
    assert caught.value.code == "licence/machine"
    assert "does not allow the identity mode explicit" in caught.value.what


@pytest.mark.parametrize("name", ["renew_after", "retry_after"])
def test_spans_at_their_edges(maker: Maker, name: str) -> None:
    for span in (1, 2**31 - 1):
        assert verify_lease(maker.bundle(**{name: span}), maker.expected())
    for span in (0, 2**31):
        assert code_of(lambda: maker.bundle(**{name: span})) == "licence/claims"  # noqa: B023


def test_dates_at_their_edges(maker: Maker) -> None:
    noon = maker.lease_claims().iat
    good = [
        maker.bundle(exp=noon + 180 * DAY),
        maker.bundle(iat=day_start(299), exp=day_start(299) + 180 * DAY),
    ]
    for data in good:
        assert verify_lease(data, maker.expected())
    grant = maker.host_grant(term=3)
    lease = read_bundle(maker.bundle(exp=day_start(390))).lease
    data = Bundle(lease, grant, maker.host_key.public).encode()
    assert verify_lease(data, maker.expected()).expires == day_start(390)


def test_a_grant_may_lie_in_the_future(maker: Maker) -> None:
    """A dead clock says 2000; the telephone activation of today holds all the same."""
    assert verify_activation(maker.activation(), maker.expected(now=946_684_800))
    ends = maker.activation(term=3)
    for now in (0, 946_684_800):
        assert code_of(verify_activation, ends, maker.expected(now=now)) == "licence/clock"


# Clocks (5.5).


def test_the_clock_mark() -> None:
    assert advance_mark(0, 100, 200) == 100
    assert advance_mark(150, 100, 200) == 150
    assert advance_mark(0, 2_208_988_800, 200) == 200, "a host in 2040 raises it to our clock only"
    assert advance_mark(300, 250, 200) == 300
    assert effective_now(100, 300) == 300
    assert effective_now(300, 100) == 300


@given(st.integers(0, 2**53), st.integers(0, 2**53), st.integers(0, 2**53))
def test_the_clock_mark_only_rises_and_never_over_the_clock(mark: int, iat: int, now: int) -> None:
    new = advance_mark(mark, iat, now)
    assert new >= mark
    assert new <= max(mark, now)


def test_a_clock_that_was_turned_back(maker: Maker) -> None:
    end = maker.lease_claims().exp
    now = maker.expected().now
    assert verify_lease(maker.bundle(), maker.expected(clock_mark=now + 4 * HOUR))
    assert code_of(verify_lease, maker.bundle(), maker.expected(clock_mark=now + 4 * HOUR + 1)) == (
        "licence/clock"
    )
    short = maker.bundle(exp=now + HOUR)
    assert code_of(verify_lease, short, maker.expected(clock_mark=now + HOUR)) == "licence/expired"
    assert code_of(verify_lease, maker.bundle(), maker.expected(now=end, clock_mark=end)) == (
        "licence/expired"
    )
    assert verify_activation(maker.activation(), maker.expected(clock_mark=2**53))
    trial = maker.activation(term=1)
    assert verify_activation(trial, maker.expected(clock_mark=day_start(357) - 1))


def test_a_host_in_2040(maker: Maker) -> None:
    """Its leases are refused while it is wrong, and nothing stays behind when it is right again."""
    then = 2_208_988_800
    data = maker.bundle(iat=then, exp=then + 180 * DAY)
    for fresh in (True, False):
        assert code_of(verify_lease, data, maker.expected(fresh=fresh)) == "licence/clock"
    mark = advance_mark(0, then, maker.expected().now)
    assert verify_lease(maker.bundle(), maker.expected(clock_mark=mark, fresh=True))


# Revocation (5.7).


def test_revocation_of_a_host(maker: Maker) -> None:
    iat, exp = maker.lease_claims().iat, maker.lease_claims().exp
    grant = read_grant(maker.host_grant(), maker.trust, maker.publisher)

    def expected(at: int, **change: Any) -> Expected:
        catalogue = maker.catalogue(Revocation(grant.jti, None, at))
        return maker.expected(catalogue=catalogue, **change)

    assert iat > day_start(330)
    assert code_of(verify_lease, maker.bundle(), expected(330)) == "licence/revoked"
    later = verify_lease(maker.bundle(), expected(331))
    assert later.expires == day_start(361)
    at_noon = maker.bundle(iat=day_start(331), exp=exp)
    now = day_start(331)
    assert verify_lease(at_noon, expected(331, now=now)).expires == day_start(361)
    last = day_start(361) - 1
    assert verify_lease(maker.bundle(), expected(331, now=last))
    assert code_of(verify_lease, maker.bundle(), expected(331, now=last + 1)) == "licence/revoked"
    assert code_of(verify_lease, maker.bundle(), expected(331, clock_mark=last + 1, now=last)) == (
        "licence/revoked"
    )
    far = verify_lease(maker.bundle(), expected(5000))
    assert far.expires == exp
    assert code_of(verify_lease, maker.bundle(), expected(5000, now=exp)) == "licence/expired"


def test_revocation_by_key_and_of_others(maker: Maker) -> None:
    by_key = maker.catalogue(Revocation(None, maker.host_key_id.text, 0))
    assert code_of(verify_lease, maker.bundle(), maker.expected(catalogue=by_key)) == (
        "licence/revoked"
    )
    others = maker.catalogue(
        Revocation("AAAAAAAAAAAAAAAAAAAAAA", None, 0), Revocation(None, "0-7-1", 0)
    )
    assert verify_lease(maker.bundle(), maker.expected(catalogue=others))
    assert verify_activation(maker.activation(), maker.expected(catalogue=others))


def test_a_catalogue_that_trust_withdrew_says_nothing(maker: Maker, keys: KeyOf) -> None:
    evil = maker.catalogue(Revocation(None, maker.host_key_id.text, 0))
    trust = follow(
        maker.trust,
        maker.sign_trust(
            version=2, keys=[TrustKey(keys("catalogue 2").public, "catalogue"), maker.keys[1]]
        ),
    )
    assert verify_lease(maker.bundle(), maker.expected(catalogue=evil, trust=trust))


# Trust from the descriptor.


def test_rotation(maker: Maker, keys: KeyOf) -> None:
    """A grant of a new key is good only for who has followed."""
    fresh = keys("grant 2")
    entry = TrustKey(fresh.public, "grant", 1)
    trust = follow(maker.trust, maker.sign_trust(version=2, keys=[*maker.keys, entry]))
    data = maker.activation(key=fresh)
    assert code_of(verify_activation, data, maker.expected()) == "licence/grant"
    assert verify_activation(data, maker.expected(trust=trust))
    assert verify_activation(maker.activation(), maker.expected(trust=trust))


def test_trust_of_another_publisher_is_a_bug_of_the_caller(maker: Maker, keys: KeyOf) -> None:
    root = keys("other root")
    issuer = publisher_id(root.public.raw)
    other = anchor(maker.sign_trust(root, issuer=issuer, roots=(root.public, maker.reserve.public)))
    with pytest.raises(ValueError, match="descriptor"):
        maker.expected(trust=other)


# Opening the licences of others (5.6).


def test_open_licence(maker: Maker) -> None:
    opened = open_licence(maker.bundle(), maker.trust, maker.publisher)
    assert opened.lease == maker.lease_claims()
    assert opened.grant.text == maker.host_grant()
    assert opened.signer == maker.host_key.public
    long_ago = maker.bundle(iat=1, exp=2, cmid="00000000-0000-4000-8000-000000000000")
    assert open_licence(long_ago, maker.trust, maker.publisher).lease.exp == 2


def test_open_licence_checks_signatures(maker: Maker) -> None:
    value = json.loads(maker.bundle())
    stranger = maker.stranger.public
    payload = tree(parse(value["lease"], strict.SMALL).payload)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"v": 2}, "licence/version"),
        ({"lease": "a.b.c"}, "licence/malformed"),
        ({"lease": value["grant"]}, "licence/header"),
        ({"grant": maker.host_grant(key=maker.stranger)}, "licence/grant"),
        ({"grant": maker.mak_grant()}, "licence/grant"),
        ({"signer": stranger.jwk}, "licence/signer"),
        ({"lease": sign(payload, LEASE_TYP, maker.stranger)}, "licence/signer"),
        (
            {"lease": sign(payload | {"iss": stranger.kid}, LEASE_TYP, maker.host_key)},
            "licence/signer",
        ),
        ({"lease": value["lease"][:-86] + "A" * 86}, "licence/signer"),
        ({"lease": sign(payload | {"jti": 1}, LEASE_TYP, maker.host_key)}, "licence/claims"),
    ]
    for change, code in cases:
        data = strict.canonical(value | change)
        assert code_of(open_licence, data, maker.trust, maker.publisher) == code
    assert code_of(open_licence, maker.bundle(), maker.trust, "b" * 16) == "licence/grant"


# Explaining.


def outcomes(data: bytes, expected: Expected, skip: tuple[str, ...] = ()) -> list[str]:
    """The outcome of each step."""
    return [result.outcome for result in explain(data, expected, skip)]


def test_explain_what_is_good(maker: Maker) -> None:
    for data in (maker.bundle(), maker.activation(), maker.notice()):
        assert set(outcomes(data, maker.expected())) == {"passed"}
    assert [result.number for result in explain(maker.bundle(), maker.expected())] == [
        step.number for step in LEASE_STEPS
    ]


def test_explain_stops_at_the_first_that_fails(maker: Maker) -> None:
    results = explain(maker.bundle(count=1), maker.expected())
    assert [result.outcome for result in results] == (
        ["passed"] * 9 + ["failed"] + ["not reached"] * 2
    )
    fault = results[9].error
    assert fault is not None
    assert fault.code == "licence/count"
    assert all(result.error is None for result in results if result is not results[9])


def test_explain_the_licence_of_another_machine(maker: Maker) -> None:
    stranger = Expected(maker.descriptor, maker.trust, maker.expected().now)
    assert "failed" in outcomes(maker.bundle(), stranger)
    assert outcomes(maker.bundle(), stranger, ("7", "11")).count("skipped") == 2
    assert "failed" not in outcomes(maker.bundle(), stranger, ("7", "11"))
    assert outcomes(b"", stranger, ("1",))[0] == "failed"


def test_explain_rubbish(maker: Maker) -> None:
    for data in (b"", b"{}", b"null", b'{"v":1}', b"\xff", b'{"lease":1}'):
        results = explain(data, maker.expected())
        assert results[0].outcome == "failed"
        assert {result.outcome for result in results[1:]} == {"not reached"}
    assert steps_for(b"{}") is LEASE_STEPS
    assert steps_for(b'{"grant":1}') is GRANT_STEPS
    assert steps_for(b'{"grant":1,"notice":2}') is NOTICE_STEPS


def test_every_error_prints_for_people(maker: Maker) -> None:
    """Far dates, too: the customer signs what it likes."""
    for data, expected in (
        (maker.bundle(iat=2**53 - 1, exp=2**53 - 1), maker.expected()),
        (maker.bundle(exp=2**53 - 1), maker.expected()),
        (maker.bundle(), maker.expected(now=10**9 * 9)),
        (maker.bundle(), maker.expected(clock_mark=2**53)),
    ):
        with pytest.raises(MusterError) as caught:
            verify_lease(data, expected)
        assert caught.value.what
        assert caught.value.why
        assert caught.value.fix
        assert "{" not in caught.value.what


# Any bytes, any JSON, any single change.


VERIFIERS = pytest.mark.parametrize("verify", [verify_lease, verify_activation, verify_notice])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**53 - 1) | st.text("a0-/.\x00é", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abv", max_size=2), inner),
    max_leaves=5,
)


@VERIFIERS
@given(data=st.binary(max_size=200))
def test_any_bytes_raise_an_error_of_the_catalogue(
    verify: Callable[[bytes, Expected], object], maker: Maker, data: bytes
) -> None:
    with pytest.raises(MusterError):
        verify(data, maker.expected())


LEASE_NAMES = ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "muster"]
MUSTER_NAMES = [
    "v",
    "group",
    "identity",
    "nonce",
    "renew_after",
    "retry_after",
    "count",
    "need",
    "fingerprint",
    "catalogue",
    "trust",
]
CODES = {code for step in LEASE_STEPS for code in step.codes}


@examples(400)
@given(
    outer=st.dictionaries(st.sampled_from(LEASE_NAMES), JSON, max_size=3),
    inner=st.dictionaries(st.sampled_from(MUSTER_NAMES), JSON, max_size=3),
    left_out=st.sampled_from([None, *(step.number for step in LEASE_STEPS[1:])]),
)
def test_a_host_that_signs_anything(
    maker: Maker, outer: dict[str, Any], inner: dict[str, Any], left_out: str | None
) -> None:
    """Also with any one step left out: no step leans on another one for types."""
    bundle = read_bundle(maker.bundle())
    payload = tree(parse(bundle.lease, strict.SMALL).payload)
    payload["muster"] = payload["muster"] | inner
    try:
        text = sign(payload | outer, LEASE_TYP, maker.host_key)
    except ValueError:
        return
    data = Bundle(text, bundle.grant, bundle.signer).encode()
    steps = tuple(step for step in LEASE_STEPS if step.number != left_out)
    try:
        licence = verify_lease(data, maker.expected(), steps)
    except MusterError as fault:
        assert fault.code in CODES
    else:
        assert licence.text.encode() == data


@examples(300)
@given(
    outer=st.dictionaries(
        st.sampled_from(["iss", "aud", "iat", "exp", "jti", "muster"]), JSON, max_size=3
    ),
    inner=st.dictionaries(
        st.sampled_from(["v", "kind", "key", "binding", "hw", "covers", "max_lease"]),
        JSON,
        max_size=3,
    ),
    left_out=st.sampled_from([None, *(step.number for step in GRANT_STEPS[1:])]),
)
def test_a_publisher_that_signs_anything(
    maker: Maker, outer: dict[str, Any], inner: dict[str, Any], left_out: str | None
) -> None:
    """A publisher's mistake gives an error, not a crash, in grants of machines and of hosts."""
    expected = maker.expected(catalogue=maker.catalogue(Revocation(None, "1-1-1", 1)))
    for good, typ in ((maker.mak_grant(), "activation"), (maker.host_grant(), "lease")):
        payload = tree(parse(good, strict.SMALL).payload)
        payload["muster"] = payload["muster"] | inner
        text = sign(payload | outer, "muster-grant+jwt", maker.grant_key)
        try:
            if typ == "activation":
                steps = tuple(step for step in GRANT_STEPS if step.number != left_out)
                verify_activation(strict.canonical({"v": 1, "grant": text}), expected, steps)
            else:
                bundle = read_bundle(maker.bundle())
                verify_lease(Bundle(bundle.lease, text, bundle.signer).encode(), expected)
        except MusterError as fault:
            assert fault.code.startswith("licence/")


def mutants(data: bytes, values: Callable[[int], list[int]]) -> list[bytes]:
    """The data with one byte changed."""
    return [
        data[:place] + bytes([value]) + data[place + 1 :]
        for place, old in enumerate(data)
        for value in values(old)
        if value != old
    ]


def check_mutants(maker: Maker, values: Callable[[int], list[int]]) -> None:
    """No changed byte gives another licence."""
    expected = maker.expected(fresh=True)
    for verify, data in (
        (verify_lease, maker.bundle()),
        (verify_activation, maker.activation()),
        (verify_notice, maker.notice()),
    ):
        good = verify(data, expected)
        for mutant in mutants(data, values):
            try:
                found = verify(mutant, expected)
            except MusterError:
                continue
            assert found == good, mutant


def test_one_changed_bit_never_gives_another_licence(maker: Maker) -> None:
    check_mutants(maker, lambda old: [old ^ (1 << bit) for bit in range(8)])


@pytest.mark.torture
def test_one_changed_byte_never_gives_another_licence(maker: Maker) -> None:
    check_mutants(maker, lambda old: list(range(256)))


def test_a_bundle_that_was_cut_or_grew_is_refused(maker: Maker) -> None:
    for verify, data in (
        (verify_lease, maker.bundle()),
        (verify_activation, maker.activation()),
        (verify_notice, maker.notice()),
    ):
        for length in range(len(data)):
            assert code_of(verify, data[:length], maker.expected()) == "licence/malformed"
            shorter = data[:length] + data[length + 1 :]
            with pytest.raises(MusterError):
                verify(shorter, maker.expected())


def test_what_verification_imports() -> None:
    """Ed25519 of `cryptography` and the standard library's light parts; no PEM, no X.509."""
    code = "import sys, muster.lease.verify; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    for heavy in (
        "asyncio",
        "cryptography.hazmat.primitives.serialization",
        "cryptography.x509",
        "dns",
        "http.client",
        "logging",
        "socket",
        "sqlite3",
        "ssl",
        "threading",
        "urllib.parse",
        "uuid",
    ):
        assert heavy not in loaded, heavy
