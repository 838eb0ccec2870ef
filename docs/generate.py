"""Makes the pages of the manual that are tables of the code or of the tests.

Without arguments it writes them; with --check it says which are out of date (exit code 1).
Whoever adds a page adds a row to PAGES.
"""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from muster.cli import shapes
from muster.cli.examples import example_of
from muster.cli.main import muster
from muster.core.audit import Event
from muster.core.catalogue import CATALOGUE
from muster.core.settings import Role, Type, of_role, template, toml
from muster.core.states import STATES, TRANSITIONS, LicenceEvent, LicenceState, diagram

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))  # where `tests` is, whose records become pages


def cell(text: str) -> str:
    """A text inside a table: one line, no bar of its own."""
    return text.replace("|", "\\|").replace("\n", " ")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a cell that is empty stays empty."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell(item) for item in line) + " |\n" for line in lines)


def errors() -> str:
    """Every row of the error catalogue, by area."""
    parts = [
        "# Errors\n\n",
        "Every refusal and fault, by its code. A code never changes; texts may be reworded. Words"
        " in braces are filled in. `retry` tells a program what to do: `never`, `later` (by"
        " itself), `other-host`, or `after-fix`. The field code is the number that administrators"
        " of volume activation know. Exit codes: a refusal 1, wrong use 2, a fault 3.\n",
    ]
    areas = sorted({code.partition("/")[0] for code in CATALOGUE})
    for area in areas:
        parts.append(f"\n## {area}\n")
        for code in sorted(code for code in CATALOGUE if code.partition("/")[0] == area):
            row = CATALOGUE[code]
            field = f", field code `{row.field_code}`" if row.field_code else ""
            parts.append(
                f"\n### {code}\n\n"
                f"{row.kind.name.capitalize()}, HTTP {row.http}, retry `{row.retry.value}`"
                f"{field}.\n\n"
                f"- What: {row.what}\n- Why: {row.why}\n- Fix: {row.fix}\n"
            )
    return "".join(parts)


def settings() -> str:
    """The table of settings and the template of the settings file."""
    parts = [
        "# Settings\n\n",
        "A flag goes before the environment, the environment before the file, the file before the"
        " default. In the file the settings of all roles are at the top, those of one role in"
        " its section. In the environment a list is written with commas.\n",
    ]
    for role in Role:
        title = "All roles" if role is Role.COMMON else f"Section `[{role.value}]`"
        parts.append(f"\n## {title}\n\n")
        rows = []
        for setting in of_role(role):
            wanted = setting.wanted
            if setting.unit:
                wanted += f" ({setting.unit})"
            if setting.type is Type.CHOICE:
                wanted = "one of " + ", ".join(f"`{choice}`" for choice in setting.choices)
            said = setting.help if not setting.warning else f"{setting.help} {setting.warning}"
            rows.append(
                (
                    f"`{setting.name}`",
                    wanted,
                    f"`{toml(setting.default)}`",
                    f"`{setting.env}`",
                    said,
                )
            )
        parts.append(table(("name", "value", "default", "environment", "what it does"), rows))
    parts.append(f"\n## Template of the file\n\n```toml\n{template()}```\n")
    return "".join(parts)


def states() -> str:
    """The licence states: their words, the diagram, and the next state of every pair."""
    words = [
        (str(state.value), state.name, row.text, row.wmi, row.meaning)
        for state, row in STATES.items()
    ]
    events = [(event.name, event.value) for event in LicenceEvent]
    pairs = [
        (
            event.name,
            *(
                "" if TRANSITIONS[state, event] is state else str(TRANSITIONS[state, event].value)
                for state in LicenceState
            ),
        )
        for event in LicenceEvent
    ]
    return (
        "# Licence states\n\n"
        "The rules behind this page are [chapter 10](spec/10-licence-states.md).\n\n"
        + table(("number", "state", "`slmgr` says", "WMI says", "meaning"), words)
        + "\n## Events\n\n"
        + table(("event", "what happened"), events)
        + "\n## Transitions\n\n"
        "The next state by event (row) and state (column); an empty cell: the state stays.\n\n"
        + table(("event", *(str(state.value) for state in LicenceState)), pairs)
        + f"\n## Diagram\n\n```mermaid\n{diagram()}```\n"
    )


def audit() -> str:
    """Every audit event."""
    rows = [(f"`{event.value}`", event.meaning) for event in Event]
    return (
        "# Audit events\n\n"
        "What is written down when a thing changes, in the same transaction as the change. Values"
        " read `area:noun:verb` and are never reused.\n\n"
        "Who did it is the `actor` of the row: `user:NAME` is a person at a command, as the kernel"
        " knows the process, whatever the environment says (`sudo` beside it: who logged in"
        " and became root); `door:NAME` is a request that came that way, such as `door:http`;"
        " `task:NAME` is a host that runs and does it by itself: `task:news`, `task:dns`,"
        " `task:clock`. `unknown` are rows that an older version of a host wrote.\n\n"
        + table(("event", "what happened"), rows)
    )


