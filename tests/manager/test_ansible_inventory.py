"""Ansible's inventories: INI, YAML and the JSON of `ansible-inventory --list`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.manager.ansible_inventory import read_ini, read_list, read_yaml
from muster.manager.model import Listed

INI = """
mail.corp.example ansible_user=root   # by itself
[web]
www[01:03].corp.example ansible_port=2222
[db]
db-[a:b].corp.example
[servers:children]
web
db
[servers:vars]
ansible_user = ops
[db:vars]
ansible_user="dba"
"""
YAML = """
all:
  hosts:
    mail.corp.example: {ansible_user: root}
  children:
    servers:
      vars: {ansible_user: ops}
      children:
        web:
          hosts:
            www[01:03].corp.example:
              ansible_port: 2222
        db:
          vars: {ansible_user: dba}
          hosts:
            db-[a:b].corp.example:
"""
EXPECTED = [
    Listed("mail.corp.example", account="root"),
    *(
        Listed(f"www0{number}.corp.example", "", 2222, "ops", ("servers", "web"))
        for number in (1, 2, 3)
    ),
    *(Listed(f"db-{sign}.corp.example", "", 0, "dba", ("servers", "db")) for sign in "ab"),
]


def by_name(machines: tuple[Listed, ...] | list[Listed]) -> list[Listed]:
    """Without lines, which YAML does not tell."""
    plain = [Listed(one.name, one.address, one.port, one.account, one.groups) for one in machines]
    return sorted(plain, key=lambda one: one.name)


def test_the_same_inventory_in_each_form() -> None:
    assert by_name(read_ini(INI, "hosts").machines) == by_name(EXPECTED)
    assert by_name(read_yaml(YAML, "hosts.yml").machines) == by_name(EXPECTED)
    listed = {
        "_meta": {
            "hostvars": {
                "mail.corp.example": {"ansible_user": "root"},
                **{
                    f"www0{n}.corp.example": {"ansible_port": 2222, "ansible_user": "ops"}
                    for n in (1, 2, 3)
                },
                **{f"db-{sign}.corp.example": {"ansible_user": "dba"} for sign in "ab"},
            }
        },
        "all": {"children": ["ungrouped", "servers"]},
        "ungrouped": {"hosts": ["mail.corp.example"]},
        "servers": {"children": ["web", "db"]},
        "web": {"hosts": [f"www0{n}.corp.example" for n in (1, 2, 3)]},
        "db": {"hosts": [f"db-{sign}.corp.example" for sign in "ab"]},
    }
    assert by_name(read_list(json.dumps(listed), "list").machines) == by_name(EXPECTED)


def test_the_nearest_variable_counts() -> None:
    text = (
        "[a]\npc1\npc2 ansible_user=own\n[b:children]\na\n[b:vars]\nansible_user=far\n"
        "ansible_port=1\n[a:vars]\nansible_port=2\n[all:vars]\nansible_host=10.0.0.1\n"
    )
    first, second = read_ini(text, "hosts").machines
    assert (first.account, first.port, first.address) == ("far", 2, "10.0.0.1")
    assert (second.account, second.port) == ("own", 2)


def test_old_names_of_variables() -> None:
    (machine,) = read_ini("pc ansible_ssh_host=10.0.0.9 ansible_ssh_port=7\n", "hosts").machines
    assert (machine.address, machine.port) == ("10.0.0.9", 7)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("pc[1:3]", ["pc1", "pc2", "pc3"]),
        ("pc[08:10]", ["pc08", "pc09", "pc10"]),
        ("pc[0:6:3]", ["pc0", "pc3", "pc6"]),
        ("pc[:1]", ["pc0", "pc1"]),
        ("r[1:2]-[a:b]", ["r1-a", "r1-b", "r2-a", "r2-b"]),
    ],
)
def test_ranges(pattern: str, names: list[str]) -> None:
    assert [one.name for one in read_ini(pattern, "hosts").machines] == names
    machines = read_yaml(f"g:\n  hosts:\n    {pattern}:\n", "hosts.yml").machines
    assert [one.name for one in machines] == names


@pytest.mark.parametrize(
    "text",
    [
        "pc[1",
        "pc[a]",
        "pc[3:1]",
        "pc[1:2:0]",
        "pc[a:F]",
        "pc[f:a]",
        "pc[01:100]",
        "pc[1:999999999]",
        "pc[1:400]x[1:400]",
        "pc what",
        "pc 'open",
        "[a",
        "[a:what]",
        "[]",
        "[a:vars]\nwhat",
    ],
)
def test_what_is_no_inventory_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(MusterError, match=r"line \d") as refused:
        read_ini(text, "hosts")
    assert refused.value.code == "manager/inventory"


def test_groups_that_contain_each_other_are_refused_by_name() -> None:
    with pytest.raises(MusterError, match="contain each other: a, b"):
        read_ini("[a:children]\nb\n[b:children]\na\n", "hosts")
    deep = "".join(f"[g{n}:children]\ng{n + 1}\n" for n in range(200))
    with pytest.raises(MusterError, match="in more than"):
        read_ini(deep, "hosts")


def test_templates_are_named_and_not_run() -> None:
    inventory = read_ini("pc1 ansible_host={{net}}.5\npc2\n", "hosts")
    assert [one.name for one in inventory.machines] == ["pc2"]
    assert "ansible-inventory --list" in inventory.skipped[0].reason


def test_words_of_yaml_are_names() -> None:
    (machine,) = read_yaml("on:\n  hosts:\n    no:\n", "x.yml").machines
    assert (machine.name, machine.groups) == ("no", ("on",))


@pytest.mark.parametrize(
    "text",
    [
        "- a\n- b\n",
        "a: b\n",
        "a: {hosts: [x, y]}\n",
        "a: {children: [x]}\n",
        "a: [1\n",
        "!!python/object/apply:os.system [id]\n",
        "[" * 5000,
        "a: {hosts: {pc[1: }}\n",
    ],
)
def test_yaml_that_is_no_inventory_is_refused(text: str) -> None:
    with pytest.raises(MusterError) as refused:
        read_yaml(text, "x.yml")
    assert refused.value.code == "manager/inventory"


def test_yaml_that_stands_for_more_than_it_says_ends() -> None:
    lines = ["g0: &g0 {hosts: {" + ", ".join(f"pc{n}: " for n in range(9)) + "}}"]
    for n in range(1, 30):
        one = f"*g{n - 1}"
        lines.append(f"g{n}: &g{n} {{children: {{a{n}: {one}, b{n}: {one}, c{n}: {one}}}}}")
    inventory = read_yaml("\n".join(lines), "bomb.yml")
    assert len(inventory.machines) == 9


@given(st.text(alphabet="abc[]:=#;'\"{}0129 \n-_.", max_size=120))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (read_ini, read_yaml, read_list):
        try:
            read(text, "x")
        except MusterError as refused:
            assert refused.code == "manager/inventory"
