"""Documents point at things that exist.

Every relative link and anchor, every path of this repository that a document names, the index of
decisions, and the page of dependencies against the files that are installed from.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REQUIREMENTS = ROOT / "requirements"

FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]\n]*\]\(\s*<?([^)>\s]+)>?[^)]*\)")
PATH = re.compile(r"\b(?:docs|tests|src|requirements|bench)/[A-Za-z0-9_./*{},-]*[A-Za-z0-9_/*}-]")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def pages() -> list[Path]:
    """All documents of the repository, in a stable order."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def name(path: Path) -> str:
    """A document's path from the root, as the name of its test."""
    return path.relative_to(ROOT).as_posix()


@cache
def prose(path: Path) -> str:
    """The text of a document without its fenced blocks."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


@cache
def anchors(path: Path) -> frozenset[str]:
    """The anchors of a document's headings, as forges make them."""
    found: set[str] = set()
    for heading in HEADING.findall(prose(path)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        number, anchor = 0, slug
        while anchor in found:
            number += 1
            anchor = f"{slug}-{number}"
        found.add(anchor)
    return frozenset(found)


@pytest.mark.parametrize("path", pages(), ids=name)
def test_relative_links_resolve(path: Path) -> None:
    wrong = []
    for target in LINK.findall(prose(path)):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        inside = there.is_relative_to(ROOT) and there.exists()
        if not inside or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            wrong.append(target)
    assert not wrong


def alternatives(text: str) -> list[str]:
    """A path with `{a,b}` written out; other text as it is."""
    found = re.search(r"\{([^{}]*)\}", text)
    if found is None:
        return [text]
    before, after = text[: found.start()], text[found.end() :]
    return [
        path for middle in found[1].split(",") for path in alternatives(before + middle + after)
    ]


@pytest.mark.parametrize("path", pages(), ids=name)
def test_named_paths_exist(path: Path) -> None:
    """`docs/…`, `tests/…` and so on, also in fenced blocks, but not inside addresses."""
    text = re.sub(r"https?://\S+", "", path.read_text(encoding="utf-8"))
    wrong = []
    for found in PATH.finditer(text):
        if text[found.start() - 1 : found.start()] in {"/", ".", "-", "_"}:
            continue  # the end of a longer path
        wrong += [
            candidate
            for candidate in alternatives(found[0])
            if not any(ROOT.glob(candidate.rstrip("/")))
        ]
    assert not wrong


@pytest.mark.parametrize("path", pages(), ids=name)
def test_named_tests_exist(path: Path) -> None:
    """`tests/…/test_x.py::test_y` names a test that is there."""
    for file, function in re.findall(
        r"(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)", path.read_text(encoding="utf-8")
    ):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^ *(?:async )?def {function}\(", text, re.MULTILINE), function


CITED = re.compile(r"docs/(?:adr|spec)?/?[a-z0-9-]+\.md")
SECTION = re.compile(
    r"(docs/spec/[a-z0-9-]+\.md),\s+(?:#\s+)?sections?\s+([0-9]+\.[0-9.]*[0-9])", re.MULTILINE
)


def sources() -> list[Path]:
    """All modules and tests."""
    return sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])


def test_code_cites_documents_that_exist() -> None:
    """Modules, tests, errors and help texts name pages and sections of the specification."""
    wrong = set()
    for path in sources():
        text = path.read_text(encoding="utf-8")
        wrong |= {
            f"{name(path)}: {cited}"
            for cited in CITED.findall(text)
            if not (ROOT / cited).is_file()
        }
        for page, section in SECTION.findall(text):
            headings = HEADING.findall(prose(ROOT / page)) if (ROOT / page).is_file() else []
            if not any(heading.startswith(f"{section} ") for heading in headings):
                wrong.add(f"{name(path)}: {page}, section {section}")
    assert not sorted(wrong)


def test_the_index_leads_to_every_page() -> None:
    index = DOCS / "index.md"
    linked = {
        (DOCS / target).resolve() for target in LINK.findall(prose(index)) if ":" not in target
    }
    wanted = {*DOCS.glob("*.md"), *(DOCS / "spec").glob("*.md"), *ROOT.glob("*.md")}
    missing = {name(path) for path in wanted - linked - {index}}
    assert not sorted(missing)


