"""docs/spec/15-site-files.md: site files. The cases of the chapter are in tests/vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lease.codes import INJECTIONS, code_of
from tests.lease.conftest import NOW, Maker

from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.lease import strict
from muster.lease.jws import parse
from muster.lease.site import (
    SiteClaims,
    SiteHost,
    SitePart,
    encode_site_file,
    make_site,
    read_site_file,
    verify_site,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MAKER = Maker()
CLAIMS = SiteClaims(
    MAKER.publisher,
    NOW,
    NOW + 730 * DAY,
    (SiteHost("muster.corp.example", 16880), SiteHost("2001:db8::7", 443, 10, 5, tls=True)),
    ("corp.example", "lab.example"),
    (b"0\x82\x01\x00" + bytes(256),),
)


def part(claims: SiteClaims = CLAIMS) -> SitePart:
    """The part of the good host."""
    text = make_site(claims, MAKER.host_key)
    return SitePart(MAKER.publisher, text, MAKER.host_grant(), MAKER.host_key.public)


GOOD = encode_site_file([part()])


def test_a_site_file_says_what_was_signed() -> None:
    (found,) = read_site_file(GOOD)
    assert found == part()
    verified = verify_site(found, MAKER.trust, MAKER.catalogue(), NOW)
    assert verified.claims == CLAIMS
    assert verified.signer == MAKER.host_key.public.kid
    assert verified.grant_jti == parse(MAKER.host_grant(), strict.SMALL).payload["jti"]
    assert strict.canonical(strict.read(GOOD, strict.SITE_FILE)) + b"\n" == GOOD


def test_a_file_of_its_whole_size_is_read_and_not_a_byte_more() -> None:
    whole = GOOD + b" " * (262_144 - len(GOOD))
    assert read_site_file(whole) == read_site_file(GOOD)
    assert code_of(read_site_file, whole + b" ") == "licence/malformed"


@pytest.mark.parametrize("name", INJECTIONS)
def test_a_host_signs_no_name_that_is_not_of_its_grammar(name: str) -> None:
    change: Callable[[SiteClaims], SiteClaims]
    for change in (
        lambda claims: replace(claims, hosts=(SiteHost(name, 1),)),
        lambda claims: replace(claims, suffixes=(name,)),
        lambda claims: replace(claims, publisher=name),
    ):
        assert code_of(make_site, change(CLAIMS), MAKER.host_key) == "licence/claims"


def spoilt(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """The bytes with some of them replaced."""
    for place, length, text in changes:
        start = place % (len(data) + 1)
        data = data[:start] + text + data[start + length :]
    return data


PIECES = st.sampled_from(
    [b"", b'"', b"}", b"]", b",", b":", b"0", b"A", b".", b"\xff", b"{}", b'"v":2,']
)


@given(
    st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 40), PIECES), min_size=1, max_size=4)
)
def test_a_spoilt_file_says_the_same_or_nothing(changes: list[tuple[int, int, bytes]]) -> None:
    """Whatever happens to the bytes: an error of the catalogue, or what was signed."""
    try:
        for found in read_site_file(spoilt(GOOD, changes)):
            if found.publisher == MAKER.publisher:
                assert verify_site(found, MAKER.trust, None, NOW).claims == CLAIMS
    except MusterError as fault:
        assert fault.code.startswith("licence/")
