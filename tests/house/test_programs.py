"""Which programs the tests start: those that every system has, and those of parts.sh."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
ESSENTIAL = frozenset({"bash", "cp", "env", "mount", "sh", "true", "umount", "unshare"})
"""Of packages that Debian never lacks: bash, coreutils, dash, mount, util-linux."""
ALSO = frozenset({"gofmt"})
"""Of the same package as `go`."""


def started(source: str) -> Iterator[str]:
    """The programs that a module starts by a name that stands there."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and ast.unparse(node.func.value) == "subprocess"
            and node.args
            and isinstance(node.args[0], ast.List)
            and isinstance(word := node.args[0].elts[0], ast.Constant)
            and re.fullmatch(r"[a-z][a-z0-9-]*", str(word.value))
        ):
            yield str(word.value)


def test_a_program_is_found() -> None:
    source = (
        'subprocess.run(["kill", "-9"])\nsubprocess.Popen([sys.executable])\nsite.run("muster")'
    )
    assert list(started(source)) == ["kill"]


def test_parts_brings_every_program_that_a_test_starts() -> None:
    parts = (TESTS / "parts.sh").read_text()
    brought = frozenset(re.findall(r"\bneed ([a-z0-9-]+) ", parts))
    named = {
        (program, str(path.relative_to(TESTS)))
        for path in TESTS.rglob("*.py")
        for program in started(path.read_text("utf-8"))
    }
    assert named
    assert [one for one in sorted(named) if one[0] not in brought | ESSENTIAL | ALSO] == []
