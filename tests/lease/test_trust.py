"""docs/spec/03-trust-and-catalogue.md, sections 3.1 to 3.4."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.lease.trees import tree

from muster.core.errors import MusterError
from muster.core.products import day_start
from muster.lease.jws import TRUST_TYP, MemorySigningKey, parse, sign
from muster.lease.strict import TRUST
from muster.lease.trust import (
    Trust,
    TrustClaims,
    TrustKey,
    anchor,
    follow,
    make_trust,
    parse_trust,
    walk,
    walk_store,
)

if TYPE_CHECKING:
    from tests.lease.conftest import Maker

KeyOf = Callable[[str], MemorySigningKey]


def code_of(call: Callable[..., object], *args: object) -> str:
    """The code that the call raises."""
    with pytest.raises(MusterError) as caught:
        call(*args)
    return caught.value.code


def forged(maker: Maker, signer: MemorySigningKey, number: int = 1, **change: Any) -> str:
    """A signed trust object that `make_trust` would not make; members are replaced as they are."""
    payload = tree(parse(maker.sign_trust(version=number), TRUST).payload)
    muster = payload["muster"]
    for name, value in change.items():
        place = payload if name in payload else muster
        if value is ...:
            del place[name]
        else:
            place[name] = value
    return sign(payload, TRUST_TYP, signer)


# The anchor (3.1).


def test_anchor_of_version_1(maker: Maker) -> None:
    trust = anchor(maker.trust_text)
    assert trust == parse_trust(maker.trust_text)
    assert (trust.issuer, trust.version, trust.label) == (maker.publisher, 1, "contoso")
    assert trust.roots == maker.roots
    assert trust.keys == maker.keys
    assert trust.text == maker.trust_text


def test_version_1_is_signed_by_its_working_root(maker: Maker) -> None:
    assert code_of(anchor, maker.sign_trust(maker.reserve)) == "trust/root"
    assert code_of(anchor, maker.sign_trust(maker.stranger)) == "trust/root"


def test_the_id_of_version_1_is_that_of_its_root(maker: Maker) -> None:
    text = maker.sign_trust(issuer="a" * 16)
    assert code_of(anchor, text) == "trust/publisher"


def test_anchor_of_a_higher_version(maker: Maker) -> None:
    for signer in (maker.working, maker.reserve):
        assert anchor(maker.sign_trust(signer, version=9)).version == 9
    assert code_of(anchor, maker.sign_trust(maker.stranger, version=9)) == "trust/root"


def test_a_change_of_roots_is_no_anchor_but_the_next_version_is(maker: Maker, keys: KeyOf) -> None:
    roots = (keys("working 2").public, keys("reserve 2").public)
    changed = maker.sign_trust(maker.reserve, version=2, roots=roots)
    assert code_of(anchor, changed) == "trust/root"
    after = maker.sign_trust(keys("working 2"), version=3, roots=roots)
    assert anchor(after).version == 3
    assert walk(maker.trust, [changed, after]).version == 3


def test_a_changed_anchor(maker: Maker) -> None:
    head, body, signature = maker.trust_text.split(".")
    other = maker.sign_trust(name="Contoso Limited").split(".")[1]
    assert code_of(anchor, f"{head}.{other}.{signature}") == "trust/signature"
    assert code_of(anchor, f"{head}.{body}") == "licence/malformed"


# Claims and laws (3.1, 3.2).


JWK = {"crv": "Ed25519", "kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


@pytest.mark.parametrize(
    "change",
    [
        {"iss": ...},
        {"iss": 1},
        {"iss": "A" * 16},
        {"iss": "a" * 15},
        {"iat": ...},
        {"iat": "1"},
        {"iat": True},
        {"version": ...},
        {"version": 0},
        {"version": "1"},
        {"label": ...},
        {"label": ""},
        {"label": "Contoso"},
        {"label": "a" * 21},
        {"label": "a.b"},
        {"label": "contoso\n"},
        {"name": ...},
        {"name": ""},
        {"name": "x" * 201},
        {"name": "a\nb"},
        {"name": "a\x1b[2J"},
        {"name": "a\u202eb"},
        {"name": None},
        {"roots": ...},
        {"roots": []},
        {"roots": [JWK]},
        {"roots": [JWK, JWK]},
        {"roots": {"working": JWK, "reserve": JWK}},
        {"roots": [JWK, "key"]},
        {"roots": [JWK, {**JWK, "d": "x"}]},
        {"keys": ...},
        {"keys": {}},
        {"keys": [1]},
        {"keys": [[]]},
        {"keys": [{"role": "catalogue"}]},
        {"keys": [{"jwk": JWK}]},
        {"keys": [{"jwk": JWK, "role": ""}]},
        {"keys": [{"jwk": JWK, "role": 1}]},
        {"keys": [{"jwk": JWK, "role": "grant"}]},
        {"keys": [{"jwk": JWK, "role": "grant", "index": None}]},
        {"keys": [{"jwk": JWK, "role": "grant", "index": 256}]},
        {"keys": [{"jwk": JWK, "role": "grant", "index": "0"}]},
        {"keys": [{"jwk": JWK, "role": "grant", "index": True}]},
        {"keys": [{"jwk": JWK, "role": "catalogue", "index": 0}]},
        {"keys": [{"jwk": JWK, "role": "catalogue", "until": None}]},
        {"keys": [{"jwk": JWK, "role": "catalogue", "until": "3"}]},
        {"keys": [{"jwk": JWK, "role": "catalogue", "until": 65536}]},
        {"keys": [{"jwk": {}, "role": "catalogue"}]},
        {"keys": [{"jwk": JWK, "role": "catalogue"}, {"jwk": JWK, "role": "catalogue"}]},
        {"keys": [{"jwk": JWK, "role": "catalogue"}, {"jwk": JWK, "role": "grant", "index": 1}]},
        {"v": ...},
        {"v": 0},
        {"v": "1"},
        {"v": True},
        {"muster": ...},
        {"muster": []},
    ],
    ids=repr,
)
def test_claims(maker: Maker, change: dict[str, Any]) -> None:
    assert code_of(anchor, forged(maker, maker.working, **change)) == "trust/claims"
    text = forged(maker, maker.working, 2, **change)
    assert code_of(follow, maker.trust, text) == "trust/claims"


def test_no_root_is_a_working_key(maker: Maker) -> None:
    for root in (maker.working, maker.reserve):
        entry = {"jwk": root.public.jwk, "role": "catalogue"}
        assert code_of(anchor, forged(maker, maker.working, keys=[entry])) == "trust/claims"


def test_indexes_are_different_within_a_version(maker: Maker, keys: KeyOf) -> None:
    twice = [TrustKey(keys("g1").public, "grant", 4), TrustKey(keys("g2").public, "grant", 4, 10)]
    assert code_of(lambda: maker.sign_trust(keys=twice)) == "trust/claims"


def test_a_role_of_a_later_program_opens_nothing(maker: Maker, keys: KeyOf) -> None:
    entry = TrustKey(keys("x").public, "timestamps")
    trust = anchor(maker.sign_trust(keys=[*maker.keys, entry]))
    for role in ("catalogue", "grant"):
        assert code_of(trust.find, entry.key.kid, role, 0) == "trust/key"


def test_unknown_members_are_ignored(maker: Maker) -> None:
    text = forged(maker, maker.working, keys=[{"jwk": JWK, "role": "catalogue", "note": [1]}])
    assert len(anchor(text).keys) == 1


def test_a_higher_format_version_asks_for_an_update(maker: Maker) -> None:
    text = forged(maker, maker.working, 2, v=2, keys="of another shape")
    assert code_of(follow, maker.trust, text) == "licence/version"
    unsigned = forged(maker, maker.stranger, 2, v=2)
    assert code_of(follow, maker.trust, unsigned) == "trust/root"


def test_make_trust_signs_only_what_readers_take(maker: Maker) -> None:
    changes: list[dict[str, Any]] = [
        {"version": 0},
        {"label": "UPPER"},
        {"name": "\n"},
        {"issuer": "x"},
    ]
    for change in changes:
        with pytest.raises(MusterError) as caught:
            maker.sign_trust(**change)
        assert caught.value.code == "trust/claims"


# Keys and days (3.2).


def test_keys_in_use_retired_withdrawn(maker: Maker, keys: KeyOf) -> None:
    use, retired = keys("g in use"), keys("g retired")
    trust = anchor(
        maker.sign_trust(
            keys=[
                TrustKey(use.public, "grant", index=7),
                TrustKey(retired.public, "grant", index=255, until=100),
            ]
        )
    )
    assert trust.find(use.public.kid, "grant", 65_535).index == 7
    assert trust.find(retired.public.kid, "grant", 100).until == 100
    assert trust.find(retired.public.kid, "grant", -3)
    assert code_of(trust.find, retired.public.kid, "grant", 101) == "trust/retired"
    assert code_of(trust.find, use.public.kid, "catalogue", 0) == "trust/key"
    assert code_of(trust.find, maker.working.public.kid, "grant", 0) == "trust/key"
    assert trust.grant_key(255).key == retired.public
    assert code_of(trust.grant_key, 8) == "trust/key"


# Following (3.3).


def test_the_working_root_signs_the_next_version(maker: Maker) -> None:
    second = follow(maker.trust, maker.sign_trust(version=2))
    assert second.version == 2
    for version in (1, 3, 2**53 - 1):
        text = maker.sign_trust(version=version)
        assert code_of(follow, maker.trust, text) == "trust/step"
    assert code_of(follow, second, maker.trust_text) == "trust/step"


def test_the_working_root_leaves_the_roots(maker: Maker, keys: KeyOf) -> None:
    other = keys("other root").public
    working, reserve = maker.roots
    for roots in ((working, other), (other, reserve), (reserve, working)):
        text = maker.sign_trust(version=2, roots=roots)
        assert code_of(follow, maker.trust, text) == "trust/roots"


def test_the_reserve_root_signs_any_higher_version_and_may_change_roots(
    maker: Maker, keys: KeyOf
) -> None:
    roots = (keys("working 2").public, keys("reserve 2").public)
    for version in (2, 3, 2**53 - 1):
        kept = follow(maker.trust, maker.sign_trust(maker.reserve, version=version))
        assert kept.version == version
        changed = maker.sign_trust(maker.reserve, version=version, roots=roots)
        assert follow(maker.trust, changed).roots == roots
    same = maker.sign_trust(maker.reserve, version=1, name="Other")
    assert code_of(follow, maker.trust, same) == "trust/step"


def test_old_roots_sign_nothing_any_more(maker: Maker, keys: KeyOf) -> None:
    roots = (keys("working 2").public, keys("reserve 2").public)
    new = follow(maker.trust, maker.sign_trust(maker.reserve, version=2, roots=roots))
    for signer in (maker.working, maker.reserve):
        text = maker.sign_trust(signer, version=3, roots=roots)
        assert code_of(follow, new, text) == "trust/root"


def test_strangers_and_working_keys_sign_no_trust(maker: Maker) -> None:
    for signer in (maker.stranger, maker.grant_key, maker.catalogue_key):
        text = maker.sign_trust(signer, version=2)
        assert code_of(follow, maker.trust, text) == "trust/root"


def test_id_and_label_never_change(maker: Maker) -> None:
    for signer in (maker.working, maker.reserve):
        for change in ({"issuer": "b" * 16}, {"label": "contoso2"}):
            text = maker.sign_trust(signer, version=2, **change)
            assert code_of(follow, maker.trust, text) == "trust/publisher"
    assert follow(maker.trust, maker.sign_trust(version=2, name="New Name")).name == "New Name"


def test_a_signature_that_does_not_hold(maker: Maker) -> None:
    head, _, signature = maker.sign_trust(version=2).split(".")
    body = maker.sign_trust(version=2, name="Evil").split(".")[1]
    assert code_of(follow, maker.trust, f"{head}.{body}.{signature}") == "trust/signature"


def test_another_object_is_no_trust(maker: Maker) -> None:
    payload = tree(parse(maker.sign_trust(version=2), TRUST).payload)
    text = sign(payload, "muster-catalogue+jwt", maker.working)
    assert code_of(follow, maker.trust, text) == "licence/header"
    assert code_of(parse_trust, text) == "licence/header"


def line(maker: Maker, first: int, last: int, **change: Any) -> list[str]:
    """Versions signed by the working root."""
    return [maker.sign_trust(version=version, **change) for version in range(first, last + 1)]


def test_walk(maker: Maker) -> None:
    assert walk(maker.trust, []).version == 1
    assert walk(maker.trust, line(maker, 1, 10)).version == 10
    assert code_of(walk, maker.trust, line(maker, 3, 4)) == "trust/step"


def test_walk_takes_at_most_64_versions_a_contact(maker: Maker) -> None:
    texts = line(maker, 2, 80)
    first = walk(maker.trust, texts)
    assert first.version == 65
    assert walk(first, texts[64:]).version == 80
    assert walk(maker.trust, texts, limit=3).version == 4


def test_walk_store_passes_over_what_does_not_follow(maker: Maker) -> None:
    texts = line(maker, 1, 4)
    rubbish = ["", "a.b.c", maker.sign_trust(maker.stranger, version=2), texts[0][:-3]]
    mixed = [*rubbish, texts[1], *rubbish, texts[2], texts[1], texts[3], *rubbish]
    assert walk_store(maker.trust, mixed).version == 4
    assert walk_store(maker.trust, [texts[1], texts[3]]).version == 2


def test_the_thief_of_the_working_root_cannot_lock_out_the_reserve_root(
    maker: Maker, keys: KeyOf
) -> None:
    """Honest 1 and 2; the thief signs 3 to 40; the publisher answers with the reserve root."""
    honest = walk(maker.trust, line(maker, 2, 2))
    evil_key = TrustKey(keys("evil").public, "grant", index=0)
    every_index = [TrustKey(keys(f"evil {n}").public, "grant", index=n) for n in range(70)]
    thief: list[str] = [
        *line(maker, 3, 39, keys=[evil_key], name="Contoso Ltd"),
        *line(maker, 40, 40, keys=every_index),
    ]
    deceived = walk(honest, thief)
    assert deceived.version == 40

    roots = (keys("working 2").public, keys("reserve 2").public)
    fresh = [
        TrustKey(keys("catalogue 2").public, "catalogue"),
        TrustKey(keys("grant 2").public, "grant", index=1),
    ]
    answer = maker.sign_trust(maker.reserve, version=1_000_000, roots=roots, keys=fresh)
    after = maker.sign_trust(keys("working 2"), version=1_000_001, roots=roots, keys=fresh)
    for start in (maker.trust, honest, walk(honest, thief[:1]), walk(honest, thief[:9]), deceived):
        end: Trust = walk(start, [answer, after])
        assert end.version == 1_000_001
        assert code_of(end.find, keys("evil").public.kid, "grant", 0) == "trust/key"
        more = line(maker, 1_000_002, 1_000_002)[0]
        assert code_of(follow, end, more) == "trust/root"


def test_the_thief_cannot_name_roots_or_jump(maker: Maker, keys: KeyOf) -> None:
    evil = keys("evil root").public
    for version in (2, 99):
        for roots in ((maker.roots[0], evil), (evil, maker.roots[1])):
            text = maker.sign_trust(version=version, roots=roots)
            assert code_of(follow, maker.trust, text).startswith("trust/")


def test_the_honest_line_goes_on_over_a_thiefs_version(maker: Maker, keys: KeyOf) -> None:
    evil = TrustKey(keys("evil").public, "grant", index=9)
    deceived = follow(maker.trust, maker.sign_trust(version=2, keys=[*maker.keys, evil]))
    healed = follow(deceived, maker.sign_trust(version=3))
    assert healed.keys == maker.keys


def test_an_index_may_come_back_because_only_publishers_answer_for_it(
    maker: Maker, keys: KeyOf
) -> None:
    other = TrustKey(keys("grant 2").public, "grant", index=0)
    assert follow(maker.trust, maker.sign_trust(version=2, keys=[other])).grant_key(0) == other


def test_the_largest_trust_object(maker: Maker, keys: KeyOf) -> None:
    many = [TrustKey(keys(f"g{n}").public, "grant", n, until=n) for n in range(72)]
    assert len(anchor(maker.sign_trust(keys=many[:71])).keys) == 71
    with pytest.raises(MusterError) as caught:
        maker.sign_trust(keys=many)
    assert caught.value.code == "licence/malformed"


def test_iat_is_what_the_publisher_says(maker: Maker) -> None:
    text = make_trust(
        TrustClaims(
            issuer=maker.publisher,
            label="contoso",
            name="Contoso",
            version=1,
            iat=day_start(5),
            roots=maker.roots,
            keys=maker.keys,
        ),
        maker.working,
    )
    assert anchor(text).iat == day_start(5)
