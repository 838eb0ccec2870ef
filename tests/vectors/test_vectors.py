"""The vectors of signed objects, judged by Muster: result, error code and step of every case.

Without exception: what docs/spec refuses is refused by the step that the spec names.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.vectors.reading import (
    HERE,
    STEPS,
    cases,
    data_of,
    expected,
    load,
    refusing_step,
    shown_host,
)

from muster.core.errors import MusterError
from muster.core.ids import parse_confirmation_id
from muster.core.keys import KeyId
from muster.lease.catalogue import group_from_dict, read_catalogue
from muster.lease.grant import (
    GrantValues,
    confirmation_of,
    grant_signing_input,
    read_grant,
    rebuild_grant,
)
from muster.lease.jws import MemorySigningKey, PublicKey
from muster.lease.site import SITE_STEPS, read_site_file, verify_site
from muster.lease.steps import Expected
from muster.lease.terms import Terms, accept_terms, read_terms
from muster.lease.trust import Trust, TrustKey, anchor, walk
from muster.lease.verify import verify_activation, verify_lease, verify_notice

VERIFY: dict[str, Callable[[bytes, Expected], object]] = {
    "lease": verify_lease,
    "activation": verify_activation,
    "notice": verify_notice,
}


@pytest.mark.parametrize("case", cases("licences"))
def test_licence(case: dict[str, Any]) -> None:
    """Each case is refused by its step with its code, or is good."""
    data, want = data_of(case), expected(case)
    refused = refusing_step(case["kind"], data, want)
    if case["result"] == "ok":
        assert refused is None
        VERIFY[case["kind"]](data, want)
    else:
        assert refused is not None
        place, fault = refused
        assert (place, fault.code) == (case["step"], case["result"])
        assert fault.what
        assert fault.fix
        with pytest.raises(MusterError) as raised:
            VERIFY[case["kind"]](data, want)
        assert raised.value.code == case["result"]


def test_stored_text_is_good_again() -> None:
    """What a client would store of a good licence goes through verification like any other."""
    checked = 0
    for case in load("licences")["cases"]:
        if case["result"] == "ok" and case["kind"] == "lease":
            licence = verify_lease(data_of(case), expected(case))
            assert verify_lease(licence.text.encode(), expected(case)) == licence
            checked += 1
    assert checked > 40


def test_every_error_of_every_step_has_a_case() -> None:
    """No step can say something that no vector makes it say."""
    for kind, steps in STEPS.items():
        told: dict[int, set[str]] = {}
        for case in load("licences")["cases"]:
            if case["kind"] == kind and case["step"] is not None:
                told.setdefault(case["step"], set()).add(case["result"])
        for place, step in enumerate(steps, start=1):
            assert told[place] == set(step.codes)


@pytest.mark.parametrize("case", cases("trust"))
def test_trust_line(case: dict[str, Any]) -> None:
    """A line of trust objects leads to its version, or stops with its error."""
    if isinstance(case["result"], int):
        assert walk(anchor(case["anchor"]), case["line"]).version == case["result"]
    else:
        with pytest.raises(MusterError) as raised:
            walk(anchor(case["anchor"]), case["line"])
        assert raised.value.code == case["result"]
        assert raised.value.what


@pytest.mark.parametrize("case", cases("catalogues"))
def test_catalogue(case: dict[str, Any]) -> None:
    """A catalogue is read under the trust at the end of its line, or refused with its error."""
    trust = walk(anchor(case["anchor"]), case["line"])
    if isinstance(case["result"], int):
        assert read_catalogue(case["catalogue"], trust).version == case["result"]
    else:
        with pytest.raises(MusterError) as raised:
            read_catalogue(case["catalogue"], trust)
        assert raised.value.code == case["result"]
        assert raised.value.what


@pytest.mark.parametrize("case", cases("terms"))
def test_terms(case: dict[str, Any]) -> None:
    """Terms are read under the trust at the end of a line for a host's grant, or refused."""
    trust = walk(anchor(case["anchor"]), case["line"])
    grant = read_grant(case["grant"], trust, trust.issuer)
    # What is held was taken under an earlier trust.
    held = None if case["held"] is None else held_terms(case["held"])
    if isinstance(case["result"], int):
        assert accept_terms(held, case["terms"], trust, grant).version == case["result"]
    else:
        with pytest.raises(MusterError) as raised:
            accept_terms(held, case["terms"], trust, grant)
        assert raised.value.code == case["result"]
        assert raised.value.what


@pytest.mark.parametrize("case", cases("confirmations"))
def test_confirmation(case: dict[str, Any]) -> None:
    """Digits become the grant that they stand for, under the trust of a line, or are refused."""
    trust = walk(anchor(case["anchor"]), case["line"])
    machine = (trust.issuer, KeyId.parse(case["key_id"]), case["binding"], case["hw"])
    record = group_from_dict(case["group"])
    confirmation = parse_confirmation_id(case["text"])
    if case["result"] == "ok":
        assert rebuild_grant(confirmation, *machine, record, trust) == case["grant"]
        assert read_grant(case["grant"], trust, trust.issuer).text == case["grant"]
    else:
        with pytest.raises(MusterError) as raised:
            rebuild_grant(confirmation, *machine, record, trust)
        assert raised.value.code == case["result"]
        assert raised.value.what


@pytest.mark.parametrize("case", cases("sites"))
def test_site(case: dict[str, Any]) -> None:
    """A site file names the hosts of its part, or is refused by its step with its error."""
    trust = walk(anchor(case["anchor"]), case["line"])
    held = None if case["catalogue"] is None else read_catalogue(case["catalogue"], trust)

    def hosts() -> list[str]:
        parts = read_site_file(case["file"].encode())
        mine = [part for part in parts if part.publisher == trust.issuer]
        verified = [verify_site(part, trust, held, case["now"]) for part in mine]
        return [shown_host(host) for site in verified for host in site.claims.hosts]

    if case["result"] == "ok":
        assert hosts() == case["hosts"]
        return
    with pytest.raises(MusterError) as raised:
        hosts()
    assert raised.value.code == case["result"]
    assert case["result"] in (SITE_CODES[case["step"]] if case["step"] else FILE_CODES)
    if case["step"]:  # Every step before it passes: what it raises without this one is later.
        part = next(p for p in read_site_file(case["file"].encode()) if p.publisher == trust.issuer)
        for number, _, _ in SITE_STEPS[1 : case["step"] - 1]:
            with pytest.raises(MusterError) as again:
                verify_site(part, trust, held, case["now"], without=number)
            assert again.value.code == case["result"]


def test_no_step_of_a_site_is_idle() -> None:
    """Without each step but the first, which reads, something bad would be good."""
    needed = set()
    for case in load("sites")["cases"]:
        if (case["step"] or 0) > 1:
            trust = walk(anchor(case["anchor"]), case["line"])
            held = None if case["catalogue"] is None else read_catalogue(case["catalogue"], trust)
            (part,) = read_site_file(case["file"].encode())
            try:
                verify_site(part, trust, held, case["now"], without=f"S{case['step']}")
            except MusterError:
                continue
            needed.add(case["step"])
    assert needed == {2, 3, 4, 5, 6, 7, 8}


FILE_CODES = ("licence/malformed", "licence/version")
SITE_CODES = {number: codes for number, (_, _, codes) in enumerate(SITE_STEPS, start=1)}


def held_terms(text: str) -> Terms:
    """Terms as a host keeps them: read once, under the trust of that day."""
    first = load("terms")["cases"][0]
    trust = anchor(first["anchor"])
    return read_terms(text, trust, read_grant(first["grant"], trust, trust.issuer))


def grant_trust(case: dict[str, Any]) -> Trust:
    """A trust object that lists the grant key of a case; who signed it does not matter here."""
    entry = TrustKey(PublicKey.from_jwk(case["key"]), "grant", case["key_index"])
    roots = (MemorySigningKey(b"1" * 32).public, MemorySigningKey(b"2" * 32).public)
    return Trust(case["publisher"], 0, 1, "label", "Name", roots, (entry,), "")


@pytest.mark.parametrize("case", cases("grants"))
def test_grant_function(case: dict[str, Any]) -> None:
    """G gives the bytes of the vector, and the digits give the grant back."""
    key_id = KeyId.parse(case["key_id"])
    record = group_from_dict(case["group"])
    trust = grant_trust(case)
    assert key_id.kind.text == case["kind"]
    values = GrantValues(
        case["publisher"],
        key_id,
        case["binding"],
        case["hw"],
        case["term"],
        case["day"],
        record,
    )
    made = grant_signing_input(values, trust.keys[0].key.kid)
    assert made.decode() == case["signing_input"]
    confirmation = parse_confirmation_id(" ".join(case["confirmation"]))
    assert (confirmation.key_index, confirmation.day, confirmation.term) == (
        case["key_index"],
        case["day"],
        case["term"],
    )
    rebuilt = rebuild_grant(
        confirmation, case["publisher"], key_id, case["binding"], case["hw"], record, trust
    )
    assert rebuilt == case["grant"]
    assert confirmation_of(rebuilt, case["key_index"]) == confirmation
    read = read_grant(rebuilt, trust, case["publisher"])
    assert (read.key, read.binding, read.hw) == (case["key_id"], case["binding"], case["hw"])
    assert (read.day, read.term) == (case["day"], case["term"])


@pytest.mark.parametrize("field", ["binding", "day", "term", "hw", "group"])
def test_digits_of_another_grant(field: str) -> None:
    """A confirmation ID fits no other machine, day, term, hardware or group."""
    case = next(case for case in load("grants")["cases"] if case["name"] == "host with a term")
    changed = {
        **case,
        "hw": "0" * 12 if field == "hw" else case["hw"],
        "binding": "0" * 25 if field == "binding" else case["binding"],
        "group": {**case["group"], "max_lease": 1} if field == "group" else case["group"],
    }
    confirmation = parse_confirmation_id("-".join(case["confirmation"]))
    if field in ("day", "term"):
        confirmation = replace(confirmation, **{field: getattr(confirmation, field) - 1})
    with pytest.raises(MusterError) as raised:
        rebuild_grant(
            confirmation,
            changed["publisher"],
            KeyId.parse(changed["key_id"]),
            changed["binding"],
            changed["hw"],
            group_from_dict(changed["group"]),
            grant_trust(case),
        )
    assert raised.value.code == "confirmation/signature"


def test_files_are_current() -> None:
    """The maker gives exactly the files that are checked in."""
    result = subprocess.run(
        [sys.executable, str(HERE / "make.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
