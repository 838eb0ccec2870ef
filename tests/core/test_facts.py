"""Facts: one table, one form for each value, and placeholders of makers are no facts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.facts import FACTS, clean, clean_facts
from muster.core.identity import ADDRESS, ADDRESSES, LETTERS, PRIMARY_FACTS

NAMES = [source.name for source in FACTS]


def test_the_table() -> None:
    assert len(set(NAMES)) == len(NAMES) <= 16
    binding = [ADDRESS if one.name == ADDRESSES else one.name for one in FACTS if one.binds]
    assert tuple(binding) == PRIMARY_FACTS
    assert [source.name for source in FACTS if source.counts] == list(LETTERS)
    assert {source.name for source in FACTS if source.carrier == "image"} == set(NAMES) - set(
        LETTERS
    )
    assert {source.carrier for source in FACTS} == {"machine", "card", "image"}
    assert {source.privilege for source in FACTS} == {"root", "user"}
    assert all(source.source and source.stability for source in FACTS)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "system-uuid",
            " 4C4C4544-0042-3510-8054-B4C04F4D3232\n",
            "4c4c4544-0042-3510-8054-b4c04f4d3232",
        ),
        ("board-serial", "  /7XK2/  CN70  ", "/7XK2/ CN70"),
        (
            "permanent-macs",
            "B8:CA:3A:00:00:02, b8:ca:3a:00:00:01,b8:ca:3a:00:00:01",
            "b8:ca:3a:00:00:01,b8:ca:3a:00:00:02",
        ),
        ("permanent-macs", "00:00:00:00:00:00,00-1B-21-33-44-56", "00:1b:21:33:44:56"),
        ("cloud-instance", " i-0A1B2C3D4E5F60718", "i-0a1b2c3d4e5f60718"),
        ("machine-id", "ABCDEF0123", "abcdef0123"),
        ("cpu-model", "A  processor", "A processor"),
    ],
)
def test_values_have_one_form(name: str, value: str, expected: str) -> None:
    assert clean(name, value) == expected
    assert clean(name, expected) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("board-serial", ""),
        ("board-serial", "To Be Filled By O.E.M."),
        ("board-serial", "Default string"),
        ("board-serial", "None"),
        ("board-serial", "0000000000"),
        ("board-serial", "0123456789"),
        ("board-serial", "1234567890"),
        ("product-serial", "System Serial Number"),
        ("product-serial", "........"),
        ("product-serial", "x" * 1025),
        ("product-serial", "ü"),
        ("system-uuid", "00000000-0000-0000-0000-000000000000"),
        ("system-uuid", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        ("system-uuid", "03000200-0400-0500-0006-000700080009"),
        ("system-uuid", "4c4c4544"),
        ("permanent-macs", "not an address"),
        ("permanent-macs", ""),
        ("permanent-macs", "02:11:22:33:44:55"),
        ("permanent-macs", "01:00:5e:00:00:01"),
        ("permanent-macs", "00:0e:c6:01:9f:20"),
        ("cloud-instance", "7783-7084-3265-9085-8269-3286-77"),
        ("cloud-instance", "i-12121212"),
        ("machine-id", "uninitialized"),
        ("machine-id", "00000000"),
        ("cpu-model", "a\x07 model"),
        ("cpu-model", ""),
        ("cpu-model", " \n"),
        ("shoe-size", "44"),
    ],
)
def test_placeholders_are_no_facts(name: str, value: str) -> None:
    assert clean(name, value) is None


def test_a_value_has_at_most_1024_characters() -> None:
    longest = "ab c" * 256
    assert clean("cpu-model", longest) == longest
    assert clean("cpu-model", longest + "d") is None
    assert clean("cpu-model", f" {longest} ") == longest


def test_unknown_and_empty_facts_are_passed_over() -> None:
    facts = clean_facts({"shoe-size": "44", "cpu-model": "A", "machine-id": "ab12", "disk": ""})
    assert [(fact.name, fact.value) for fact in facts] == [("machine-id", "ab12")]


@given(st.sampled_from([*NAMES, "other"]), st.text(max_size=60))
def test_any_text_gives_a_fact_or_none_and_cleaning_again_changes_nothing(
    name: str, value: str
) -> None:
    found = clean(name, value)
    if found is not None:
        assert clean(name, found) == found
        assert len(clean_facts({name: value})) == 1
    else:
        assert clean_facts({name: value}) == ()


DOCS = Path(__file__).resolve().parents[2] / "docs"


def _rows(page: str) -> dict[str, list[str]]:
    """The cells of each fact's row on a page."""
    rows = re.findall(r"^\| `([a-z-]+)` \|(.*)\|$", (DOCS / page).read_text("utf-8"), re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in reversed(rows)}


def test_the_tables_in_the_documentation_say_what_the_code_does() -> None:
    chapter, page = _rows("spec/01-identities.md"), _rows("client.md")
    for source in FACTS:
        letter, *rest = chapter[source.name]
        assert letter.strip("`") == LETTERS.get(source.name, "")
        for cells in (rest, page[source.name]):
            carried, reader, *_, leases, binds = cells
            image = carried.removeprefix("the ").startswith(("image", "every processor"))
            assert image == (source.carrier == "image")
            assert ("root" in reader) == (source.privilege == "root")
            assert leases.startswith("counts") == source.counts
            assert binds.startswith("binds") == source.binds
