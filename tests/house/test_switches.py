"""What the environment can change in a program: what the pages name, and no switch of tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from muster.core.settings import SETTINGS

SOURCE = Path(__file__).parents[2] / "src" / "muster"
PLAIN = frozenset({"MUSTER_STORE", "MUSTER_FACTS", "MUSTER_PASSPHRASE", "MUSTER_ROOT_PASSPHRASE"})
"""Variables that are no setting: where a store is, a facts file of root's, two passphrases."""


def named(source: str) -> set[str]:
    """Variables of ours that the strings of a module name by themselves."""
    return {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"MUSTER_[A-Z0-9_]+", node.value)
    }


def test_a_variable_is_found() -> None:
    assert named('A = "MUSTER_TEST_NO_SYNC"\nB = "set MUSTER_STORE"') == {"MUSTER_TEST_NO_SYNC"}


def test_programs_obey_variables_of_the_pages_only() -> None:
    settings = {setting.env for setting in SETTINGS}
    for path in sorted(SOURCE.rglob("*.py")):
        extra = named(path.read_text("utf-8")) - PLAIN - settings
        assert not extra, f"{path.relative_to(SOURCE)} obeys {extra}"


def test_what_serves_people_imports_nothing_made_for_tests() -> None:
    allowed = {"demo.py"}  # its machines are not real ones
    for path in sorted(SOURCE.rglob("*.py")):
        if "testing" in path.relative_to(SOURCE).parts or path.name in allowed:
            continue
        assert "muster.testing" not in {
            ".".join((node.module or "").split(".")[:2])
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom)
        }, path
