"""The code agrees with both files of vectors (docs/spec/01-identities.md, section 1.12)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from muster.core import digits, identity, ids, keys
from muster.core.errors import MusterError
from muster.core.facts import clean_facts
from muster.lease import strict
from muster.lease.jws import MemorySigningKey
from muster.wire import proof
from muster.wire.activation import decode_request

VECTORS = Path(__file__).parent.parent / "vectors"
IDENTITIES: dict[str, Any] = json.loads((VECTORS / "identities.json").read_text("ascii"))
# Independent vectors for both check schemes; they were not made by this project's code.
CHECKS: dict[str, Any] = json.loads((VECTORS / "checks.json").read_text("ascii"))


def test_the_file_is_what_its_script_makes() -> None:
    """Nobody edited the vectors by hand."""
    path = VECTORS / "make_identities.py"
    spec = importlib.util.spec_from_file_location("make_identities", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.text() == (VECTORS / "identities.json").read_text("ascii")


def values(text: str) -> list[int]:
    return [keys.ALPHABET.index(symbol) for symbol in text.replace("-", "")]


def test_the_alphabet_is_the_independent_one() -> None:
    assert CHECKS["alphabet"] == keys.ALPHABET


@pytest.mark.parametrize("text", CHECKS["product_key_check_holds"])
def test_independent_key_checks_hold(text: str) -> None:
    """The check symbol is right; what stands before it was drawn and need not be a key."""
    symbols = values(text)
    assert keys.check_symbol(symbols[:24]) == symbols[24]
    try:
        keys.parse_product_key(text)
    except MusterError as caught:
        assert caught.code in {"key/version", "key/kind", "key/range"}


@pytest.mark.parametrize("text", CHECKS["product_key_check_fails"])
def test_independent_key_checks_fail(text: str) -> None:
    symbols = values(text)
    assert keys.check_symbol(symbols[:24]) != symbols[24]
    with pytest.raises(MusterError) as caught:
        keys.parse_product_key(text)
    assert caught.value.code == "key/check"


@pytest.mark.parametrize("case", CHECKS["digit_groups"], ids=lambda case: str(case["place"]))
def test_independent_digit_groups(case: dict[str, Any]) -> None:
    assert case["data"] + digits.check_digit(case["data"], case["place"]) == case["group"]
    digits.check_group(case["group"], case["place"])


@pytest.mark.parametrize("case", IDENTITIES["publishers"], ids=lambda case: str(case["id"]))
def test_publishers(case: dict[str, Any]) -> None:
    root = bytes.fromhex(case["root"])
    assert identity.publisher_id(root) == case["id"]
    assert identity.publisher_prefix(root) == case["prefix"]
    assert identity.prefix_of(case["id"]) == case["prefix"]


@pytest.mark.parametrize("case", IDENTITIES["product_keys"], ids=lambda case: str(case["key_id"]))
def test_product_keys(case: dict[str, Any]) -> None:
    tag_key = bytes.fromhex(case["tag_key"])
    made = keys.make_product_key(
        tag_key, keys.Kind.of(case["kind"]), case["prefix"], case["group"], case["serial"]
    )
    assert made.text == case["text"]
    assert keys.parse_product_key(case["text"]) == made
    assert made.masked == case["masked"]
    assert made.head_bytes.hex() == case["head_bytes"]
    assert made.tag_bytes.hex() == case["tag_bytes"]
    assert made.key_id.text == case["key_id"]
    assert made.key_id.packed.hex() == case["key_id_packed"]
    keys.verify_tag(tag_key, made)


@pytest.mark.parametrize("case", IDENTITIES["product_keys_refused"])
def test_refused_product_keys(case: dict[str, Any]) -> None:
    with pytest.raises(MusterError) as caught:
        keys.parse_product_key(case["text"])
    assert caught.value.code == case["code"]


def test_cmids() -> None:
    case = IDENTITIES["cmids"]
    seeds = {one["mode"]: bytes.fromhex(one["seed"]) for one in case["machines"]}
    assert identity.device_seed(case["system_uuid"], case["publisher"]) == seeds["device"]
    assert identity.explicit_seed(case["publisher"], case["given"]) == seeds["explicit"]
    for one in case["machines"]:
        public = MemorySigningKey(bytes.fromhex(one["seed"])).public.raw
        assert public.hex() == one["public"]
        assert identity.machine_cmid(case["publisher"], one["mode"], public) == one["cmid"]


def test_proofs() -> None:
    (machine,) = (one for one in IDENTITIES["cmids"]["machines"] if one["mode"] == "machine")
    publisher = IDENTITIES["cmids"]["publisher"]
    assert {case["good"] for case in IDENTITIES["proofs"]} == {True, False}
    for case in IDENTITIES["proofs"]:
        body = case["message"].encode()
        try:
            if case["kind"] == "request":
                decode_request(body).check_proof()
            else:
                word, limits = proof.RELEASE, strict.BUNDLE
                proof.check(word, body, limits, publisher, "machine", machine["cmid"])
        except MusterError as fault:
            assert fault.code == "host/request-proof", case["what"]
            assert not case["good"], case["what"]
        else:
            assert case["good"], case["what"]


def test_fingerprints() -> None:
    case = IDENTITIES["fingerprints"]
    facts = [identity.Fact(name, value) for name, value in case["facts"].items()]
    salt = identity.device_salt(case["system_uuid"], case["publisher"])
    assert salt.hex() == case["device_salt"]
    assert list(identity.commitments(salt, facts)) == case["device_commitments"]
    stored = bytes.fromhex(case["salt"])
    assert list(identity.commitments(stored, facts)) == case["commitments"]
    assert list(identity.commitments(stored, clean_facts(case["many"]))) == case["many_commitments"]
    other = [identity.Fact("system-uuid", case["other_byte_order"]), *facts[1:]]
    assert list(identity.commitments(stored, other)) == case["commitments"]
    assert identity.device_salt(case["other_byte_order"], case["publisher"]) == salt


@pytest.mark.parametrize("case", IDENTITIES["system_uuids"], ids=lambda case: str(case["text"]))
def test_both_byte_orders_of_a_system_uuid_are_one(case: dict[str, str]) -> None:
    assert identity.one_uuid(case["text"]) == case["one"]
    assert identity.one_uuid(case["one"]) == case["one"]


@pytest.mark.parametrize("case", IDENTITIES["matches"])
def test_matches(case: dict[str, Any]) -> None:
    stored, now = case["stored"], case["now"]
    assert identity.check_fingerprint(stored) == tuple(stored)
    assert identity.check_fingerprint(now) == tuple(now)
    assert identity.matches(stored, now) == case["same"]
    assert identity.matches(now, stored) == case["same"], "not the same both ways round"


@pytest.mark.parametrize("case", IDENTITIES["bindings"], ids=lambda case: str(case["key_id"]))
def test_bindings(case: dict[str, Any]) -> None:
    publisher, key_id = case["publisher"], keys.KeyId.parse(case["key_id"])
    tag = bytes.fromhex(case["tag_bytes"])
    fact = identity.Fact(case["fact"], case["value"])
    salt = identity.facts_salt(publisher, key_id, tag)
    assert salt.hex() == case["facts_salt"]
    assert identity.salted_binding(publisher, key_id, salt, fact) == case["binding"]
    assert identity.binding(publisher, key_id, tag, fact) == case["binding"]
    assert identity.hardware_id(publisher, key_id, tag, fact) == case["hardware_id"]
    host = bytes.fromhex(case["host_public"])
    assert identity.host_binding(publisher, key_id, host) == case["host_binding"]
    assert identity.grant_jti(publisher, key_id, case["binding"]) == case["jti"]


def test_nonces() -> None:
    for case in IDENTITIES["nonces"]:
        assert identity.nonce_of(bytes.fromhex(case["drawn"])) == case["nonce"]
        assert identity.nonce_prefix(case["nonce"]) == case["prefix"]


@pytest.mark.parametrize(
    "case", IDENTITIES["installation_ids"], ids=lambda case: str(case["key_id"])
)
def test_installation_ids(case: dict[str, Any]) -> None:
    key_id = keys.KeyId.parse(case["key_id"])
    proof_key = ids.proof_key(case["publisher"], key_id, bytes.fromhex(case["tag_bytes"]))
    assert proof_key.hex() == case["proof_key"]
    made = ids.make_installation_id(
        case["trust_version"], key_id, case["binding"], case["hw"], proof_key
    )
    assert made.proof_input.hex() == case["proof_input"]
    assert made.proof == case["proof"]
    assert made.text == case["text"]
    assert ids.parse_installation_id(case["text"]) == made
    ids.check_proof(made, proof_key)


@pytest.mark.parametrize("case", IDENTITIES["installation_ids_refused"])
def test_refused_installation_ids(case: dict[str, Any]) -> None:
    with pytest.raises(MusterError) as caught:
        ids.parse_installation_id(case["text"])
    assert caught.value.code == case["code"]


@pytest.mark.parametrize("case", IDENTITIES["confirmation_ids"], ids=lambda case: case["text"][:13])
def test_confirmation_ids(case: dict[str, Any]) -> None:
    made = ids.ConfirmationId(
        case["key_index"], case["day"], case["term"], bytes.fromhex(case["signature"])
    )
    assert made.text == case["text"]
    assert ids.parse_confirmation_id(case["text"]) == made