def test_every_decision_is_in_the_index() -> None:
    index = (DOCS / "adr" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\) \|", index, re.MULTILINE)
    assert all(file.startswith(number) for number, file in listed)
    files = sorted(path.name for path in (DOCS / "adr").glob("[0-9]*.md"))
    assert [file for _, file in listed] == files
    assert [int(file[:4]) for file in files] == list(range(len(files)))


CHAPTERS = ("Context", "Drivers", "Options", "Outcome", "Consequences", "What would change")


@pytest.mark.parametrize("path", sorted((DOCS / "adr").glob("[0-9]*.md")), ids=name)
def test_a_decision_has_the_chapters_of_the_template(path: Path) -> None:
    headings = re.findall(r"^## (.+)$", prose(path), re.MULTILINE)
    found = [
        chapter
        for heading in headings
        for chapter in CHAPTERS
        if heading.lower().startswith(chapter.lower())
    ]
    assert found == list(CHAPTERS)


def normal(package: str) -> str:
    """A package's name as indexes compare it, without extras."""
    return re.sub(r"[-_.]+", "-", package.partition("[")[0]).lower()


def asked() -> dict[str, str]:
    """Packages named in `requirements/*.in`, with the version that the locks hold."""
    locked: dict[str, str] = {}
    for file in REQUIREMENTS.glob("*.txt"):
        if file.stem == "bottoms":
            continue  # the same packages in their lowest versions
        for package, version in re.findall(
            r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", file.read_text(encoding="utf-8"), re.MULTILINE
        ):
            assert locked.setdefault(normal(package), version) == version
    names = {
        normal(line.partition("<")[0])
        for file in REQUIREMENTS.glob("*.in")
        if file.stem != "bottoms"
        for line in file.read_text(encoding="utf-8").split("\n")
        if line and not line.startswith(("#", "-"))
    }
    return {package: locked[package] for package in names}


def test_every_dependency_has_its_row() -> None:
    page = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Za-z0-9._-]+) \| ([0-9][^ |]*) \|", page, re.MULTILINE)
    assert {normal(package): version for package, version in rows} == asked()
    for row in re.findall(r"^\| [A-Za-z0-9._-]+ \| [0-9].*$", page, re.MULTILINE):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 7
        assert all(cells)


def test_the_package_declares_what_the_lock_installs() -> None:
    """`pyproject.toml` and `requirements/run.in` name the same packages."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["server"],
        *project["build-system"]["requires"],
        "editables",  # asked for by hatchling for `pip install -e .`
    ]
    names = {normal(re.split(r"[<>=!~;\[ ]", one, maxsplit=1)[0]) for one in declared}
    wanted = {
        normal(line)
        for line in (REQUIREMENTS / "run.in").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "-"))
    }
    assert names == wanted


def test_the_lowest_versions_are_those_that_are_tested() -> None:
    """`requirements/bottoms.in` pins each lower bound of `pyproject.toml`; its lock has them."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = {
        *project["project"]["dependencies"],
        *(text for extra in project["project"]["optional-dependencies"].values() for text in extra),
        *project["build-system"]["requires"],
    }
    bounds = dict(text.split(">=") for text in declared)
    assert len(bounds) == len(declared), "one range for each package"
    lines = (REQUIREMENTS / "bottoms.in").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    assert {name: parts(bound) for name, bound in bounds.items()} == {
        name: parts(pin) for name, pin in pins.items()
    }
    locked = (REQUIREMENTS / "bottoms.txt").read_text(encoding="utf-8")
    for name, pin in pins.items():
        assert re.search(rf"^{name.partition('[')[0]}=={re.escape(pin)} ", locked, re.MULTILINE)


def test_the_lowest_versions_run_tests_that_are_there_in_ci() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    named = re.search(r"^BOTTOM_TESTS := (.*)$", makefile, re.MULTILINE)
    assert named is not None
    assert len(named[1].split()) > 10
    assert [path for path in named[1].split() if not (ROOT / path).exists()] == []
    assert "make bottoms" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def parts(version: str) -> list[int]:
    """A version as numbers, without zeros at its end."""
    numbers = [int(number) for number in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers
