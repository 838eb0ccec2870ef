"""Names of machines, ports, accounts, tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.manager.names import (
    check_source,
    check_tag,
    is_account,
    is_word,
    machine_name,
    port_number,
)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("PC-1.Corp.Example.", "pc-1.corp.example"),
        ("  pc_2 ", "pc_2"),
        ("10.0.0.5", "10.0.0.5"),
        ("[2001:DB8:0::5]", "2001:db8::5"),
        ("", None),
        ("two words", None),
        ("-pc", None),
        ("a..b", None),
        ("=cmd|' /C calc'!A0", None),
        ("pc\x1b[31m", None),
        ("a" * 64, None),
        (".".join(["a" * 63] * 4), None),
    ],
)
def test_the_name_of_a_machine(typed: str, kept: str | None) -> None:
    assert machine_name(typed) == kept


@given(st.text(max_size=80))
def test_what_is_kept_is_kept_as_it_is(text: str) -> None:
    name = machine_name(text)
    assert name is None or machine_name(name) == name


@pytest.mark.parametrize(
    ("typed", "port"),
    [("", 0), ("22", 22), (" 65535 ", 65535), ("0", None), ("65536", None), ("ssh", None)],
)
def test_a_port(typed: str, port: int | None) -> None:
    assert port_number(typed) == port


def test_accounts_and_words() -> None:
    for account in ("", "ops", "CORP\\ops", "ops@corp.example", "pc-1$"):
        assert is_account(account), account
    for account in ("-oProxyCommand=x", "a b", "a;b", "a" * 65, "$x"):
        assert not is_account(account), account
    assert is_word("site:hq/floor-2")
    for word in ("", "-x", "a b", "=x", "a" * 65, "a\n"):
        assert not is_word(word), word


def test_what_cannot_be_a_tag_or_a_source_is_refused_by_name() -> None:
    with pytest.raises(MusterError, match=r"two words") as refused:
        check_tag("two words")
    assert refused.value.code == "manager/tag"
    with pytest.raises(MusterError) as refused:
        check_source(" hosts.csv")
    assert refused.value.code == "manager/source"
    check_tag("pilot")
    check_source("Liste der Rechner.csv")
