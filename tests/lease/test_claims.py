"""Every public reader gives a value or an error of the catalogue, whatever it is fed.

Three kinds of food: any bytes; any JSON under a good signature; good objects with any member
replaced by any JSON, again under a good signature.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lease.trees import tree
from tests.profiles import examples

from muster.core.errors import MusterError
from muster.lease import strict
from muster.lease.catalogue import accept_catalogue, read_catalogue
from muster.lease.descriptor import make_descriptor, read_descriptor
from muster.lease.grant import confirmation_of, read_grant
from muster.lease.jws import (
    CATALOGUE_TYP,
    GRANT_TYP,
    LEASE_TYP,
    NOTICE_TYP,
    TERMS_TYP,
    TRUST_TYP,
    MemorySigningKey,
    parse,
    sign,
)
from muster.lease.strict import Limits
from muster.lease.terms import read_terms
from muster.lease.trust import anchor, follow, parse_trust, walk, walk_store
from muster.lease.verify import explain, open_licence, steps_for

if TYPE_CHECKING:
    from tests.lease.conftest import Maker

WIDE = Limits(1 << 22, 16, 1 << 18, 1 << 16)
TEXT = st.text("abAZ09-_./=\x00\n é\u202e", max_size=8)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 2**53 - 1)
    | TEXT
    | st.sampled_from(
        ["grant", "catalogue", "host", "mak", "1-3-815", "A" * 22, "A" * 43, "0" * 16]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)

Reader = Callable[["Maker", str], object]


def grant_of(maker: Maker) -> Any:
    """The verified host grant."""
    return read_grant(maker.host_grant(), maker.trust, maker.publisher)


READERS: dict[str, tuple[str, Reader]] = {
    "parse_trust": (TRUST_TYP, lambda m, text: parse_trust(text)),
    "anchor": (TRUST_TYP, lambda m, text: anchor(text)),
    "follow": (TRUST_TYP, lambda m, text: follow(m.trust, text)),
    "walk": (TRUST_TYP, lambda m, text: walk(m.trust, [text, text])),
    "walk_store": (TRUST_TYP, lambda m, text: walk_store(m.trust, [text, text])),
    "read_catalogue": (CATALOGUE_TYP, lambda m, text: read_catalogue(text, m.trust)),
    "accept_catalogue": (
        CATALOGUE_TYP,
        lambda m, text: accept_catalogue(m.catalogue(), text, m.trust),
    ),
    "read_grant": (GRANT_TYP, lambda m, text: read_grant(text, m.trust, m.publisher)),
    "confirmation_of": (GRANT_TYP, lambda m, text: confirmation_of(text, 0)),
    "read_terms": (TERMS_TYP, lambda m, text: read_terms(text, m.trust, grant_of(m))),
    "open_licence": (
        LEASE_TYP,
        lambda m, text: open_licence(as_bundle(m, text), m.trust, m.publisher),
    ),
    "explain": (NOTICE_TYP, lambda m, text: explain(as_notice(m, text), m.expected())),
    "read_descriptor": (TRUST_TYP, lambda m, text: read_descriptor(as_descriptor(m, text))),
}
ALL = pytest.mark.parametrize("name", READERS)


def signer(maker: Maker, typ: str) -> MemorySigningKey:
    """The key that signs objects of this type."""
    return {
        TRUST_TYP: maker.working,
        CATALOGUE_TYP: maker.catalogue_key,
        GRANT_TYP: maker.grant_key,
        TERMS_TYP: maker.grant_key,
        LEASE_TYP: maker.host_key,
        NOTICE_TYP: maker.host_key,
    }[typ]


def good(maker: Maker, typ: str) -> dict[str, Any]:
    """The payload of a good object of this type."""
    texts: dict[str, Callable[[], str]] = {
        TRUST_TYP: lambda: maker.sign_trust(version=2),
        CATALOGUE_TYP: lambda: maker.sign_catalogue(version=2),
        GRANT_TYP: maker.host_grant,
        TERMS_TYP: maker.sign_terms,
        LEASE_TYP: lambda: strict.read(maker.bundle(), strict.BUNDLE)["lease"],
        NOTICE_TYP: lambda: strict.read(maker.notice(), strict.BUNDLE)["notice"],
    }
    return tree(parse(texts[typ](), WIDE).payload)


def as_bundle(maker: Maker, text: str) -> bytes:
    """A licence bundle with any lease."""
    return strict.canonical(strict.read(maker.bundle(), strict.BUNDLE) | {"lease": text})


def as_notice(maker: Maker, text: str) -> bytes:
    """A notice bundle with any notice."""
    return strict.canonical(strict.read(maker.notice(), strict.BUNDLE) | {"notice": text})


def as_descriptor(maker: Maker, text: str) -> bytes:
    """A descriptor with any trust object."""
    data = make_descriptor(maker.trust_text, maker.product, maker.groups)
    return strict.canonical(strict.read(data, strict.DESCRIPTOR) | {"trust": text})


def feed(name: str, maker: Maker, text: str) -> None:
    """Let a reader read; only errors of the catalogue may come out, and they print."""
    try:
        READERS[name][1](maker, text)
    except MusterError as fault:
        assert fault.what
        assert fault.why
        assert fault.fix


@ALL
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=100) | TEXT)
def test_any_text(name: str, maker: Maker, text: str) -> None:
    feed(name, maker, text)


@ALL
@given(
    payload=st.dictionaries(st.sampled_from(["iss", "iat", "aud", "sub", "muster"]) | TEXT, JSON),
    typ=st.sampled_from([TRUST_TYP, CATALOGUE_TYP, GRANT_TYP, None]),
)
def test_any_signed_json(name: str, maker: Maker, payload: dict[str, Any], typ: str | None) -> None:
    own = READERS[name][0]
    feed(name, maker, sign(payload, typ or own, signer(maker, own)))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member and item of a value."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, item in value.items():
            found += places(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found += places(item, (*path, number))
    return found


@ALL
@examples(60)
@given(data=st.data())
def test_any_member_replaced(name: str, maker: Maker, data: st.DataObject) -> None:
    typ = READERS[name][0]
    payload = copy.deepcopy(good(maker, typ))
    *path, last = data.draw(st.sampled_from(places(payload)))
    value: Any = payload
    for part in path:
        value = value[part]
    if data.draw(st.booleans()):
        value[last] = data.draw(JSON)
    else:
        del value[last]
    feed(name, maker, sign(payload, typ, signer(maker, typ)))


@given(data=st.binary(max_size=100) | st.dictionaries(TEXT, JSON).map(strict.canonical))
def test_any_bytes(maker: Maker, data: bytes) -> None:
    try:
        read_descriptor(data)
    except MusterError as fault:
        assert fault.what
    assert steps_for(data)
    assert len(explain(data, maker.expected())) in {7, 9, 12}


@given(value=st.dictionaries(st.sampled_from(["v", "trust", "product", "groups"]), JSON))
def test_any_descriptor(maker: Maker, value: dict[str, Any]) -> None:
    whole = strict.read(
        make_descriptor(maker.trust_text, maker.product, maker.groups), strict.DESCRIPTOR
    )
    try:
        read_descriptor(strict.canonical(whole | value))
    except MusterError as fault:
        assert fault.code in {"descriptor/claims", "licence/malformed", "licence/version"} or (
            fault.code.startswith("trust/")
        )
