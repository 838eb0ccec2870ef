"""docs/spec/04-grant-function.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lease.trees import tree

from muster.core.errors import MusterError
from muster.core.identity import host_binding
from muster.core.ids import ConfirmationId, parse_confirmation_id
from muster.core.keys import KeyId, Kind
from muster.core.products import DAY, KeyGroup, day_start
from muster.lease import strict
from muster.lease.grant import (
    TERM,
    GrantValues,
    confirmation_of,
    grant_payload,
    grant_signing_input,
    issue_grant,
    read_grant,
    rebuild_grant,
)
from muster.lease.jws import GRANT_TYP, TERMS_TYP, MemorySigningKey, parse, sign
from muster.lease.trust import TrustKey, anchor, follow

if TYPE_CHECKING:
    from tests.lease.conftest import Maker

KeyOf = Callable[[str], MemorySigningKey]


def code_of(call: Callable[..., object], *args: object) -> str:
    """The code that the call raises."""
    with pytest.raises(MusterError) as caught:
        call(*args)
    return caught.value.code


def test_the_bytes_of_a_machines_grant(maker: Maker) -> None:
    """Sections 4.1 and 4.2, written out by hand."""
    kid = maker.grant_key.public.kid
    key_id = KeyId(Kind.MAK, 3, 815)
    said = GrantValues("abcdefghijklmnop", key_id, "0" * 25, None, 2, 1, maker.desktop)
    signed = grant_signing_input(said, kid)
    head, body = signed.decode().split(".")
    assert strict.b64url_decode(head, 999) == (
        b'{"alg":"EdDSA","kid":"' + kid.encode() + b'","typ":"muster-grant+jwt"}'
    )
    payload = strict.b64url_decode(body, 9999)
    jti = json.loads(payload)["jti"]
    assert payload == (
        b'{"aud":"abcdefghijklmnop/contoso-desktop","exp":1772496000,"iat":1767312000,'
        b'"iss":"abcdefghijklmnop","jti":"' + jti.encode() + b'","muster":{"binding":"'
        b'0000000000000000000000000","covers":["contoso-desktop"],"key":"1-3-815",'
        b'"kind":"mak","v":1}}'
    )
    assert 60 * DAY == 1772496000 - 1767312000


def test_the_bytes_of_a_hosts_grant(maker: Maker) -> None:
    key_id = KeyId(Kind.HOST, 7, 1)
    said = GrantValues("abcdefghijklmnop", key_id, "f" * 25, "00000000000a", 0, 0, maker.server)
    signed = grant_signing_input(said, maker.grant_key.public.kid)
    payload = strict.b64url_decode(signed.decode().split(".")[1], 9999)
    jti = json.loads(payload)["jti"]
    assert payload == (
        b'{"aud":"abcdefghijklmnop/contoso-server","iat":1767225600,"iss":"abcdefghijklmnop",'
        b'"jti":"' + jti.encode() + b'","muster":{"binding":"fffffffffffffffffffffffff",'
        b'"covers":["contoso-desktop","contoso-server"],"hw":"00000000000a","key":"0-7-1",'
        b'"kind":"host","max_lease":15552000,"v":1}}'
    )


def test_reading(maker: Maker) -> None:
    found = read_grant(maker.host_grant(term=12), maker.trust, maker.publisher)
    assert (found.issuer, found.group, found.kind) == (maker.publisher, "contoso-server", "host")
    assert found.key_id == maker.host_key_id
    assert (found.day, found.term, found.iat) == (300, 12, day_start(300))
    assert found.exp == day_start(300) + 12 * TERM
    assert found.covers == maker.server.covers
    assert (found.hw, found.max_lease) == ("0123456789ab", 180 * DAY)
    assert found.kid == maker.grant_key.public.kid
    mak = read_grant(maker.mak_grant(), maker.trust, maker.publisher)
    assert (mak.exp, mak.term, mak.hw, mak.max_lease, mak.kind) == (None, 0, None, None, "mak")


def test_a_re_issue_is_the_same_licence(maker: Maker) -> None:
    first = read_grant(maker.mak_grant(), maker.trust, maker.publisher)
    assert maker.mak_grant() == first.text
    again = read_grant(
        maker.mak_grant(key=maker.grant_key, day=first.day, term=first.term),
        maker.trust,
        maker.publisher,
    )
    assert again == first
    other = read_grant(maker.mak_grant(binding="1" * 25), maker.trust, maker.publisher)
    assert other.jti != first.jti


def values(maker: Maker, **change: Any) -> GrantValues:
    """The values of a machine's grant."""
    return replace(
        GrantValues(maker.publisher, maker.mak_key_id, maker.binding, None, 0, 0, maker.desktop),
        **change,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"day": -1},
        {"day": 65_536},
        {"term": -1},
        {"term": 64},
        {"key_id": KeyId(Kind.SETUP, 3, 1)},
        {"key_id": KeyId(Kind.EVALUATION, 3, 1)},
        {"hw": "0123456789ab"},
        {"key_id": KeyId(Kind.MAK, 4, 815)},
        {"key_id": KeyId(Kind.HOST, 3, 1)},
    ],
    ids=repr,
)
def test_what_a_grant_cannot_say(maker: Maker, change: dict[str, Any]) -> None:
    with pytest.raises(MusterError) as caught:
        grant_payload(values(maker, **change))
    assert caught.value.code == "grant/range"


