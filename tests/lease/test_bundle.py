"""docs/spec/02-signed-objects.md: bundles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lease.codes import code_of

from muster.core.errors import MusterError
from muster.lease import strict
from muster.lease.bundle import (
    ActivationBundle,
    Bundle,
    NoticeBundle,
    read_activation_bundle,
    read_bundle,
    read_notice_bundle,
)
from muster.lease.lease import make_lease

if TYPE_CHECKING:
    from tests.lease.conftest import Maker


def test_bundles_round_trip(maker: Maker) -> None:
    bundle = read_bundle(maker.bundle())
    assert read_bundle(bundle.encode()) == bundle
    assert bundle.encode() == maker.bundle()
    noted = read_notice_bundle(maker.notice())
    assert noted == NoticeBundle(noted.notice, noted.grant, maker.host_key.public)
    activation = read_activation_bundle(maker.activation())
    assert activation == ActivationBundle(maker.mak_grant())


def test_the_answer_of_a_host_is_a_bundle_too(maker: Maker) -> None:
    value = strict.read(maker.bundle(), strict.BUNDLE)
    answer = strict.canonical(value | {"count": 25, "need": 25, "trust": 1, "catalogue": 1})
    assert read_bundle(answer) == read_bundle(maker.bundle())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"v": ...}, "licence/malformed"),
        ({"v": 0}, "licence/malformed"),
        ({"v": "1"}, "licence/malformed"),
        ({"v": None}, "licence/malformed"),
        ({"v": 2}, "licence/version"),
        ({"v": 2, "lease": ...}, "licence/version"),
        ({"lease": ...}, "licence/malformed"),
        ({"lease": {}}, "licence/malformed"),
        ({"lease": "a.b"}, "licence/malformed"),
        ({"lease": "a.b.c\n"}, "licence/malformed"),
        ({"grant": ...}, "licence/malformed"),
        ({"grant": None}, "licence/malformed"),
        ({"signer": ...}, "licence/malformed"),
        ({"signer": "key"}, "licence/malformed"),
        ({"signer": {}}, "licence/malformed"),
        ({"signer": {"crv": "Ed25519", "kty": "OKP", "x": "A" * 43, "d": ""}}, "licence/malformed"),
        ({"signer": {"crv": "Ed25519", "kty": "OKP", "x": "B" * 43}}, "licence/malformed"),
    ],
    ids=repr,
)
def test_bundles_that_are_none(maker: Maker, change: dict[str, Any], code: str) -> None:
    value = strict.read(maker.bundle(), strict.BUNDLE) | change
    data = strict.canonical({name: item for name, item in value.items() if item is not ...})
    assert code_of(read_bundle, data) == code


@pytest.mark.parametrize("reader", [read_bundle, read_activation_bundle, read_notice_bundle])
@given(data=st.binary(max_size=100) | st.text('{}":,v1leasgrntoic', max_size=60).map(str.encode))
def test_any_bytes_give_a_bundle_or_an_error(
    reader: Callable[[bytes], object], data: bytes
) -> None:
    with pytest.raises(MusterError):
        reader(data)


def test_largest_bundle_fits(maker: Maker) -> None:
    """A grant that covers 16 groups of the longest ids, and a lease with 16 facts."""
    groups = tuple(sorted(f"{n:02}-{'x' * 61}" for n in range(16)))
    group = replace(maker.server, id=groups[0], covers=groups)
    facts = tuple(f"n{n:016x}" for n in range(16))
    signed = make_lease(
        maker.lease_claims(fingerprint=facts, group=groups[3], product="p" * 64), maker.host_key
    )
    bundle = Bundle(signed, maker.host_grant(group=group), maker.host_key.public)
    assert read_bundle(bundle.encode()) == bundle
