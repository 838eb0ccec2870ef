"""Thieves of roots and of working keys against the line of trust (chapter 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.attacks.conftest import MOST, NOW, payload, refusal

from muster.core.products import day_of
from muster.lease import jws
from muster.lease.catalogue import (
    Catalogue,
    CatalogueClaims,
    accept_catalogue,
    make_catalogue,
    still_valid,
)
from muster.lease.jws import MemorySigningKey, PublicKey, sign
from muster.lease.steps import advance_mark
from muster.lease.trust import (
    Trust,
    TrustClaims,
    TrustKey,
    anchor,
    follow,
    make_trust,
    walk,
    walk_store,
)
from muster.testing.tiny_publisher import APPLICATIONS, GROUPS, TinyPublisher, test_key

THIEF, THIEF_GRANT, THIEF_CATALOGUE = (
    test_key("thief", name) for name in ("root", "grant", "catalogue")
)
HONEST_2, RESERVE_2 = test_key("contoso", "working 2"), test_key("contoso", "reserve 2")


@dataclass
class Line:
    """A publisher's line, and both of its roots in the wrong hands."""

    publisher: TinyPublisher = field(default_factory=lambda: TinyPublisher("contoso", now=NOW))

    @property
    def first(self) -> Trust:
        """Version 1."""
        return self.publisher.line[0]

    def sign(
        self,
        version: int,
        signer: MemorySigningKey | None = None,
        *,
        roots: tuple[PublicKey, PublicKey] | None = None,
        keys: Sequence[TrustKey] | None = None,
        iat: int = NOW,
    ) -> str:
        """A version of this publisher, by the working root unless told."""
        return make_trust(
            TrustClaims(
                issuer=self.publisher.publisher,
                label="contoso",
                name="Contoso",
                version=version,
                iat=iat,
                roots=roots or self.first.roots,
                keys=self.publisher.keys if keys is None else keys,
            ),
            signer or self.publisher.working,
        )

    def forge(self, signer: MemorySigningKey, *, version: int = 2, **muster: Any) -> str:
        """Version 1 with members of `muster` replaced, signed without any check."""
        claims = payload(self.first.text)
        claims["muster"] |= {"version": version} | muster
        return sign(claims, jws.TRUST_TYP, signer)

    def catalogue(self, key: MemorySigningKey, trust: Trust, version: int, iat: int) -> str:
        """A catalogue of this publisher."""
        return make_catalogue(
            CatalogueClaims(
                version=version, iat=iat, groups=GROUPS, applications=APPLICATIONS, products=()
            ),
            trust,
            key,
        )


@pytest.fixture(scope="module")
def line() -> Line:
    return Line()


def grant_key(key: MemorySigningKey, index: int = 0) -> dict[str, Any]:
    return {"jwk": key.public.jwk, "role": "grant", "index": index}


def test_the_thief_of_the_working_root_is_kept_to_its_line(line: Line) -> None:
    working, reserve = line.publisher.working, line.publisher.reserve
    roots = {
        "swapped": (reserve.public, working.public),
        "a reserve of its own": (working.public, THIEF.public),
        "a working root of its own": (THIEF.public, reserve.public),
        "both": (THIEF.public, THIEF_GRANT.public),
    }
    for pair in roots.values():
        assert refusal(lambda: follow(line.first, line.sign(2, roots=pair))) == "trust/roots"  # noqa: B023
    for version in (1, 3, 1_000_000, MOST):
        assert refusal(lambda: follow(line.first, line.sign(version))) == "trust/step"  # noqa: B023
    for spoilt in (
        {"roots": [working.public.jwk] * 2},
        {"roots": [working.public.jwk, reserve.public.jwk, THIEF.public.jwk]},
        {"roots": [working.public.jwk]},
        {"keys": [grant_key(reserve)]},
        {"keys": [grant_key(working)]},
        {"keys": [grant_key(THIEF), {"jwk": THIEF.public.jwk, "role": "catalogue"}]},
        {"keys": [grant_key(THIEF), grant_key(THIEF_GRANT)]},
        {"keys": [grant_key(THIEF, 256)]},
        {"keys": [grant_key(THIEF) | {"until": None}]},
        {"keys": [grant_key(THIEF) | {"until": 65_536}]},
        {"keys": [{"jwk": THIEF.public.jwk, "role": "grant"}]},
        {"keys": [{"jwk": THIEF.public.jwk, "role": "catalogue", "index": 0}]},
        {"keys": [{"jwk": THIEF.public.jwk, "role": "Grant", "index": 0}]},
        {"keys": [{"jwk": THIEF.public.jwk | {"d": "x"}, "role": "grant", "index": 0}]},
        {"name": "Contoso\x1b[2J"},
        {"name": "\u202eosotnoC"},
        {"version": True},
    ):
        assert refusal(lambda: follow(line.first, line.forge(working, **spoilt))) == "trust/claims"  # noqa: B023


def test_label_and_publisher_are_for_ever_even_for_the_reserve_root(line: Line) -> None:
    reserve = line.publisher.reserve
    offered = line.forge(reserve, version=9, label="contos0")
    assert refusal(lambda: follow(line.first, offered)) == "trust/publisher"
    for label in ("", "A", "a" * 21, "a.b", "a_b", "é", "a\n", "a "):
        offered = line.forge(reserve, version=9, label=label)
        assert refusal(lambda: follow(line.first, offered)) == "trust/claims"  # noqa: B023