@pytest.mark.parametrize(
    "change",
    [
        {"publisher": "Contoso"},
        {"binding": "0" * 24},
        {"binding": "F" * 25},
        {"key_id": KeyId(Kind.HOST, 3, 1), "hw": "x"},
    ],
    ids=repr,
)
def test_grammar(maker: Maker, change: dict[str, Any]) -> None:
    with pytest.raises(MusterError) as caught:
        grant_payload(values(maker, **change))
    assert caught.value.code == "id/grammar"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"covers": ()}, "licence/claims"),
        ({"covers": ("b", "a")}, "licence/claims"),
        ({"covers": tuple(f"c{n:02}" for n in range(17))}, "licence/malformed"),
        ({"max_lease": 0}, "licence/claims"),
    ],
    ids=repr,
)
def test_nothing_is_signed_that_no_reader_takes(
    maker: Maker, change: dict[str, Any], code: str
) -> None:
    group = replace(maker.server, **change)
    assert code_of(lambda: maker.host_grant(group=group)) == code


def test_an_evaluation_ends(maker: Maker) -> None:
    key_id = KeyId(Kind.EVALUATION, 3, 1)
    assert code_of(lambda: maker.mak_grant(key_id=key_id, term=0)) == "grant/range"
    grant = read_grant(maker.mak_grant(key_id=key_id, term=1), maker.trust, maker.publisher)
    assert grant.exp == grant.iat + 30 * DAY
    payload = tree(parse(grant.text, strict.SMALL, "grant").payload)
    endless = {name: value for name, value in payload.items() if name != "exp"}
    text = sign(endless, GRANT_TYP, maker.grant_key)
    assert code_of(read_grant, text, maker.trust, maker.publisher) == "licence/claims"


# Digits (4.3, 4.4).


def test_a_machine_rebuilds_its_grant_from_digits(maker: Maker) -> None:
    text = maker.mak_grant(term=3)
    spoken = confirmation_of(text, 0).text
    heard = parse_confirmation_id(spoken)
    rebuilt = rebuild_grant(
        heard, maker.publisher, maker.mak_key_id, maker.binding, None, maker.desktop, maker.trust
    )
    assert rebuilt == text


def test_a_host_rebuilds_its_grant_from_digits(maker: Maker) -> None:
    text = maker.host_grant()
    binding = host_binding(maker.publisher, maker.host_key_id, maker.host_key.public.raw)
    rebuilt = rebuild_grant(
        confirmation_of(text, 0),
        maker.publisher,
        maker.host_key_id,
        binding,
        "0123456789ab",
        maker.server,
        maker.trust,
    )
    assert rebuilt == text


