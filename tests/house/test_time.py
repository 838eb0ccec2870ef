"""No test says how long something may take: a slower or busier machine would fail it.

A test may wait for a condition with a bound, and may turn a clock of its own; it may say that
something took long enough. Seconds that are of interest are measured by `make bench`, and growth by
comparison (tests/house/growth.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
CLOCKS = frozenset({"monotonic", "perf_counter", "process_time", "thread_time", "time"})
CLOCKS_NS = frozenset(f"{name}_ns" for name in CLOCKS)


def _reads(node: ast.AST) -> bool:
    """Whether an expression asks the clock of the machine."""
    return any(
        isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and isinstance(one.func.value, ast.Name)
        and one.func.value.id == "time"
        and one.func.attr in CLOCKS | CLOCKS_NS
        for one in ast.walk(node)
    )


def ceilings(tree: ast.AST) -> Iterator[int]:
    """Lines of a function's assertions that bound a difference of two times from above."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        times: set[str] = set()
        spans: set[str] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and _reads(node.value):
                names = {one.id for one in node.targets if isinstance(one, ast.Name)}
                (spans if _is_span(node.value) else times).update(names)

        def taken(node: ast.expr, spans: set[str] = spans) -> bool:
            named = any(isinstance(one, ast.Name) and one.id in spans for one in ast.walk(node))
            return named or (_reads(node) and _is_span(node))

        for node in ast.walk(function):
            if not isinstance(node, ast.Assert):
                continue
            for one in ast.walk(node.test):
                if isinstance(one, ast.Compare):
                    sides = [one.left, *one.comparators]
                    for left, sign, right in zip(sides[:-1], one.ops, sides[1:], strict=True):
                        small = left if isinstance(sign, ast.Lt | ast.LtE) else right
                        if isinstance(sign, ast.Lt | ast.LtE | ast.Gt | ast.GtE) and taken(small):
                            yield one.lineno


def _is_span(node: ast.AST) -> bool:
    return any(isinstance(one, ast.BinOp) and isinstance(one.op, ast.Sub) for one in ast.walk(node))


def test_no_test_says_how_long_something_may_take() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        for line in ceilings(ast.parse(path.read_text("utf-8")))
    ]
    assert not found


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("begun = time.monotonic(); assert time.monotonic() - begun < 5", True),
        ("begun = time.monotonic(); assert 0 <= time.monotonic() - begun <= 5", True),
        ("took = time.perf_counter() - begun; assert 5 > took", True),
        ("took = time.perf_counter_ns() - begun; assert took / 1e9 < 5", True),
        ("begun = time.monotonic(); assert time.monotonic() - begun > 5", False),
        ("end = time.monotonic() + 60; assert time.monotonic() < end", False),
        ("begun = clock.monotonic(); assert clock.monotonic() - begun < 5", False),
    ],
)
def test_a_ceiling_is_told_from_a_bound(lines: str, found: bool) -> None:
    assert bool([*ceilings(ast.parse(f"def test():\n    {lines}\n"))]) is found
