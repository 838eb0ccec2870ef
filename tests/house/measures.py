"""Measures of the source: how long, how wide and how tangled its modules and functions are.

    python tests/house/measures.py          print the table of docs/architecture.md
    python tests/house/measures.py --list   and the places behind each number

Counts text and syntax only and imports nothing of Muster. Lines are those of `wc -l`.
"""

from __future__ import annotations

import ast
import keyword
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "muster"
LONG_MODULE = 500
"""Lines above which a module says in its first lines why it is long."""
MOST_PARAMETERS = 7
RUN = 6
"""Lines that stand twice before they count as a duplicate."""
FREE_FORM = frozenset({"core/records.py", "lease/strict.py"})
"""The encoder and the strict reader: only they may speak of a `dict[str, Any]`."""
_REASON = re.compile(r"\blong\b|\bone table\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method: where it is, its lines, and its parameters without `self`."""

    module: str
    name: str
    line: int
    lines: int
    parameters: int

    @property
    def place(self) -> str:
        return f"{self.module}:{self.line} {self.name}"


@dataclass(frozen=True, slots=True)
class Module:
    """A module by its path below `src/muster`: its text, its tree and its functions."""

    path: str
    text: str
    tree: ast.Module
    functions: tuple[Function, ...]

    @property
    def name(self) -> str:
        """The name that others import it by."""
        parts = ("muster", *Path(self.path).with_suffix("").parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def public(self) -> tuple[str, ...]:
        """Names of the module that others may use."""
        found: list[str] = []
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.append(node.name)
            elif isinstance(node, ast.Assign):
                found += [one.id for one in node.targets if isinstance(one, ast.Name)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.append(node.target.id)
        return tuple(name for name in found if not name.startswith("_"))

    @property
    def says_why_it_is_long(self) -> bool:
        return bool(_REASON.search(ast.get_docstring(self.tree) or ""))


def read(source: Path = SOURCE) -> list[Module]:
    """Every module below a folder, by path."""
    found = []
    for path in sorted(source.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        name = path.relative_to(source).as_posix()
        found.append(Module(name, text, tree, tuple(_functions(name, tree))))
    return found


def _functions(module: str, tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
            if names[:1] in (["self"], ["cls"]):
                names = names[1:]
            names += [one.arg for one in node.args.kwonlyargs]
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield Function(module, node.name, node.lineno, lines, len(names))


def imports(modules: Sequence[Module]) -> dict[str, set[str]]:
    """Who imports whom, among these modules; also inside functions, but not for types alone."""
    names = {one.name for one in modules}
    graph: dict[str, set[str]] = {}
    for one in modules:
        skipped = {
            inner
            for node in ast.walk(one.tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            for inner in ast.walk(node)
        }
        found: set[str] = set()
        for node in ast.walk(one.tree):
            if node in skipped:
                continue
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= (inner & names) or {node.module}
        graph[one.name] = (found & names) - {one.name}
    return graph


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach each other (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            at = stack.index(name)
            group = stack[at:]
            del stack[at:]
            if len(group) > 1:
                found.append(sorted(group))

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        for name in sorted(graph):
            if name not in order:
                visit(name)
    finally:
        sys.setrecursionlimit(limit)
    return sorted(found)


def free_form(modules: Iterable[Module]) -> list[str]:
    """Places that speak of a `dict[str, Any]` outside the encoder and the strict reader."""
    return [
        f"{one.path}:{number}"
        for one in modules
        if one.path not in FREE_FORM
        for number, line in enumerate(one.text.splitlines(), 1)
        if "dict[str, Any]" in line
    ]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two modules that share runs of lines: the longest run, and how many there are."""

    first: str
    second: str
    lines: int
    runs: int


def duplicates(modules: Sequence[Module], *, shape: bool) -> list[Pair]:
    """Pairs of modules (or one with itself) that share at least six lines of code in a row.

    Blank lines, comments, imports, docstrings and lines without a name or a value do not count,
    nor do runs that stand in more than eight places.

    Args:
        shape: lines are the same whatever their names, texts and numbers are.
    """
    code = [list(_code(one, shape)) for one in modules]
    starts: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for file, lines in enumerate(code):
        for at in range(len(lines) - RUN + 1):
            starts[tuple(line for _, line in lines[at : at + RUN])].append((file, at))
    found: dict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(list)
    for places in starts.values():
        if not 1 < len(places) <= 8:
            continue
        for number, (file, at) in enumerate(places):
            for other, there in places[number + 1 :]:
                if at and there and code[file][at - 1][1] == code[other][there - 1][1]:
                    continue  # not the first line of its run
                if file == other and there - at < RUN:
                    continue
                length = _length(code[file], at, code[other], there)
                found[file, other].append((length, at, there))
    pairs = []
    for (file, other), runs in found.items():
        length, at, there = max(runs)
        first = f"{modules[file].path}:{code[file][at][0]}"
        second = f"{modules[other].path}:{code[other][there][0]}"
        pairs.append(Pair(first, second, length, len(runs)))
    return sorted(pairs, key=lambda pair: (-pair.lines, pair.first, pair.second))


def _length(one: list[tuple[int, str]], at: int, other: list[tuple[int, str]], there: int) -> int:
    length = 0
    for (_, left), (_, right) in zip(one[at:], other[there:], strict=False):
        if left != right:
            break
        length += 1
    return length


def _code(module: Module, shape: bool) -> Iterator[tuple[int, str]]:
    skipped: set[int] = set()
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Expr | ast.Import | ast.ImportFrom):
            continue
        if not isinstance(node, ast.Expr) or isinstance(node.value, ast.Constant):
            skipped |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    for number, written in enumerate(module.text.splitlines(), 1):
        line = written.strip()
        if number not in skipped and re.search(r"\w", line) and not line.startswith("#"):
            yield number, _WORD.sub(_faceless, line) if shape else line


_WORD = re.compile(r"""[rbf]*"(?:[^"\\]|\\.)*"|[rbf]*'(?:[^'\\]|\\.)*'|\w+""")


def _faceless(found: re.Match[str]) -> str:
    word = found.group()
    if "'" in word or '"' in word:
        return "''"
    return word if keyword.iskeyword(word) else "0" if word[0].isdigit() else "x"


def spread(values: Sequence[int]) -> str:
    """Median, 95th percentile and maximum."""
    ordered = sorted(values)
    return f"{statistics.median_low(ordered)} / {ordered[len(ordered) * 95 // 100]} / {ordered[-1]}"


def table(modules: Sequence[Module]) -> list[tuple[str, str, list[str]]]:
    """Name, number and places of each measure."""
    functions = [function for one in modules for function in one.functions]
    long = [one for one in modules if one.lines > LONG_MODULE]
    wide = [one for one in functions if one.parameters > MOST_PARAMETERS]
    tangled = cycles(imports(modules))
    free = free_form(modules)
    same, alike = (duplicates(modules, shape=one) for one in (False, True))
    return [
        ("modules", str(len(modules)), []),
        ("lines a module: median / 95 % / most", spread([one.lines for one in modules]), []),
        (
            f"modules above {LONG_MODULE} lines",
            str(len(long)),
            [f"{one.path} {one.lines}" for one in long],
        ),
        (
            "of these, without a reason in their first lines",
            str(sum(not one.says_why_it_is_long for one in long)),
            [one.path for one in long if not one.says_why_it_is_long],
        ),
        ("lines a function: median / 95 % / most", spread([one.lines for one in functions]), []),
        (
            "parameters: median / 95 % / most",
            spread([one.parameters for one in functions]),
            [],
        ),
        (
            f"functions with more than {MOST_PARAMETERS} parameters",
            str(len(wide)),
            [f"{one.place} {one.parameters}" for one in wide],
        ),
        (
            "cycles of imports, lazy ones counted",
            str(len(tangled)),
            [", ".join(one) for one in tangled],
        ),
        (
            "public names a module: median / 95 % / most",
            spread([len(one.public) for one in modules]),
            [],
        ),
        ("`dict[str, Any]` outside encoder and strict reader", str(len(free)), free),
        ("pairs of modules that share six lines", str(len(same)), [_row(one) for one in same]),
        (
            "the same, whatever names and values",
            str(len(alike)),
            [_row(one) for one in alike],
        ),
    ]


def _row(pair: Pair) -> str:
    more = f", {pair.runs} runs" if pair.runs > 1 else ""
    return f"{pair.first} ~ {pair.second} ({pair.lines} lines{more})"


def main() -> None:
    """Print the table, and with `--list` the places."""
    found = table(read())
    print("| measure | now |\n|---|---|")
    for name, number, _ in found:
        print(f"| {name} | {number} |")
    if "--list" in sys.argv[1:]:
        for name, _, places in found:
            if places:
                print(f"\n{name}:")
                print("\n".join(f"  {place}" for place in places))


if __name__ == "__main__":
    main()
