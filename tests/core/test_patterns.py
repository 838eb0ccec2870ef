"""Patterns that are compiled at their first use judge as compiled ones do."""

from __future__ import annotations

import re

import pytest

from muster.core import grammar
from muster.core.patterns import pattern


def test_a_pattern_is_compiled_when_it_is_first_used() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error):
        wrong.fullmatch("(")


def test_it_answers_as_the_compiled_one() -> None:
    late, compiled = pattern(r"(a+)(b?)", re.IGNORECASE), re.compile(r"(a+)(b?)", re.IGNORECASE)
    for text in ("aab", "AB", "xaay", "b", ""):
        for method in ("match", "fullmatch", "search"):
            found, expected = getattr(late, method)(text), getattr(compiled, method)(text)
            assert (found and found.groups()) == (expected and expected.groups())
        assert late.findall(text) == compiled.findall(text)
        assert late.sub("-", text) == compiled.sub("-", text)
        assert late.split(text) == compiled.split(text)
    assert (late.pattern, late.flags) == (compiled.pattern, re.IGNORECASE)


def test_every_grammar_is_a_pattern() -> None:
    """One that could not be compiled would be found at its first use only."""
    named = [one for one in vars(grammar).values() if isinstance(one, type(pattern("")))]
    assert len(named) > 40
    for one in named:
        one.fullmatch("")


def test_it_has_what_is_used_of_a_pattern_and_no_more() -> None:
    late = pattern("(")
    for name in ("scanner", "groups", "subn"):
        with pytest.raises(AttributeError, match=name):
            getattr(late, name)
