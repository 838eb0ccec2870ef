"""A machine key under which everybody can sign names no machine (chapters 1.8.2 and 2.4.1)."""

from __future__ import annotations

import pytest
from tests.vectors.making.points import BAD_KEYS, OddKey, RawKey

from muster.core.errors import MusterError
from muster.core.identity import machine_cmid
from muster.lease import strict
from muster.lease.strict import b64url_encode
from muster.wire import proof

PUBLISHER = "a" * 16


def judge(key: RawKey) -> str:
    """Judge a request whose CMID is the name of its key and whose proof that key would give."""
    message: strict.JSONObject = {"v": 1, "key": b64url_encode(key.public)}
    signature = key.sign(proof.signed_bytes(proof.REQUEST, message))
    body = strict.canonical({**message, "proof": b64url_encode(signature)})
    cmid = machine_cmid(PUBLISHER, "machine", key.public)
    try:
        proof.check(proof.REQUEST, body, strict.SMALL, PUBLISHER, "machine", cmid)
    except MusterError as refusal:
        return refusal.code
    return "ok"


@pytest.mark.parametrize("name", BAD_KEYS)
def test_no_bad_key_names_a_machine(name: str) -> None:
    assert judge(RawKey(BAD_KEYS[name])) == "host/request-proof"


def test_odd_signatures_prove_nothing() -> None:
    assert judge(OddKey("machine", "both")) == "ok"
    for way in ("neutral R", "R above the prime", "R and more"):
        assert judge(OddKey("machine", way)) == "host/request-proof"
