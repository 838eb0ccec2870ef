"""Filters: what terms mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.manager.filters import TERMS, check_saved, read_filter
from muster.manager.model import Machine

FLEET = (
    Machine(
        1, "web1.corp.example", "10.1.0.5", 0, "", 0, 0, ("servers", "web"), ("pilot",), ("a.csv",)
    ),
    Machine(2, "web2.corp.example", "", 0, "", 0, 0, ("servers",), (), ("a.csv", "by hand")),
    Machine(3, "10.1.9.9", "", 0, "", 0, 0),
    Machine(4, "2001:db8::1", "", 0, "", 0, 0, (), ("late",)),
)
SAVED = {"pilots": "tag=pilot", "others": "!@pilots name=web*", "loop": "@loop"}


def found(*terms: str) -> list[int]:
    test = read_filter(terms, SAVED)
    return [machine.id for machine in FLEET if test(machine)]


@pytest.mark.parametrize(
    ("terms", "ids"),
    [
        ((), [1, 2, 3, 4]),
        (("",), [1, 2, 3, 4]),
        (("*",), [1, 2, 3, 4]),
        (("WEB*",), [1, 2]),
        (("name=web?.corp.example",), [1, 2]),
        (("web[1].*",), [1]),
        (("!web*",), [3, 4]),
        (("group=servers", "tag=*"), [1]),
        (("group=servers !tag=*",), [2]),
        (("address=10.1.0.0/16",), [1, 3]),
        (("address=10.1.9.9",), [3]),
        (("address=2001:db8::/32",), [4]),
        (("source=by*",), [2]),
        (("@pilots",), [1]),
        (("@others",), [2]),
        (("!@others",), [1, 3, 4]),
    ],
)
def test_what_terms_find(terms: tuple[str, ...], ids: list[int]) -> None:
    assert found(*terms) == ids


@pytest.mark.parametrize(
    ("term", "code"),
    [
        ("colour=red", "manager/filter"),
        ("name=", "manager/filter"),
        ("!", "manager/filter"),
        ("tag=" + "x" * 254, "manager/filter"),
        ("address=10.1", "manager/filter"),
        ("@nobody", "manager/unknown-filter"),
        ("@loop", "manager/filter"),
        (" ".join(["a"] * (TERMS + 1)), "manager/filter"),
    ],
)
def test_what_is_no_term_is_refused(term: str, code: str) -> None:
    with pytest.raises(MusterError) as refused:
        found(term)
    assert refused.value.code == code


def test_what_may_be_saved() -> None:
    check_saved("new", "tag=pilot @others", SAVED)
    for name, terms in (("two words", "a"), ("new", ""), ("pilots", "@others"), ("new", "x=y")):
        with pytest.raises(MusterError) as refused:
            check_saved(name, terms, SAVED)
        assert refused.value.code == "manager/filter", name


def test_saved_filters_do_not_grow_beyond_bounds() -> None:
    saved = {"f0": "a"} | {f"f{n}": f"@f{n - 1} @f{n - 1}" for n in range(1, 60)}
    with pytest.raises(MusterError) as refused:
        read_filter(["@f59"], saved)
    assert refused.value.code == "manager/filter"


@given(st.lists(st.text(max_size=30), max_size=6))
def test_any_terms_are_read_or_refused(terms: list[str]) -> None:
    try:
        test = read_filter(terms, SAVED)
    except MusterError as refused:
        assert refused.code in ("manager/filter", "manager/unknown-filter")
    else:
        assert all(test(machine) in (True, False) for machine in FLEET)
