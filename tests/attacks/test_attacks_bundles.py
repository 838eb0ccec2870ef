"""Bundles mixed, mutated, and signed by a host that signs whatever it likes.

The customer owns the host signing key: chapter 5 is what stands against it.
"""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from tests.attacks.conftest import (
    CMID,
    FINGERPRINT,
    HOST_KEY,
    MOST,
    NOW,
    Scene,
    changed,
    paths,
    payload,
    refusal,
)

from muster.core.identity import host_binding
from muster.core.keys import KeyId, Kind
from muster.core.products import DAY, day_of
from muster.lease import jws
from muster.lease.bundle import ActivationBundle, Bundle, NoticeBundle
from muster.lease.catalogue import read_catalogue
from muster.lease.grant import GrantValues, issue_grant, read_grant
from muster.lease.jws import sign
from muster.lease.terms import read_terms
from muster.lease.trust import anchor, follow
from muster.lease.verify import verify_activation, verify_lease, verify_notice
from muster.testing.tiny_publisher import GROUPS, TinyPublisher, test_key


def test_mixing_two_publishers_two_hosts_two_products_and_three_keys(scene: Scene) -> None:
    """The second publisher even uses the grant key and the host signing key of the first."""
    second = Scene(TinyPublisher("fabrikam", now=NOW), host=scene.host)
    second.publisher.grant_key = scene.publisher.grant_key
    second.publisher.keys[1] = scene.publisher.keys[1]
    second.publisher.line = [anchor(second.publisher._sign_trust(1, second.publisher.working))]
    scenes = (scene, second)
    hosts = (scene.host, test_key("attack", "host 2"))
    keys = ((KeyId(Kind.HOST, 2, 1), 1), (KeyId(Kind.HOST, 2, 2), 1), (KeyId(Kind.HOST, 3, 1), 2))
    products = ("desktop-pro", "office-suite")
    grants = {
        (p, k, h): issue_grant(
            GrantValues(
                publisher=scenes[p].id,
                key_id=keys[k][0],
                binding=host_binding(scenes[p].id, keys[k][0], hosts[h].public.raw),
                hw="0" * 12,
                term=0,
                day=day_of(NOW) - 30,
                group=GROUPS[keys[k][1]],
            ),
            scene.publisher.grant_key,
        )
        for p, k, h in itertools.product((0, 1), (0, 1, 2), (0, 1))
    }
    leases = {}
    for p, product, h in itertools.product((0, 1), products, (0, 1)):
        claims = scenes[p].lease_payload(product) | {"iss": hosts[h].public.kid}
        leases[p, product, h] = sign(claims, jws.LEASE_TYP, hosts[h])
    expected = {(p, one): scenes[p].expected(one) for p in (0, 1) for one in products}
    accepted = 0
    for (who, product), (lease_of, lease), (grant_of, grant), signer in itertools.product(
        expected, leases.items(), grants.items(), (0, 1)
    ):
        data = Bundle(lease, grant, hosts[signer].public).encode()
        good = (
            who == lease_of[0] == grant_of[0]
            and product == lease_of[1]
            and lease_of[2] == grant_of[2] == signer
            and (product == "office-suite") == (grant_of[1] == 2)
        )
        code = refusal(lambda data=data, who=who, product=product: verify_lease(  # type: ignore[misc]
            data, expected[who, product]
        ))  # fmt: skip
        assert (code == "") == good, (who, product, lease_of, grant_of, signer, code)
        accepted += good
    assert accepted == 12


