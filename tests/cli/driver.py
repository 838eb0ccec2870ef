"""Runs every command under one unusual surrounding each, in children of one process.

Started as a program: it imports all commands once and forks for each run, so that some hundred runs
take seconds. Prints one JSON list of what each run left.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from inspect import CO_GENERATOR
from pathlib import Path
from types import FrameType

import click

import muster as muster_package
from muster.__main__ import main
from muster.cli.examples import LINES
from muster.cli.main import muster

ALARM_SECONDS = 60
OURS = str(Path(muster_package.__file__).parent)
CALLS = (5, 60, 400)
"""After how many calls of our functions Ctrl-C is pressed."""
EXTRAS = frozenset({"dns", "prometheus_client", "psycopg", "psycopg_pool", "rich", "segno"})
"""What only extras bring; without them this runs too, with `no extra` as its argument."""
SERVED = (("demo",), ("client", "agent"))
"""Commands that would do all their work here, or for ever; they have tests of their own."""


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command with the least that it needs to be understood."""
    if not isinstance(group, click.Group):
        yield (*path, *_arguments(group))
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from commands(command, (*path, name))


def _arguments(command: click.Command) -> list[str]:
    words: list[str] = []
    for param in command.params:
        many = param.nargs == -1
        if not param.required and not (many and isinstance(param, click.Argument)):
            continue
        kind = param.type
        value = str(kind.choices[0]) if isinstance(kind, click.Choice) else "nothing.here"
        value = "1" if kind is click.INT or isinstance(kind, click.IntRange) else value
        if command.name == "slmgr":
            value = "/dlv"
        words += [param.opts[0], value] if isinstance(param, click.Option) else [value]
    return words


def strange(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command with all its texts typed on a terminal of another encoding, and all its numbers
    larger than a database keeps them."""
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from strange(command, (*path, name))
        return
    words: list[str] = []
    for param in group.params:
        flag = isinstance(param, click.Option) and (param.is_flag or param.count)
        if flag or isinstance(param.type, click.Choice | click.Path):
            continue
        value = "9" * 20 if isinstance(param.type, click.types.IntParamType) else "B\udcfcro"
        words += [param.opts[0], value] if isinstance(param, click.Option) else [value]
    if words:
        yield (*path, *words)


def serves(words: tuple[str, ...]) -> bool:
    """Whether a command would work on and on."""
    return any(words[: len(served)] == served for served in SERVED)


USUAL = ("plain", "full output", "full outputs", "no folder", "umask 000")


def surround(kind: str, folder: Path) -> None:
    """Make one thing around this process unusual."""
    os.chdir(folder)
    match kind:
        case "plain" | "wrong option" | "example" | "other bytes":
            pass
        case "full output":
            os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        case "full outputs":
            for number in (1, 2):
                os.dup2(os.open("/dev/full", os.O_WRONLY), number)
        case "no folder":
            gone = folder / "gone"
            gone.mkdir()
            os.chdir(gone)
            gone.rmdir()
        case "umask 000":
            os.umask(0)
        case "no extra":
            os.environ["MUSTER_PUBLISHER_DATABASE"] = "postgresql://127.0.0.1:1/muster"
        case "no input":
            os.close(0)
        case "no home":
            os.environ.pop("HOME")  # the store stays named: root's own would be the machine's
        case _:
            calls = int(kind.rpartition(" ")[2])
            assert kind.startswith("Ctrl-C"), kind
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.setprofile(_Presser(calls))


class _Presser:
    """Presses Ctrl-C after so many calls."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self, frame: FrameType, event: str, _arg: object) -> None:
        code = frame.f_code
        if event != "call" or OURS not in code.co_filename or code.co_flags & CO_GENERATOR:
            return  # Python passes over what is raised in its callbacks and as generators end
        self.left -= 1
        if self.left == 0:
            sys.setprofile(None)
            os.kill(os.getpid(), signal.SIGINT)


def play(words: tuple[str, ...], kind: str) -> dict[str, object]:
    """Run one command in a child; gives its exit code (negative: a signal) and what it printed."""
    folder = Path(tempfile.mkdtemp(dir=os.environ["DRIVER_FOLDER"]))
    out, err = folder / "out", folder / "err"
    child = os.fork()
    if child == 0:
        code = 99
        try:
            signal.alarm(ALARM_SECONDS)
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            for number, path in ((1, out), (2, err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
            os.environ |= {"HOME": str(folder), "MUSTER_STORE": str(folder / "a" / "b" / "store")}
            sys.argv = ["muster", *words]
            surround(kind, folder)
            try:
                main()
                code = 0
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 98
            finally:
                sys.setprofile(None)
                with contextlib.suppress(Exception):
                    sys.stdout.flush()
                sys.stderr.flush()
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    loose = [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o002
    ]
    return {
        "words": words,
        "kind": kind,
        "code": status,
        "out": out.read_text(errors="replace"),
        "err": err.read_text(errors="replace"),
        "loose": loose,
    }


def runs() -> Iterator[tuple[tuple[str, ...], str]]:
    """Each command under each surrounding."""
    presses = tuple(f"Ctrl-C after {calls}" for calls in CALLS)
    for words in commands(muster):
        if not serves(words):
            for kind in (*USUAL, "no input", "no home", *presses):
                yield words, kind
                if kind == "plain":
                    yield (*words, "--json"), kind
        yield (*words, "--no-such-option"), "wrong option"
        yield (*words, "--no-such-option", "--json"), "wrong option"
        yield (*words, "--help"), "full output"
    for words in strange(muster):
        yield words, "other bytes"


def load() -> None:
    """Import all of the command now, so that the children need not."""
    for found in pkgutil.walk_packages([OURS], "muster."):
        if not found.name.endswith("__main__"):
            try:
                importlib.import_module(found.name)
            except ModuleNotFoundError as fault:
                if fault.name not in EXTRAS:
                    raise


def examples() -> Iterator[tuple[tuple[str, ...], str]]:
    """What each `--help` shows."""
    for line in LINES:
        words = tuple(line.split())
        if not serves(words):
            yield words, "example"
        yield (*words, "--help"), "example"


def without_extras() -> Iterator[tuple[tuple[str, ...], str]]:
    """Each command, where nothing but the plain wheel is installed; of the examples those that go
    further than the least that a command takes."""
    for words in [*commands(muster), *(tuple(line.split()) for line in LINES)]:
        if words[:2] == ("client", "agent"):
            continue
        yield words, "no extra"
        yield (*words, "--json"), "no extra"


if __name__ == "__main__":
    load()
    every = list(without_extras() if sys.argv[1:] == ["no extra"] else [*runs(), *examples()])
    print(json.dumps([play(words, kind) for words, kind in every]))