@given(
    serial=st.integers(0, 2**24 - 1),
    binding=st.integers(0, 2**100 - 1),
    day=st.integers(0, 65_535),
    term=st.integers(0, 63),
    kind=st.sampled_from([Kind.HOST, Kind.MAK, Kind.EVALUATION, Kind.RETAIL]),
    seed=st.binary(min_size=32, max_size=32),
    index=st.integers(0, 255),
)
def test_any_grant_is_rebuilt_byte_for_byte(
    maker: Maker,
    serial: int,
    binding: int,
    day: int,
    term: int,
    kind: Kind,
    seed: bytes,
    index: int,
) -> None:
    key = MemorySigningKey(seed)
    trust = anchor(maker.sign_trust(keys=[TrustKey(key.public, "grant", index)]))
    key_id = KeyId(kind, 3, serial)
    term = max(term, 1) if kind is Kind.EVALUATION else term
    bound = f"{binding:025x}"
    hw = "abcdefabcdef" if kind is Kind.HOST else None
    text = issue_grant(
        GrantValues(
            publisher=maker.publisher,
            key_id=key_id,
            binding=bound,
            hw=hw,
            term=term,
            day=day,
            group=maker.desktop,
        ),
        key,
    )
    heard = parse_confirmation_id(confirmation_of(text, index).text)
    assert rebuild_grant(heard, maker.publisher, key_id, bound, hw, maker.desktop, trust) == text
    grant = read_grant(text, trust, maker.publisher)
    assert (grant.day, grant.term, grant.key_id, grant.binding) == (day, term, key_id, bound)


def rebuild_with(maker: Maker, confirmation: ConfirmationId, **change: Any) -> str:
    """Rebuild the machine's grant with some other values."""
    given_values: dict[str, Any] = {
        "publisher": maker.publisher,
        "key_id": maker.mak_key_id,
        "binding": maker.binding,
        "hw": None,
        "group": maker.desktop,
        "trust": maker.trust,
    } | change
    return rebuild_grant(confirmation, **given_values)


def test_digits_of_another_machine_or_key(maker: Maker, keys: KeyOf) -> None:
    good = confirmation_of(maker.mak_grant(), 0)
    wider = KeyGroup(3, "contoso-desktop", ("contoso-desktop", "contoso-office"), 180 * DAY)
    for change in (
        {"binding": "1" * 25},
        {"key_id": KeyId(Kind.MAK, 3, 816)},
        {"key_id": KeyId(Kind.EVALUATION, 3, 815)},
        {"publisher": "b" * 16},
        {"group": wider},
    ):
        with pytest.raises(MusterError) as caught:
            rebuild_with(maker, good, **change)
        assert caught.value.code == "confirmation/signature"
    flipped = bytes([good.signature[0] ^ 1]) + good.signature[1:]
    for bad in (
        replace(good, day=good.day + 1),
        replace(good, term=1),
        replace(good, signature=flipped),
    ):
        assert code_of(rebuild_with, maker, bad) == "confirmation/signature"
    assert code_of(rebuild_with, maker, replace(good, key_index=1)) == "confirmation/key"


def test_digits_under_a_retired_or_withdrawn_key(maker: Maker, keys: KeyOf) -> None:
    good = confirmation_of(maker.mak_grant(), 0)
    for until, code in ((good.day, None), (good.day - 1, "confirmation/key")):
        entry = TrustKey(maker.grant_key.public, "grant", 0, until=until)
        trust = follow(maker.trust, maker.sign_trust(version=2, keys=[entry]))
        if code is None:
            assert rebuild_with(maker, good, trust=trust) == maker.mak_grant()
        else:
            with pytest.raises(MusterError) as caught:
                rebuild_with(maker, good, trust=trust)
            assert caught.value.code == code
    reused = TrustKey(keys("grant 2").public, "grant", 0)
    trust = follow(maker.trust, maker.sign_trust(version=2, keys=[reused]))
    with pytest.raises(MusterError) as caught:
        rebuild_with(maker, good, trust=trust)
    assert caught.value.code == "confirmation/signature"


def test_confirmation_of_what_is_no_grant(maker: Maker) -> None:
    assert code_of(confirmation_of, "x", 0) == "licence/malformed"
    assert code_of(confirmation_of, maker.trust_text, 0) == "licence/malformed"
    small = sign({"iat": 1}, GRANT_TYP, maker.grant_key)
    assert code_of(confirmation_of, small, 0) == "licence/claims"
    assert code_of(confirmation_of, maker.mak_grant(), 256) == "id/range"


# Reading (4.5).