def test_strangers_and_keys_of_other_roles_sign_no_trust(line: Line) -> None:
    for key in (THIEF, line.publisher.grant_key, line.publisher.catalogue_key):
        assert refusal(lambda: follow(line.first, line.sign(2, key))) == "trust/root"  # noqa: B023
    other = TinyPublisher("fabrikam", now=NOW)
    assert refusal(lambda: follow(line.first, other.trust.text)) == "trust/root"
    named = jws.signing_input(
        payload(line.sign(2)), jws.TRUST_TYP, line.publisher.working.public.kid
    )
    forged = jws.join(named, THIEF.sign(named))
    assert refusal(lambda: follow(line.first, forged)) == "trust/signature"


def test_the_reserve_root_recovers_from_every_version_of_a_thief(line: Line) -> None:
    """With all indexes used up, dates at the end of time and a fast-forwarded catalogue."""
    thiefs_keys = [TrustKey(THIEF_CATALOGUE.public, "catalogue")] + [
        TrustKey(test_key("thief", f"grant {n}").public, "grant", n) for n in range(60)
    ]
    held = [line.first]
    for version in range(2, 70):
        offered = line.sign(version, keys=thiefs_keys, iat=MOST)
        held.append(follow(held[-1], offered))
    stolen: Catalogue = accept_catalogue(
        None, line.catalogue(THIEF_CATALOGUE, held[-1], MOST, 0), held[-1]
    )
    recovery = line.sign(
        1_000_000, line.publisher.reserve, roots=(HONEST_2.public, RESERVE_2.public)
    )
    for one in held:
        after = follow(one, recovery)
        assert after.version == 1_000_000
        assert not still_valid(stolen, after)
        honest = line.catalogue(line.publisher.catalogue_key, after, 2, NOW)
        assert accept_catalogue(stolen, honest, after).version == 2
        for old in (line.publisher.working, line.publisher.reserve):
            further = line.sign(1_000_001, old, roots=after.roots)
            assert refusal(lambda: follow(after, further)) == "trust/root"  # noqa: B023
        further = line.sign(1_000_001, HONEST_2, roots=after.roots)
        assert follow(after, further).version == 1_000_001
    assert advance_mark(0, held[-1].iat, NOW) == NOW


def test_a_stolen_catalogue_key_bars_nothing_for_ever(line: Line) -> None:
    """Fast-forward to the last version; withdrawn or back-dated, the mark goes with the key."""
    publisher = line.publisher
    fresh = test_key("contoso", "catalogue 2")
    stolen = accept_catalogue(
        None, line.catalogue(publisher.catalogue_key, line.first, MOST, NOW), line.first
    )
    in_use = line.catalogue(publisher.catalogue_key, line.first, 2, NOW)
    assert refusal(lambda: accept_catalogue(stolen, in_use, line.first)) == "catalogue/older"
    kept = [one for one in publisher.keys if one.role == "grant"]
    kept.append(TrustKey(fresh.public, "catalogue"))
    back_dated = TrustKey(publisher.catalogue_key.public, "catalogue", None, day_of(NOW) - 1)
    for keys in (kept, [*kept, back_dated]):
        trust = follow(line.first, line.sign(2, keys=keys))
        assert not still_valid(stolen, trust)
        honest = line.catalogue(fresh, trust, 2, NOW)
        assert accept_catalogue(stolen, honest, trust).version == 2


def test_a_walk_takes_no_more_than_64_versions_a_contact(line: Line) -> None:
    texts = [line.sign(version) for version in range(2, 100)]
    assert walk(line.first, texts).version == 65
    assert walk(walk(line.first, texts), texts[64:]).version == 99


def test_lines_of_two_publishers_and_rubbish_do_not_mix(line: Line) -> None:
    other = TinyPublisher("fabrikam", now=NOW)
    other.rotate()
    mixed = [
        "",
        "a.b.c",
        other.line[0].text,
        line.sign(2),
        other.line[1].text,
        line.sign(2, THIEF),
        line.forge(line.publisher.working, version=3, v=2),
        line.sign(3),
    ]
    assert walk_store(line.first, mixed).version == 3
    assert walk_store(other.line[0], mixed).version == 2


def test_what_an_anchor_shows_and_what_it_does_not(line: Line) -> None:
    """An anchor is the caller's own: version 1 names its first root, a higher one anything."""
    stranger = line.forge(THIEF, version=1)
    assert refusal(lambda: anchor(stranger)) == "trust/root"
    own = line.forge(THIEF, version=1, roots=[THIEF.public.jwk, THIEF_GRANT.public.jwk])
    assert refusal(lambda: anchor(own)) == "trust/publisher"
    higher = line.forge(THIEF, version=2, roots=[THIEF.public.jwk, THIEF_GRANT.public.jwk])
    assert anchor(higher).issuer == line.publisher.publisher
    assert refusal(lambda: follow(line.first, higher)) == "trust/root"


def test_keys_in_trust_do_only_what_their_role_says(line: Line) -> None:
    publisher = line.publisher
    claims = payload(publisher.catalogue.text)
    for key in (publisher.grant_key, publisher.working, publisher.reserve, THIEF):
        text = sign(claims, jws.CATALOGUE_TYP, key)
        assert refusal(lambda: accept_catalogue(None, text, line.first)) == "catalogue/signer"  # noqa: B023
