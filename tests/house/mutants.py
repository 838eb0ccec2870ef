"""Breaks pure rooms on purpose, one place at a time, and names the breaks that no test notices.

    python tests/house/mutants.py                      every room (make mutants; hours)
    python tests/house/mutants.py lease/strict.py      one room
    python tests/house/mutants.py --only DESCRIPTOR    mutants whose name holds a text
    python tests/house/mutants.py --names              print the names, run nothing

A mutant turns a comparison round or moves its bound, swaps an operator or a logical word, adds one
to a number, or leaves a call or a refusal out. It runs against the tests of its room that walk over
its line, and is killed where one of them fails. Survivors that are equal to the original, or are
not worth a test, are listed in mutants.toml with the reason. Not broken are the rows of errors,
which only say what they are, and the numbers of rooms that were fitted to lists (FITTED). Exit
code 1: somebody survived unexplained, or an explanation is stale.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.house import mirror

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "muster"
EXPLAINED = Path(__file__).with_name("mutants.toml")
SECONDS = 60
"""Of the processor, or five times what its tests take where that is more; a mutant that takes more
goes in circles, which a test would notice."""
MEMORY = 4 << 30

LEFT_OUT = (
    "tests/lease/test_verify.py::test_one_changed_bit_never_gives_another_licence",
    "tests/lease/test_verify.py::test_one_changed_byte_never_gives_another_licence",
)
"""Tests that take minutes; they convict nobody."""

FITTED = frozenset({"core/placeholders.py"})
"""Rooms whose numbers were fitted to published lists of values. A list that is a value longer moves
them: what they must do is in the lists, and how many symbols make a row follows from nothing."""

_READING = ("tests/lease/test_steps.py", "tests/vectors/test_vectors.py")
"""Every step of the verification, and the vectors."""
MORE = {
    "core/catalogue.py": ("tests/core/test_errors.py",),
    "core/characters.py": ("tests/core/test_digits_pasted.py", "tests/core/test_keys.py"),
    "core/facts.py": ("tests/core/test_placeholders.py", "tests/core/test_identity.py"),
    "core/keys.py": ("tests/core/test_identity_vectors.py",),
    "core/macs.py": ("tests/core/test_facts.py", "tests/core/test_placeholders.py"),
    "core/products.py": ("tests/lease/test_catalogue.py",),
    "lease/bundle.py": _READING,
    "lease/catalogue.py": _READING,
    "lease/claims.py": (
        "tests/lease/test_catalogue.py",
        "tests/lease/test_trust.py",
        "tests/lease/test_terms.py",
        "tests/lease/test_steps.py",
    ),
    "lease/descriptor.py": ("tests/lease/test_catalogue.py", *_READING),
    "lease/grant.py": _READING,
    "lease/jws.py": _READING,
    "lease/lease.py": _READING,
    "lease/steps.py": ("tests/lease/test_verify.py", *_READING[1:]),
    "lease/terms.py": _READING,
    "lease/trust.py": _READING,
    "lease/verify.py": _READING,
    "host/rules.py": (
        "tests/host/test_lines.py",
        "tests/host/test_count_seats.py",
        "tests/host/test_service.py",
    ),
}
"""Tests that know a room too: those that its own have not killed are left to them."""


# What a mutant is.


@dataclass(frozen=True, slots=True)
class Mutant:
    """A room with one break: its name, the lines that it touches, and the broken text."""

    name: str
    lines: range
    text: str


_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}


def _broken(node: ast.AST) -> Iterator[ast.AST]:
    """The breaks of one node."""
    match node:
        case ast.Compare():
            for at, operator in enumerate(node.ops):
                changed = copy.deepcopy(node)
                changed.ops[at] = _COMPARISONS[type(operator)]()
                yield changed
        case ast.BoolOp():
            changed_word = copy.deepcopy(node)
            changed_word.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield changed_word
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int()):
            assert isinstance(node.value, int)
            yield ast.Constant(node.value + 1)
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _OPERATORS:
            changed_sum = copy.deepcopy(node)
            changed_sum.op = _OPERATORS[type(node.op)]()
            yield changed_sum
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()


def _places(node: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Every node that does something, with the function or class around it.

    Left out: annotations, decorators, and texts that explain.
    """
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            scope = inside
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                scope = f"{inside}.{child.name}".lstrip(".")
            elif not inside and isinstance(child, ast.Assign):
                scope = ast.unparse(child.targets[0])
            yield scope, child
            yield from _places(child, scope)


