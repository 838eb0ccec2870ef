"""Inventory files: which form one has, and what is read of it.

Refuses to know where a file is.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

from muster.core.catalogue import error
from muster.manager import ansible_inventory
from muster.manager.csv_inventory import read_csv
from muster.manager.model import Inventory


class Form(enum.StrEnum):
    """The forms of an inventory file; `AUTO` is whichever it looks like."""

    AUTO = "auto"
    CSV = "csv"
    INI = "ansible-ini"
    YAML = "ansible-yaml"
    JSON = "ansible-list"


_READERS: dict[Form, Callable[[str, str], Inventory]] = {
    Form.CSV: read_csv,
    Form.INI: ansible_inventory.read_ini,
    Form.YAML: ansible_inventory.read_yaml,
    Form.JSON: ansible_inventory.read_list,
}
_BY_NAME = {".csv": Form.CSV, ".tsv": Form.CSV, ".txt": Form.CSV, ".ini": Form.INI}
_BY_NAME |= {".yml": Form.YAML, ".yaml": Form.YAML, ".json": Form.JSON}


def read_inventory(data: bytes, path: str, form: Form = Form.AUTO) -> Inventory:
    """The machines that a file lists.

    Args:
        data: the file, in UTF-8.
        path: its name, which helps to tell its form; also for errors.
        form: the form, where it is known.
    Raises: `file/encoding`, `manager/inventory`; `command/extra` for YAML without PyYAML.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        line = data[: fault.start].count(b"\n") + 1
        detail = f"line {line} has other bytes"
        raise error("file/encoding", path=path, detail=detail) from None
    if "\0" in text:
        raise error("manager/inventory", path=path, detail="it is no text")
    return _READERS[form if form is not Form.AUTO else form_of(text, path)](text, path)


def form_of(text: str, path: str) -> Form:
    """The form that an inventory has by its name; by its first line where the name says nothing."""
    dot = path.rfind(".")
    known = _BY_NAME.get(path[dot:].lower()) if dot > 0 else None
    if known is not None:
        return known
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith(("#", ";"))), "")
    if first.startswith("{"):
        return Form.JSON
    if first == "---" or first.endswith(":"):
        return Form.YAML
    if first.startswith("[") or " ansible_" in text:
        return Form.INI
    return Form.CSV
