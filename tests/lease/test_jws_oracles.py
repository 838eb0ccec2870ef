"""Foreign JOSE libraries check what Muster signs with their JWS call and the option `EdDSA`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as jose
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from muster.lease.bundle import read_bundle, read_notice_bundle
from muster.lease.jws import MemorySigningKey, PublicKey, parse, sign
from muster.lease.strict import SMALL, Limits, b64url_encode

if TYPE_CHECKING:
    from tests.lease.conftest import Maker

WIDE = Limits(1 << 20, 8, 4096, 4096)


def by_joserfc(text: str, key: PublicKey) -> Any:
    """The payload as joserfc verifies it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that EdDSA is the older name
        public = OKPKey.import_key({**key.jwk})
        found = jose.deserialize_compact(text, public, algorithms=["EdDSA"])
    return json.loads(found.payload)


def by_pyjwt(text: str, key: PublicKey) -> Any:
    """The payload as PyJWT's JWS call verifies it."""
    public = jwt.PyJWK.from_dict(key.jwk, algorithm="EdDSA")
    payload = jwt.api_jws.PyJWS().decode(text, public, algorithms=["EdDSA"])
    return json.loads(payload)


ORACLES = pytest.mark.parametrize("oracle", [by_joserfc, by_pyjwt])
Oracle = Callable[[str, PublicKey], Any]


def objects(maker: Maker) -> Iterator[tuple[str, PublicKey]]:
    """One of each signed object with the key that must have signed it."""
    yield maker.trust_text, maker.working.public
    yield maker.sign_catalogue(), maker.catalogue_key.public
    yield maker.host_grant(), maker.grant_key.public
    yield maker.mak_grant(term=2), maker.grant_key.public
    yield maker.sign_terms(), maker.grant_key.public
    yield read_bundle(maker.bundle()).lease, maker.host_key.public
    yield read_notice_bundle(maker.notice()).notice, maker.host_key.public


@ORACLES
def test_they_verify_every_object(oracle: Oracle, maker: Maker) -> None:
    for text, key in objects(maker):
        assert oracle(text, key) == parse(text, WIDE).payload


@ORACLES
def test_they_refuse_what_was_changed(oracle: Oracle, maker: Maker) -> None:
    for text, key in objects(maker):
        head, body, signature = text.split(".")
        other = json.loads(json.dumps(parse(text, WIDE).payload)) | {"iat": 1}
        forged = sign(other, "muster-lease+jwt", maker.stranger).split(".")[1]
        for bad in (f"{head}.{forged}.{signature}", f"{head}.{body}.{'A' * 86}"):
            with pytest.raises((JoseError, jwt.PyJWTError)):
                oracle(bad, key)
        with pytest.raises((JoseError, jwt.PyJWTError)):
            oracle(text, maker.stranger.public)


@ORACLES
@given(
    payload=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.integers(0, 2**53 - 1) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        max_size=5,
    ),
    seed=st.binary(min_size=32, max_size=32),
)
def test_they_read_what_we_sign(oracle: Oracle, payload: dict[str, Any], seed: bytes) -> None:
    key = MemorySigningKey(seed)
    text = sign(payload, "muster-lease+jwt", key)
    assert oracle(text, key.public) == payload == parse(text, SMALL).payload


@given(
    payload=st.dictionaries(st.text("abcxyz", max_size=8), st.integers(0, 2**53 - 1), max_size=5),
    seed=st.binary(min_size=32, max_size=32),
)
def test_we_read_what_they_sign(payload: dict[str, Any], seed: bytes) -> None:
    key = MemorySigningKey(seed)
    private = jwt.PyJWK.from_dict(key.public.jwk | {"d": b64url_encode(seed)}, algorithm="EdDSA")
    text = jwt.api_jws.PyJWS().encode(
        json.dumps(payload).encode(),
        private,
        algorithm="EdDSA",
        headers={"kid": key.public.kid, "typ": "muster-lease+jwt"},
    )
    compact = parse(text, SMALL)
    key.public.verify(compact.signature, compact.signing_input)
    assert compact.payload == payload