def mutants(text: str, *, fitted: bool = False) -> list[Mutant]:
    """Every mutant of a module's text, from its top to its end.

    Args:
        fitted: leave its numbers and the bounds of its comparisons as they are.
    """
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    data = text.encode()
    found: list[Mutant] = []
    seen: Counter[str] = Counter()
    for scope, node in _places(ast.parse(text)):
        for broken in () if fitted and _is_number(node) else _broken(node):
            assert isinstance(node, ast.expr | ast.stmt)
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            shown = ast.unparse(broken)
            written = f"({shown})" if isinstance(broken, ast.expr) else shown
            name = f"{scope or 'module'}: {_short(node)} -> {_short(broken)}"
            seen[name] += 1
            found.append(
                Mutant(
                    name if seen[name] == 1 else f"{name} #{seen[name]}",
                    range(node.lineno, node.end_lineno + 1),
                    (data[:begin] + written.encode() + data[end:]).decode(),
                )
            )
    return found


def _is_number(node: ast.AST) -> bool:
    """Whether a node is a number, or compares by a bound."""
    match node:
        case ast.Constant(value=bool()):
            return False
        case ast.Constant(value=int()):
            return True
        case ast.Compare():
            return any(isinstance(one, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for one in node.ops)
    return False


def of_room(room: str) -> list[Mutant]:
    """The mutants of a room."""
    return mutants((SOURCE / room).read_text("utf-8"), fitted=room in FITTED)


def _short(node: ast.AST) -> str:
    shown = " ".join(ast.unparse(node).split())
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


def _rooms() -> dict[str, tuple[str, ...]]:
    """`core`, `lease` and the rules; not the rows of errors, which only say what they are."""
    found = {}
    for room in mirror.rooms(SOURCE):
        pure = room.startswith(("core/", "lease/")) or room in _RULES
        if pure and of_room(room):
            found[room] = (*_own(room), *_others(room))
    return found


def _own(room: str) -> tuple[str, ...]:
    """The tests of its name; without any, those that know it."""
    return tuple(f"tests/{one}" for one in mirror.mirrors_of(room)) or MORE[room]


def _others(room: str) -> tuple[str, ...]:
    return tuple(one for one in MORE.get(room, ()) if one not in _own(room))


_RULES = frozenset({"host/count.py", "host/lines.py", "host/rules.py", "publisher/rules.py"})
ROOMS = _rooms()
"""Pure rooms by path below src/muster, with the tests that know them."""


# Running tests against it, in a process of its own.


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a given text."""

    def __init__(self, room: str, text: str) -> None:
        self.path = str(SOURCE / room)
        self.name = "muster." + room.removesuffix(".py").replace("/", ".")
        self.code: CodeType = compile(text, self.path, "exec")

    def find_spec(
        self, fullname: str, _path: object = None, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


class _Walked:
    """A plugin that notes which lines of a room each test walks over, and for how long."""

    def __init__(self, room: str) -> None:
        self.path = str(SOURCE / room)
        self.tests: dict[str, tuple[float, list[int]]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        lines: set[int] = set()

        def inside(frame: FrameType, _event: str, _argument: Any) -> Any:
            lines.add(frame.f_lineno)
            return inside

        def outside(frame: FrameType, _event: str, _argument: Any) -> Any:
            return inside(frame, "", None) if frame.f_code.co_filename == self.path else None

        begun = time.perf_counter()
        sys.settrace(outside)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.tests[item.nodeid] = (time.perf_counter() - begun, sorted(lines))


class _Chosen:
    """A plugin that runs only these tests, the quickest first."""

    def __init__(self, order: Sequence[str]) -> None:
        self.order = {name: at for at, name in enumerate(order)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order),
            key=lambda item: self.order[item.nodeid],
        )


def _file(test: str) -> str:
    return test.partition("::")[0]


def _run(tests: Sequence[str], plugins: list[object]) -> int:
    options = [
        "-x",
        "-q",
        "--no-header",
        "--no-summary",
        "--tb=line",
        "--assert=plain",
        "-m",
        "not torture",
    ]
    left_out = [f"--deselect={name}" for name in LEFT_OUT]
    return int(pytest.main([*options, *left_out, *tests], plugins=plugins))


def _fork(work: Any) -> int:
    """Begin a process that ends with what `work` returns; its id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        silence = os.open(os.devnull, os.O_RDWR)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        code = int(work())
    finally:
        os._exit(code)


def walks(room: str) -> dict[str, tuple[float, list[int]]]:
    """Seconds and lines of the room, by test; the tests must pass."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "walked.json"

        def work() -> int:
            plugin = _Walked(room)
            code = _run(_own(room), [plugin])
            told.write_text(json.dumps(plugin.tests))
            return code

        _, status = os.waitpid(_fork(work), 0)
        if status:
            raise SystemExit(f"the tests of {room} fail as it is: {' '.join(ROOMS[room])}")
        found: dict[str, tuple[float, list[int]]] = json.loads(told.read_text())
    return found


def _try(room: str, mutant: Mutant, tests: Sequence[str], seconds: int) -> int:
    """Begin to run tests against a mutant; the id of the process, which ends 0 where it lives."""

    def work() -> int:
        # Not an alarm: the time-outs of tests set their own.
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        sys.meta_path.insert(0, _Finder(room, mutant.text))
        # The tests of its name first, by files: mostly the quickest is enough.
        for file in dict.fromkeys(map(_file, tests)):
            if code := _run([file], [_Chosen(tests)]):
                return code
        return _run(_others(room), []) if _others(room) else 0

    return _fork(work)


def survivors(room: str, chosen: Sequence[Mutant], jobs: int) -> Iterator[Mutant]:
    """Those of a room's mutants that no test notices.

    The room as it is goes first, tried as the mutants are: if it did not live, nothing would follow
    from the death of others.
    """
    walked = walks(room)
    of_file: dict[str, float] = {}
    for name, (took, _) in walked.items():
        of_file[_file(name)] = of_file.get(_file(name), 0) + took
    by_time = sorted(walked, key=lambda name: (of_file[_file(name)], walked[name][0]))
    of_any = {line for _, lines in walked.values() for line in lines}
    itself = Mutant("as it is", range(0), (SOURCE / room).read_text("utf-8"))
    running: dict[int, Mutant] = {}
    waiting = [*reversed(chosen), itself]
    while waiting or running:
        while waiting and len(running) < (1 if itself in running.values() else jobs):
            mutant = waiting.pop()
            touched = of_any.intersection(mutant.lines)
            # Lines that run at the import belong to every test.
            tests = [one for one in by_time if not touched or touched.intersection(walked[one][1])]
            seconds = max(SECONDS, 5 * int(sum(walked[one][0] for one in tests)))
            seconds += SECONDS if _others(room) else 0
            running[_try(room, mutant, tests, seconds)] = mutant
        child, status = os.wait()
        mutant = running.pop(child)
        if mutant is itself and status:
            raise SystemExit(f"the tests of {room} fail as it is, when run as for a mutant")
        if mutant is not itself and status == 0:
            yield mutant


# What is known of survivors.


def explained(path: Path = EXPLAINED) -> dict[str, dict[str, str]]:
    """Reasons by room and name of a mutant."""
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


_NEEDED = (
    *("asyncio", "sqlite3", "ssl"),
    *("cryptography.hazmat.primitives.asymmetric.ed25519", "joserfc.jws", "jsonschema", "jwt"),
    *(
        "_hypothesis_pytestplugin",
        "hypothesis",
        "pytest_timeout",
        "xdist.plugin",
        "xdist.looponfail",
    ),
)


def _preload() -> None:
    """What every child needs and no mutant changes."""
    for name in _NEEDED:
        importlib.import_module(name)
    gc.freeze()  # pytest collects garbage at its end


def _told(what: str, tried: int, alive: int, unexplained: int) -> str:
    return f"{what}: {tried} mutants, {alive} survive, {unexplained} unexplained"


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for, and print who survives."""
    parser = argparse.ArgumentParser(prog="mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--names", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args(arguments)
    rooms = asked.rooms or list(ROOMS)
    if unknown := set(rooms) - set(ROOMS):
        parser.error(f"no such room: {', '.join(sorted(unknown))}")
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_PROFILE"] = "first"
    _preload()
    begun = time.monotonic()
    tried = survived = bad = 0
    for room in rooms:
        every = of_room(room)
        chosen = [one for one in every if asked.only in one.name]
        if asked.names:
            print("\n".join(f"{room}: {one.name}" for one in chosen))
            continue
        reasons = explained().get(room, {})
        alive = {one.name for one in survivors(room, chosen, asked.jobs)}
        fresh = sorted(alive - set(reasons))
        dead = sorted(
            name for name in reasons if name not in alive and name in {one.name for one in chosen}
        )
        print(_told(room, len(chosen), len(alive), len(fresh)), flush=True)
        for name in fresh:
            print(f"  survives: {name}", flush=True)
        for name in dead:
            print(f"  is killed now, take it out of mutants.toml: {name}", flush=True)
        tried += len(chosen)
        survived += len(alive)
        bad += len(fresh) + len(dead)
    if tried and len(rooms) > 1:
        minutes = (time.monotonic() - begun) / 60
        print(f"{_told(f'{len(rooms)} rooms', tried, survived, bad)}, in {minutes:.0f} minutes")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