def test_no_object_passes_for_another(scene: Scene) -> None:
    """Every payload under every typ by every key, at every reader: only the right three pass."""
    publisher = scene.publisher
    grant = scene.grant()
    host_grant = read_grant(grant, publisher.trust, scene.id)
    good = {
        "trust": publisher.trust.text,
        "catalogue": publisher.catalogue.text,
        "host grant": grant,
        "activation grant": scene.activation_grant(),
        "terms": publisher.terms(host_grant, 100),
        "lease": json.loads(scene.bundle())["lease"],
        "notice": json.loads(scene.notice())["notice"],
    }
    signer = scene.host.public
    lease = good["lease"]
    readers = {
        "anchor": anchor,
        "follow": lambda text: follow(publisher.trust, text),
        "catalogue": lambda text: read_catalogue(text, publisher.trust),
        "grant": lambda text: read_grant(text, publisher.trust, scene.id),
        "terms": lambda text: read_terms(text, publisher.trust, host_grant),
        "lease": lambda text: verify_lease(Bundle(text, grant, signer).encode(), scene.expected()),
        "grant of a lease": lambda text: verify_lease(
            Bundle(lease, text, signer).encode(), scene.expected()
        ),
        "notice": lambda text: verify_notice(
            NoticeBundle(text, grant, signer).encode(), scene.expected()
        ),
        "activation": lambda text: verify_activation(
            ActivationBundle(text).encode(), scene.expected()
        ),
    }
    typs = (
        jws.TRUST_TYP,
        jws.CATALOGUE_TYP,
        jws.GRANT_TYP,
        jws.TERMS_TYP,
        jws.LEASE_TYP,
        jws.NOTICE_TYP,
    )
    keys = {
        "host": scene.host,
        "grant": publisher.grant_key,
        "catalogue": publisher.catalogue_key,
        "working": publisher.working,
        "reserve": publisher.reserve,
        "stranger": scene.stranger,
    }
    passed = set()
    for (name, text), typ, (who, key) in itertools.product(good.items(), typs, keys.items()):
        forged = sign(payload(text), typ, key)
        for reader, read in readers.items():
            if refusal(lambda read=read, forged=forged: read(forged)) == "":  # type: ignore[misc]
                passed.add((reader, name, typ, who))
    assert passed == {
        ("anchor", "trust", jws.TRUST_TYP, "working"),
        ("catalogue", "catalogue", jws.CATALOGUE_TYP, "catalogue"),
        ("grant", "host grant", jws.GRANT_TYP, "grant"),
        ("grant", "activation grant", jws.GRANT_TYP, "grant"),
        ("terms", "terms", jws.TERMS_TYP, "grant"),
        ("lease", "lease", jws.LEASE_TYP, "host"),
        ("grant of a lease", "host grant", jws.GRANT_TYP, "grant"),
        ("notice", "notice", jws.NOTICE_TYP, "host"),
        ("activation", "activation grant", jws.GRANT_TYP, "grant"),
    }


def test_no_changed_byte_of_a_bundle_passes(scene: Scene) -> None:
    """One byte after the other, each replaced in three ways."""
    chance = random.Random(3)
    for good, verify in (
        (scene.bundle(), verify_lease),
        (scene.notice(), verify_notice),
        (scene.activation(), verify_activation),
    ):
        expected = scene.expected()
        assert refusal(lambda: verify(good, expected)) == ""  # noqa: B023
        for place in range(0, len(good), 2):
            for byte in {good[place] ^ 1, good[place] ^ 0x20, chance.randrange(256)}:
                if byte != good[place]:
                    spoilt = good[:place] + bytes([byte]) + good[place + 1 :]
                    code = refusal(lambda: verify(spoilt, expected))  # noqa: B023
                    assert code, (place, byte, spoilt)


M = "muster"
REFUSED: list[tuple[dict[tuple[str, ...], Any], str]] = [
    ({("exp",): NOW + 181 * DAY}, "licence/dates"),
    ({("exp",): MOST}, "licence/dates"),
    ({("iat",): MOST, ("nbf",): MOST, ("exp",): MOST}, "licence/clock"),
    ({("iat",): 0, ("nbf",): 0}, "licence/dates"),
    ({("nbf",): 0}, "licence/dates"),
    ({("iat",): NOW + 14_461, ("nbf",): NOW + 14_461}, "licence/clock"),
    ({("exp",): 0}, "licence/expired"),
    ({("exp",): NOW + 60}, "licence/expired"),
    ({(M, "max_lease"): MOST, ("exp",): MOST}, "licence/dates"),
    ({(M, "count"): 24}, "licence/count"),
    ({(M, "count"): 1, (M, "need"): 1}, "licence/count"),
    ({(M, "count"): True}, "licence/claims"),
    ({(M, "count"): KeyError}, "licence/claims"),
    ({(M, "COUNT"): 25, (M, "count"): KeyError}, "licence/claims"),
    ({(M, "group"): "server"}, "licence/audience"),
    ({(M, "group"): "office"}, "licence/audience"),
    ({("aud",): "aaaaaaaaaaaaaaaa/desktop-pro"}, "licence/audience"),
    ({("aud",): ["aaaaaaaaaaaaaaaa/desktop-pro"]}, "licence/claims"),
    ({("sub",): CMID.upper()}, "licence/claims"),
    ({("sub",): "00000000-0000-4000-8000-000000000000"}, "licence/machine"),
    ({(M, "nonce"): "A" * 22}, "licence/machine"),
    ({(M, "identity"): "explicit", (M, "fingerprint"): []}, "licence/machine"),
    ({(M, "fingerprint"): []}, "licence/fingerprint"),
    ({(M, "fingerprint"): ["uffffffffffffffff"]}, "licence/fingerprint"),
    ({(M, "fingerprint"): [FINGERPRINT[0], "uffffffffffffffff"]}, "licence/fingerprint"),
    ({(M, "fingerprint"): [FINGERPRINT[0]] * 2}, "licence/claims"),
    ({(M, "fingerprint"): list(reversed(FINGERPRINT))}, "licence/claims"),
    ({(M, "fingerprint"): [one.upper() for one in FINGERPRINT]}, "licence/claims"),
    ({(M, "v"): 2}, "licence/version"),
    ({(M, "v"): True}, "licence/claims"),
]


