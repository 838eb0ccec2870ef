"""The lower floors import at the top of a module, where a cycle shows itself at once."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "muster"


def imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_no_function_of_the_lower_floors_imports_from_the_house() -> None:
    found = [
        f"{path.relative_to(SOURCE)}: {function.name}"
        for floor in ("core", "lease", "wire")
        for path in sorted((SOURCE / floor).rglob("*.py"))
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        if any(
            name.split(".")[0] == "muster" for node in ast.walk(function) for name in imported(node)
        )
    ]
    assert not found
