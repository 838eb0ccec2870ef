"""The tables of faults and promises, out of the files that hold them.

Decides which form `tests/faults/*.toml` and `tests/promises.toml` have and whether a test that they
name exists. Refuses to know how a page looks: docs/generate.py writes docs/faults.md, and
tests/docs/test_faults.py compares. Needs the standard library alone.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ROOT / "tests" / "faults"

_ID = re.compile(r"([A-E])([1-9][0-9]?)")
_SOURCE = re.compile(
    r"[\w.-]+/[\w.-]+(#[0-9]+)?|attack|chapter [0-9.]+|docs\.[\w.]+ .+|two builders .+"
)
_TEST = re.compile(r"(tests/[a-z0-9_/]+\.py)((?:::[A-Za-z0-9_]+)+)(?:\[[^\]]*\])?")


class RecordError(Exception):
    """A file of records is not as it must be; the text names file and entry."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that was found on the running product.

    `id` its place in the list of faults, such as `A7`; `fault` what happened and `kind` what is to
    be true of everything of that kind, one line each; `source` as `source_of` takes it;
    `tests` those that failed before it was mended.
    """

    id: str
    fault: str
    kind: str
    source: str
    tests: tuple[str, ...]

    @property
    def order(self) -> tuple[str, int]:
        """Faults are listed by section, then by number."""
        section, number = fault_id(self.id)
        return section, number


def fault_id(text: str) -> tuple[str, int]:
    """Section and number of a fault id. Raises RecordError."""
    found = _ID.fullmatch(text)
    if found is None:
        raise RecordError(f"{text!r} is no id of a fault")
    return found[1], int(found[2])


def source_of(text: str, where: str) -> str:
    """Where a fault is known from, several with commas. Raises RecordError.

    A public report `owner/name#1` or page of a project, a vendor's page, `attack`, the chapter that
    says what must not break, or the builders of other verifiers.
    """
    for one in line(text, where).split(", "):
        if _SOURCE.fullmatch(one) is None:
            raise RecordError(f"{where}: {one!r} is no source")
    return text


def texts(value: object, where: str) -> tuple[str, ...]:
    """A list of one text or more, each of one line. Raises RecordError."""
    if not isinstance(value, list) or not value:
        raise RecordError(f"{where}: a list of texts is wanted")
    return tuple(line(item, where) for item in value)


def line(value: object, where: str) -> str:
    """A text of one line that is not empty. Raises RecordError."""
    if not isinstance(value, str) or not value.strip() or "\n" in value:
        raise RecordError(f"{where}: a text of one line is wanted")
    return value


def faults(folder: Path = FAULTS) -> list[Fault]:
    """Every fault of every file, in the order of the page.

    Raises:
        RecordError: a file is no TOML, an entry lacks a member, or has one that is not known.
    """
    found: list[Fault] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as fault:
            raise RecordError(f"{path.name}: {fault}") from None
        rows = document.pop("fault", [])
        if document or not isinstance(rows, list):
            raise RecordError(f"{path.name}: only [[fault]] may stand here, not {list(document)}")
        for number, row in enumerate(rows, 1):
            where = f"{path.name}, fault {number}"
            if not isinstance(row, dict) or set(row) != {"id", "fault", "kind", "source", "tests"}:
                raise RecordError(f"{where}: id, fault, kind, source and tests are wanted")
            fault_id(line(row["id"], where))
            found.append(
                Fault(
                    row["id"],
                    line(row["fault"], where),
                    line(row["kind"], where),
                    source_of(line(row["source"], where), where),
                    texts(row["tests"], where),
                )
            )
    return sorted(found, key=lambda one: one.order)


def missing_test(name: str, root: Path = ROOT) -> str | None:
    """Why a test does not exist, or None where it does.

    Args:
        name: `tests/…/test_x.py::test_y`, with `::TestClass` between them for a method; a
            parameter in brackets behind it is not judged.
    """
    found = _TEST.fullmatch(name)
    if found is None:
        return f"{name} is no name of a test"
    path = root / found[1]
    if not path.is_file():
        return f"{found[1]} does not exist"
    if found[2].removeprefix("::") not in _tests_in(path):
        return f"{found[1]} has no test {found[2].removeprefix('::')}"
    return None


@cache
def _tests_in(path: Path) -> frozenset[str]:
    """Tests of a file as pytest names them: functions, methods, and cases that are assigned."""
    return frozenset(_named(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def _named(body: list[ast.stmt], above: str) -> set[str]:
    names: set[str] = set()
    for part in body:
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            if part.name.startswith("test_"):
                names.add(above + part.name)
        elif isinstance(part, ast.ClassDef):
            if part.name.startswith("Test"):
                names.add(above + part.name)
                names |= _named(part.body, f"{above}{part.name}::")
        elif isinstance(part, ast.Assign):  # a state machine: TestX = Machine.TestCase
            for target in part.targets:
                if isinstance(target, ast.Name) and target.id.startswith("Test"):
                    names |= {above + target.id, f"{above}{target.id}::runTest"}
    return names