def commands() -> str:
    """Every command with its arguments and options, out of the tree that runs."""
    parts = [
        "# Commands\n\n",
        "One command, `muster`. Without a terminal it never asks. A second run of a command that"
        " changes something changes nothing and says so. Every command that does something takes"
        " `--json`, which prints one object: codes and states in it are stable, texts may be"
        " reworded. Every command takes `-h` and `--help`.\n\n",
        table(
            ("exit code", "meaning"),
            (
                ("0", "done"),
                ("1", "refusal: a role said no ([errors](errors.md))"),
                ("2", "wrong use"),
                ("3", "fault: it could not be found out"),
                ("130", "stopped by Ctrl-C"),
            ),
        ),
    ]
    for context in _tree(click.Context(muster, info_name="muster")):
        command, path = context.command, context.command_path
        usage = " ".join((path, *command.collect_usage_pieces(context)))
        said = inspect.cleandoc(command.help or "").replace("\b\n", "")
        heading = "#" * min(path.count(" ") + 2, 4)
        parts.append(f"\n{heading} `{path}`\n\n{said}\n\n```\n{usage}\n```\n")
        example = "" if isinstance(command, click.Group) else example_of(path.partition(" ")[2])
        if example:
            parts.append(f"\nExample: `muster {example}`\n")
        if command.epilog:
            below = inspect.cleandoc(command.epilog).replace("\b\n", "")
            parts.append(f"\n```\n{below}\n```\n")
        rows = list(_options(context))
        if rows:
            parts.append("\n" + table(("option", "value", "what it does"), rows))
    return "".join(parts)


def _tree(context: click.Context) -> Iterator[click.Context]:
    """The contexts of a command and of all below it."""
    yield context
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            below = group.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _tree(click.Context(below, parent=context, info_name=name))


def _options(context: click.Context) -> Iterator[tuple[str, str, str]]:
    """The rows of a command's own options: spellings, value, help."""
    for option in context.command.get_params(context):
        if not isinstance(option, click.Option) or option.hidden:
            continue
        if {"--help", "--json"}.intersection(option.opts):
            continue
        spellings = ", ".join(f"`{one}`" for one in (*option.opts, *option.secondary_opts))
        value = "" if option.is_flag or option.count else f"`{option.make_metavar(context)}`"
        if isinstance(option.type, click.IntRange) and not option.count:
            least, most = option.type.min, option.type.max
            value = "`INTEGER`"
            value += f" from {least}" if least is not None else ""
            value += f" to {most}" if most is not None else ""
        said = [option.help or ""]
        if option.multiple:
            said.append("May be given several times.")
        if option.required:
            said.append("Must be given.")
        if option.show_default and option.default is not None:
            said.append(f"Default: `{option.default}`.")
        if option.envvar:
            said.append(f"Environment: `{option.envvar}`.")
        yield spellings, value, " ".join(one for one in said if one)


REPORT = re.compile(r"([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)#([0-9]+)")


def faults() -> str:
    """Every fault that was found and mended, out of tests/faults/."""
    from tests.docs import records

    rows = [
        (
            row.id,
            row.fault,
            row.kind,
            ", ".join(f"`{test}`" for test in row.tests),
            REPORT.sub(r"[\1#\2](https://github.com/\1/issues/\2)", row.source),
        )
        for row in records.faults()
    ]
    return (
        "# Faults that were found and fixed\n\n"
        "Each was seen on the running product or in a public report of people who do this job with"
        " other software. It is fixed by its kind, not only where it was seen; the tests failed"
        " before and pass now. `attack` means that a program of ours found it; a chapter, that it"
        " says what the cure of another fault must not break.\n\n"
        + table(("fault", "what happened", "kind", "tests", "source"), rows)
    )


def promises() -> str:
    """What our pages promise, and the tests that prove it, out of tests/promises.toml."""
    from tests.docs import promises as known

    parts = [
        "# Promises and their proofs\n\n",
        "Every sentence of [SECURITY.md](../SECURITY.md), and every row of a table of the pages for"
        " administrators, that promises something, with the tests that prove it. A sentence that"
        " has neither a test nor a reason why it promises nothing fails the tests of the"
        " documents.\n",
    ]
    pairs = known.judge(known.all_units(), known.entries()).pairs
    for page in (*known.PROSE, *known.TABLES):
        rows = [
            (unit.text, ", ".join(f"`{test}`" for test in entry.tests))
            for unit, entry in pairs
            if unit.page == page and entry.tests
        ]
        parts.append(f"\n## {page}\n\n" + table(("promise", "proved by"), rows))
    return "".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "audit.md": audit,
    "cli.md": commands,
    "errors.md": errors,
    "faults.md": faults,
    "json.md": shapes.page,
    "promises.md": promises,
    "settings.md": settings,
    "states.md": states,
}
"""Every generated page under docs/ and the function that makes its text."""

NOTE = "<!-- Made by docs/generate.py (make docs) from the tables of the code. Do not edit. -->\n\n"


def text(name: str) -> str:
    """The whole text of a generated page."""
    return NOTE + PAGES[name]()


def files() -> dict[str, str]:
    """The texts of all generated pages, schemas and dashboards, by path below docs/."""
    from tests.docs import dashboards

    return {name: text(name) for name in PAGES} | shapes.schemas() | dashboards.files()


def say(line: str) -> None:
    """A line for whoever ran this."""
    sys.stdout.write(line + "\n")


def main(arguments: list[str], folder: Path = DOCS) -> int:
    """Write the pages into a folder, or compare those in it with `--check`."""
    if arguments not in ([], ["--check"]):
        say("usage: python docs/generate.py [--check]")
        return 2
    stale = 0
    for name, wanted in files().items():
        path = folder / name
        found = path.read_text(encoding="utf-8") if path.exists() else ""
        if found == wanted:
            continue
        if arguments == ["--check"]:
            stale += 1
            say(f"docs/{name} is out of date; run 'make docs'. The first differences:")
            lines = difflib.unified_diff(
                found.splitlines(), wanted.splitlines(), "written", "made", lineterm="", n=0
            )
            say("\n".join(list(lines)[:12]))
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
            say(f"docs/{name} written")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
