"""Keys, names and what people type: each case of three files, judged by Muster."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.vectors.reading import cases

from muster.core.characters import HIDDEN, PASSED_OVER, SPACES
from muster.core.digits import decode_groups, parse_groups
from muster.core.errors import MusterError
from muster.core.grammar import DISPLAY_NAME
from muster.core.ids import parse_confirmation_id, parse_installation_id
from muster.core.keys import parse_product_key
from muster.lease.jws import PublicKey

SPEC = Path(__file__).parents[2] / "docs" / "spec"


def read_groups(case: dict[str, Any]) -> object:
    """Digit groups alone."""
    groups = parse_groups(case["text"], set(case["expected"]))
    decode_groups(groups)
    return "-".join(groups)


def read_confirmation(case: dict[str, Any]) -> object:
    """A confirmation ID: its fields."""
    found = parse_confirmation_id(case["text"])
    return {
        "index": found.key_index,
        "day": found.day,
        "term": found.term,
        "signature": found.signature.hex(),
    }


def read_installation(case: dict[str, Any]) -> object:
    """An installation ID: its fields."""
    found = parse_installation_id(case["text"])
    return {
        "residue": found.trust_residue,
        "key_id": found.key_id.text,
        "binding": found.binding,
        "hw": found.hw,
        "proof": found.proof,
    }


def read_key(case: dict[str, Any]) -> object:
    """A product key: its printed form and its id."""
    found = parse_product_key(case["text"])
    return {"text": found.text, "key_id": found.key_id.text}


READ = {
    "groups": read_groups,
    "confirmation": read_confirmation,
    "installation": read_installation,
    "product-key": read_key,
}


@pytest.mark.parametrize("case", cases("typed"))
def test_typed(case: dict[str, Any]) -> None:
    """What was typed is read as the vector says, or refused with its error, naming its group."""
    if case["result"] == "ok":
        assert READ[case["kind"]](case) == case["value"]
        return
    with pytest.raises(MusterError) as raised:
        READ[case["kind"]](case)
    assert raised.value.code == case["result"]
    if "group" in case:
        assert raised.value.params["group"] == case["group"]
    assert raised.value.what
    assert raised.value.why
    assert raised.value.fix


def test_every_error_of_typed_things_has_a_case() -> None:
    """No reader can say something that no vector makes it say."""
    told = {case.values[0]["result"] for case in cases("typed")}
    assert told == {
        "ok",
        *("digits/symbol", "digits/length", "digits/group"),
        *("id/version", "id/range", "id/shape"),
        *("key/symbol", "key/length", "key/check", "key/version", "key/kind", "key/range"),
    }


@pytest.mark.parametrize("case", cases("keys"))
def test_key(case: dict[str, Any]) -> None:
    """Only points of large order, written the one way, are keys."""
    if case["result"] == "ok":
        assert PublicKey.from_jwk(case["jwk"]).jwk == case["jwk"]
    else:
        with pytest.raises(MusterError) as raised:
            PublicKey.from_jwk(case["jwk"], "key", "trust/claims")
        assert raised.value.code == "trust/claims"


@pytest.mark.parametrize("case", cases("names"))
def test_name(case: dict[str, Any]) -> None:
    """A name is taken or refused by its code points alone."""
    assert ("ok" if DISPLAY_NAME.fullmatch(case["text"]) else "refused") == case["result"]


def listed(chapter: str, heading: str) -> set[str]:
    """The code points of the tables of a section that begin with `U+`."""
    text = (SPEC / chapter).read_text("utf-8").partition(f"# {heading}")[2]
    found: set[str] = set()
    for line in re.split(r"\n#", text, maxsplit=1)[0].splitlines():
        cell = line.split("|")[1] if line.startswith("| U+") else ""
        for low, high in re.findall(r"([0-9A-F]{4,6})(?:-([0-9A-F]{4,6}))?", cell):
            found.update(map(chr, range(int(low, 16), int(high or low, 16) + 1)))
    return found


def test_the_tables_of_the_chapters_are_what_the_code_does() -> None:
    """Passed over in 1.4.4, excluded from names in 2.5.1: every code point, one by one."""
    assert listed("01-identities.md", "1.4.4 ") == PASSED_OVER
    hidden = listed("02-signed-objects.md", "2.5.1 ")
    for plane in range(1, 13):  # "and so on"
        hidden |= {chr(plane << 16 | 0xFFFE), chr(plane << 16 | 0xFFFF)}
    excluded, space = re.compile(f"[{HIDDEN}]"), re.compile(f"[{SPACES}]")
    for number in range(0x110000):
        character = chr(number)
        assert (character in hidden) == bool(excluded.match(character)), hex(number)
        ends = DISPLAY_NAME.fullmatch(f"{character}a") is not None
        assert ends == (character not in hidden and not space.match(character))