@pytest.mark.parametrize(("change", "code"), REFUSED, ids=[str(one[0]) for one in REFUSED])
def test_a_host_that_signs_what_it_likes(
    scene: Scene, change: dict[tuple[str, ...], Any], code: str
) -> None:
    claims = scene.lease_payload()
    for path, value in change.items():
        claims = changed(claims, path, value)
    for fresh in (True, False):
        data = scene.bundle(claims)
        found = refusal(lambda: verify_lease(data, scene.expected(fresh=fresh)))  # noqa: B023
        assert found == code


@pytest.mark.parametrize("name", ["renew_after", "retry_after"])
def test_absurd_spans_of_a_host_are_refused(scene: Scene, name: str) -> None:
    """Neither a machine that asks without a pause nor an instant that no calendar has."""
    for value, code in ((0, "licence/claims"), (1, ""), (2**31 - 1, ""), (2**31, "licence/claims")):
        data = scene.bundle(changed(scene.lease_payload(), (M, name), value))
        assert refusal(lambda: verify_lease(data, scene.expected(fresh=True))) == code  # noqa: B023


def test_host_and_machine_cannot_agree_on_a_mode_of_their_own(scene: Scene) -> None:
    """The customer owns both; a lease without hardware would license whoever holds it."""
    assert "explicit" not in scene.product().identity
    claims = changed(scene.lease_payload(), (M, "identity"), "explicit")
    data = scene.bundle(changed(claims, (M, "fingerprint"), []))
    for fresh in (True, False):
        expected = scene.expected(identity="explicit", fingerprint=(), fresh=fresh)
        assert refusal(lambda: verify_lease(data, expected)) == "licence/machine"  # noqa: B023


@pytest.mark.parametrize("name", ["catalogue", "trust", "count"])
def test_absurd_numbers_of_a_host_change_nothing_else(scene: Scene, name: str) -> None:
    """They are the host's to say; what a client makes of them is bounded by its schedule."""
    for value in (0, MOST) if name != "count" else (MOST,):
        data = scene.bundle(changed(scene.lease_payload(), (M, name), value))
        found = verify_lease(data, scene.expected(fresh=True))
        assert found.expires == NOW + 180 * DAY


def test_a_lease_of_unknown_members_gains_nothing(scene: Scene) -> None:
    claims = scene.lease_payload() | {"EXP": MOST, "еxp": MOST, "exp\x00": MOST, "": MOST}
    assert verify_lease(scene.bundle(claims), scene.expected()).expires == NOW + 180 * DAY


HOSTILE: list[Any] = [
    None, True, False, 0, 1, MOST, "", "a", "x" * 300, [], {}, [None], [[]], [{}], ["a", "a"],
    {"v": 1}, "\x00", "\x1b[2J", "9" * 22, "A" * 22, [0], {"": {}}, {"__proto__": 1}, KeyError,
]  # fmt: skip


