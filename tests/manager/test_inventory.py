"""Which form an inventory file has."""

from __future__ import annotations

import pytest

from muster.core.errors import MusterError
from muster.manager.inventory import Form, form_of, read_inventory


@pytest.mark.parametrize(
    ("text", "path", "form"),
    [
        ("", "x.csv", Form.CSV),
        ("", "X.YML", Form.YAML),
        ("", "x.ini", Form.INI),
        ("", "x.json", Form.JSON),
        ("# list\n[web]\npc\n", "/etc/ansible/hosts", Form.INI),
        ("pc ansible_host=10.0.0.1\n", "hosts", Form.INI),
        ("---\nall:\n", "hosts", Form.YAML),
        ("all:\n  hosts:\n", "hosts", Form.YAML),
        ('{"_meta": {}}', "-", Form.JSON),
        ("pc1\npc2\n", "names", Form.CSV),
        ("", "", Form.CSV),
    ],
)
def test_the_form_of_a_file(text: str, path: str, form: Form) -> None:
    assert form_of(text, path) is form


def test_a_form_that_is_named_counts() -> None:
    (machine,) = read_inventory(b"[web]\npc1\n", "hosts.csv", Form.INI).machines
    assert machine.groups == ("web",)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(MusterError, match="line 2 has other bytes") as refused:
        read_inventory(b"name\npc\xe4\n", "hosts.csv")
    assert refused.value.code == "file/encoding"
    with pytest.raises(MusterError) as refused:
        read_inventory(b"a\0b", "hosts.csv")
    assert refused.value.code == "manager/inventory"
