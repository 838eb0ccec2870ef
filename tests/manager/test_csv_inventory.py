"""Inventories as comma-separated values, as programs really save them."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.manager.csv_inventory import read_csv
from muster.manager.listing import MACHINES
from muster.manager.model import Listed


def read(text: str) -> list[Listed]:
    return list(read_csv(text, "hosts.csv").machines)


def names(text: str) -> list[str]:
    return [item.name for item in read(text)]


def test_columns_are_found_by_what_they_are_called() -> None:
    text = 'Port,Computer Name,IP-Address,User,Group\n2222,PC1,10.0.0.1,ops,"a;b, c"\n'
    assert read(text) == [Listed("pc1", "10.0.0.1", 2222, "ops", ("a", "b", "c"), 2)]


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_any_sign_stands_between_cells(sign: str) -> None:
    text = sign.join(("name", "address")) + "\r\n" + sign.join(("pc1", "10.0.0.1")) + "\r\n"
    assert read(text) == [Listed("pc1", "10.0.0.1", line=2)]


def test_the_line_that_excel_writes_in_front() -> None:
    assert read("sep=;\nname;address\npc1;10.0.0.1\n") == [Listed("pc1", "10.0.0.1", line=3)]
    for line in ("sep=", 'sep="', "sep=what"):
        assert names(f"{line}\nname,address\npc1,10.0.0.1\n") == ["pc1"]


def test_a_file_without_a_heading_is_a_list_of_names() -> None:
    assert names("# all\npc1\n\n  pc2  \n") == ["pc1", "pc2"]
    assert names("pc1,10.0.0.1\npc2,10.0.0.2\n") == ["pc1", "pc2"]


def test_addresses_stand_for_names_that_are_missing() -> None:
    assert names("address\n10.0.0.1\n") == ["10.0.0.1"]
    assert names("name,address\n,10.0.0.1\npc2,\n") == ["10.0.0.1", "pc2"]


def test_what_is_no_machine_is_skipped_with_its_line() -> None:
    inventory = read_csv(
        "name,address,port,account,groups\n"
        "=cmd|' /C calc'!A0,,,,\n"
        "pc1,nowhere at all,,,\n"
        "pc2,,99999,,\n"
        "pc3,,,-oProxyCommand=x,\n"
        ",,,someone,\n"
        "pc4,,,,good -bad\n",
        "hosts.csv",
    )
    assert [item.name for item in inventory.machines] == ["pc4"]
    assert inventory.machines[0].groups == ("good",)
    assert [(item.line, item.text) for item in inventory.skipped] == [
        (2, "=cmd|' /C calc'!A0"),
        (3, "pc1"),
        (4, "pc2"),
        (5, "pc3"),
        (6, "someone"),
        (7, "-bad"),
    ]
    assert all(item.reason for item in inventory.skipped)


def test_a_machine_has_one_line_for_each_group_or_is_listed_twice() -> None:
    inventory = read_csv("name,group\npc1,a\npc1,b\npc1,b\nPC1.,a b\n", "hosts.csv")
    (machine,) = inventory.machines
    assert machine.groups == ("a", "b")
    assert len(inventory.skipped) == 1
    assert "line 2" in inventory.skipped[0].reason


def test_quotes_that_do_not_fit_refuse_the_file() -> None:
    with pytest.raises(MusterError) as refused:
        read('name\npc1\n"pc2\n')
    assert refused.value.code == "manager/inventory"
    assert "line" in refused.value.what


def test_fifty_thousand_lines_and_too_many() -> None:
    lines = "".join(f"pc{number}\n" for number in range(50_000))
    assert len(read(lines)) == 50_000
    with pytest.raises(MusterError, match=str(MACHINES)):
        read("".join(f"pc{number}\n" for number in range(MACHINES + 1)))


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        inventory = read_csv(text, "hosts.csv")
    except MusterError as refused:
        assert refused.code == "manager/inventory"
    else:
        assert len({item.name for item in inventory.machines}) == len(inventory.machines)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True),
        st.lists(st.sampled_from(["a", "b", "c"]), unique=True),
        max_size=8,
    )
)
def test_what_is_written_is_read(machines: dict[str, list[str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["name", "groups"])
    writer.writerows((name, " ".join(groups)) for name, groups in machines.items())
    assert {item.name: list(item.groups) for item in read(out.getvalue())} == machines