def test_hostile_values_in_every_claim_refuse_or_change_nothing(scene: Scene) -> None:
    """Signed by those whose signature counts: only errors of the catalogue may come out."""
    catalogue = scene.publisher.catalogue
    expected = scene.expected(catalogue=catalogue)
    free = {"jti", "renew_after", "retry_after", "need", "catalogue", "trust", "v", "count"}
    for path in paths(scene.lease_payload()):
        for value in HOSTILE:
            if isinstance(path[-1], int) and value is KeyError:
                continue
            data = scene.bundle(changed(scene.lease_payload(), path, value))
            if refusal(lambda: verify_lease(data, expected)) == "":  # noqa: B023
                assert path[-1] in free or value == scene.lease_payload().get(path[-1]), path
    base = payload(scene.grant())
    for path in paths(base):
        for value in HOSTILE:
            if isinstance(path[-1], int) and value is KeyError:
                continue
            grant = sign(changed(base, path, value), jws.GRANT_TYP, scene.publisher.grant_key)
            for verify, data in (
                (verify_lease, scene.bundle(grant=grant)),
                (verify_notice, scene.notice(grant=grant)),
                (verify_activation, scene.activation(grant)),
            ):
                refusal(lambda: verify(data, expected))  # noqa: B023


def test_a_grant_of_one_host_is_worth_nothing_to_another(scene: Scene) -> None:
    other = Scene(scene.publisher, host=scene.stranger)
    data = other.bundle(grant=scene.grant())
    assert refusal(lambda: verify_lease(data, scene.expected())) == "licence/signer"
    notice = other.notice(grant=scene.grant())
    assert refusal(lambda: verify_notice(notice, scene.expected())) == "licence/signer"


def test_kinds_of_grants_are_told_apart(scene: Scene) -> None:
    """A grant for a machine that happens to hold a host's binding enrols no host."""
    binding = host_binding(scene.id, HOST_KEY, scene.host.public.raw)
    for kind in (Kind.MAK, Kind.EVALUATION, Kind.RETAIL):
        key_id = KeyId(kind, 2, HOST_KEY.serial)
        own = host_binding(scene.id, key_id, scene.host.public.raw)
        for bound in (binding, own):
            grant = scene.activation_grant(
                key_id=key_id, binding=bound, group=GROUPS[1], term=int(kind is Kind.EVALUATION)
            )
            data = scene.bundle(grant=grant)
            assert refusal(lambda: verify_lease(data, scene.expected())) == "licence/grant"  # noqa: B023
    assert refusal(
        lambda: verify_activation(scene.activation(scene.grant()), scene.expected(binding=binding))
    ) == "licence/grant"  # fmt: skip
    disguised = payload(scene.grant())
    disguised["muster"]["kind"] = "mak"
    text = sign(disguised, jws.GRANT_TYP, scene.publisher.grant_key)
    assert (
        refusal(lambda: verify_activation(scene.activation(text), scene.expected(binding=binding)))
        == "licence/claims"
    )


def test_a_notice_is_worth_nothing_for_another_request_or_another_hour(scene: Scene) -> None:
    good = scene.notice()
    assert refusal(lambda: verify_notice(good, scene.expected())) == ""
    for change, code in (
        ({"nonce": "A" * 22}, "licence/machine"),
        ({"cmid": "00000000-0000-4000-8000-000000000000"}, "licence/machine"),
        ({"now": NOW + 4 * 3600 + 1}, "licence/clock"),
        ({"now": NOW - 4 * 3600 - 1}, "licence/clock"),
    ):
        assert refusal(lambda: verify_notice(good, scene.expected(**change))) == code  # noqa: B023


def test_nothing_is_signed_that_no_reader_takes(scene: Scene) -> None:
    """A grant over a broken key group record would take a seat and license nobody."""
    from dataclasses import replace

    for bad in (
        replace(GROUPS[0], id="A", covers=("A",)),
        replace(GROUPS[0], id="a/b", covers=("a/b",)),
        replace(GROUPS[0], id="", covers=("",)),
        replace(GROUPS[0], id="é", covers=("é",)),
        replace(GROUPS[0], covers=("server", "desktop")),
        replace(GROUPS[0], covers=("desktop", "desktop")),
        replace(GROUPS[0], covers=()),
        replace(GROUPS[0], covers=tuple(f"g{n:02}" for n in range(17))),
    ):
        code = refusal(lambda: scene.activation_grant(group=bad))  # noqa: B023
        assert code in {"licence/claims", "licence/malformed"}, bad
    for odd in (".", "..", "-", "a" * 64, "0"):
        group = replace(GROUPS[0], id=odd, covers=(odd,))
        text = scene.activation_grant(group=group)
        assert read_grant(text, scene.publisher.trust, scene.id).group == odd
