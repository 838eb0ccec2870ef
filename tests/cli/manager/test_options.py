"""Phrases that commands of a manager share."""

from __future__ import annotations

from muster.cli.manager.options import count_text, named


def test_names_and_numbers_in_words() -> None:
    assert [count_text(number) for number in (0, 1, 2)] == ["0 machines", "1 machine", "2 machines"]
    assert named(["a", "b"]) == "a, b"
    assert named([str(n) for n in range(10)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert named([str(n) for n in range(12)]).endswith("8, 9 and 2 more")