def test_whose_grant(maker: Maker, keys: KeyOf) -> None:
    good = maker.host_grant()
    assert code_of(read_grant, good, maker.trust, "b" * 16) == "licence/grant"
    for signer in (maker.stranger, maker.catalogue_key, maker.working, maker.reserve):
        text = maker.host_grant(key=signer)
        assert code_of(read_grant, text, maker.trust, maker.publisher) == "licence/grant"
    head, _, signature = good.split(".")
    body = maker.host_grant(term=63).split(".")[1]
    mixed = f"{head}.{body}.{signature}"
    assert code_of(read_grant, mixed, maker.trust, maker.publisher) == "licence/grant"
    terms = sign(maker.grant_payload(), TERMS_TYP, maker.grant_key)
    assert code_of(read_grant, terms, maker.trust, maker.publisher) == "licence/header"
    entry = TrustKey(maker.grant_key.public, "grant", 0, until=299)
    trust = follow(maker.trust, maker.sign_trust(version=2, keys=[entry]))
    assert code_of(read_grant, good, trust, maker.publisher) == "licence/grant"
    assert read_grant(maker.host_grant(day=299), trust, maker.publisher).day == 299


@pytest.mark.parametrize(
    "change",
    [
        {"aud": ...},
        {"aud": "contoso-server"},
        {"aud": "aaaaaaaaaaaaaaaa/contoso-server"},
        {"aud": ["x"]},
        {"exp": "never"},
        {"exp": None},
        {"jti": ...},
        {"jti": "short"},
        {"binding": ...},
        {"binding": "0" * 26},
        {"covers": ...},
        {"covers": "all"},
        {"covers": []},
        {"covers": ["b", "a"]},
        {"covers": ["a", "a"]},
        {"covers": [1]},
        {"hw": ...},
        {"hw": "0123456789AB"},
        {"key": ...},
        {"key": "0-7"},
        {"key": "0-1024-1"},
        {"key": "0-7-16777216"},
        {"key": "0-07-1"},
        {"key": "1-7-4711"},
        {"key": 1},
        {"kind": ...},
        {"kind": "setup"},
        {"kind": "mak"},
        {"kind": ["host"]},
        {"max_lease": ...},
        {"max_lease": 0},
        {"max_lease": True},
        {"v": ...},
        {"v": 0},
    ],
    ids=repr,
)
def test_claims(maker: Maker, change: dict[str, Any]) -> None:
    payload = maker.grant_payload()
    for name, value in change.items():
        place = payload if name in {*payload, "exp"} else payload["muster"]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    text = sign(payload, GRANT_TYP, maker.grant_key)
    assert code_of(read_grant, text, maker.trust, maker.publisher) == "licence/claims"
    assert code_of(confirmation_of, text, 0) == "licence/claims"


def test_iat_and_iss_are_judged_with_the_signature(maker: Maker) -> None:
    for change in ({"iat": None}, {"iat": "1"}, {"iss": 1}, {"iss": "b" * 16}):
        text = sign(maker.grant_payload() | change, GRANT_TYP, maker.grant_key)
        assert code_of(read_grant, text, maker.trust, maker.publisher) == "licence/grant"


def test_machine_grants_have_no_host_members(maker: Maker) -> None:
    payload = tree(parse(maker.mak_grant(), strict.SMALL).payload)
    for name, value in (("hw", "0123456789ab"), ("max_lease", 1)):
        muster = payload["muster"] | {name: value}
        text = sign(payload | {"muster": muster}, GRANT_TYP, maker.grant_key)
        assert code_of(read_grant, text, maker.trust, maker.publisher) == "licence/claims"


def test_later_formats_and_unknown_members(maker: Maker) -> None:
    payload = maker.grant_payload()
    payload["muster"] |= {"v": 2, "kind": "of a later format"}
    text = sign(payload, GRANT_TYP, maker.grant_key)
    assert code_of(read_grant, text, maker.trust, maker.publisher) == "licence/version"
    payload = maker.grant_payload() | {"note": {"a": [1]}, "EXP": 1}
    text = sign(payload, GRANT_TYP, maker.grant_key)
    assert read_grant(text, maker.trust, maker.publisher).exp is None


@given(st.text(max_size=200))
def test_any_text_gives_a_grant_or_an_error(maker: Maker, text: str) -> None:
    with pytest.raises(MusterError):
        read_grant(text, maker.trust, maker.publisher)
