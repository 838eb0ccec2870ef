"""What reading an inventory changes."""

from __future__ import annotations

import pytest

from muster.manager.model import Listed, Machine
from muster.manager.rules import read

KNOWN = {"pc1": Machine(1, "pc1", "10.0.0.1", 22, "ops", 0, 0, ("a",), ("t",))}


def names(item: Listed, groups: dict[str, tuple[str, ...]], *tags: str) -> list[int]:
    reading = read(KNOWN, groups, [item], tags)
    return [len(reading.added), len(reading.changed), len(reading.same), len(reading.gone)]


@pytest.mark.parametrize(
    ("item", "result"),
    [
        (Listed("pc2"), [1, 0, 0, 1]),
        (Listed("pc1", groups=("a",)), [0, 0, 1, 0]),
        (Listed("pc1", "10.0.0.1", 22, "ops", ("a",)), [0, 0, 1, 0]),
        (Listed("pc1", "10.0.0.2", groups=("a",)), [0, 1, 0, 0]),
        (Listed("pc1", port=23, groups=("a",)), [0, 1, 0, 0]),
        (Listed("pc1", account="root", groups=("a",)), [0, 1, 0, 0]),
        (Listed("pc1"), [0, 1, 0, 0]),
        (Listed("pc1", groups=("a", "b")), [0, 1, 0, 0]),
    ],
)
def test_what_an_inventory_changes(item: Listed, result: list[int]) -> None:
    assert names(item, {"pc1": ("a",)}) == result


def test_a_machine_of_another_inventory_is_changed_when_it_is_listed_first() -> None:
    assert names(Listed("pc1"), {}) == [0, 1, 0, 0]


def test_a_tag_that_a_machine_does_not_have_changes_it() -> None:
    item = Listed("pc1", groups=("a",))
    assert names(item, {"pc1": ("a",)}, "t") == [0, 0, 1, 0]
    assert names(item, {"pc1": ("a",)}, "t", "u") == [0, 1, 0, 0]
