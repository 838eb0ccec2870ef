"""Runs the commands of a guide as written, and compares what they print with what it shows.

A guide is Markdown. In its `console` blocks a line that begins with `$ ` is a command, lines that
begin with `> ` below it go on with it, and all other lines are what it prints, exactly. All
commands of a guide run in order in one shell, in one network namespace, in an empty folder: the
guide's first `sh` block makes the namespace and its last one removes it.

What differs from run to run is named in one table, `SUBSTITUTIONS`. Documented and real output
pass through it, and are then compared line by line. Nothing else is forgiven.

    python tests/docs/console.py docs/guide.md            run and compare
    python tests/docs/console.py --write docs/guide.md    put the real output into the guide
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from muster.core.keys import ALPHABET

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide.md"
FOLDER = "/root/lab"
"""The working folder, as the guide calls it."""
COMMAND_SECONDS = 120.0


# What differs from run to run.


@dataclass(frozen=True, slots=True)
class Substitution:
    """One kind of text that is another one in each run.

    `names` tells that the text names something: then each distinct text gets a number of its own,
    and a guide that shows one machine id in two places must meet one machine id in both.
    """

    name: str
    pattern: str
    names: bool


_DATE = r"2[01]\d\d-[01]\d-[0-3]\d"
_CLOCK = r"[0-2]\d:[0-5]\d:[0-6]\d"
_FOLDER = r"(?:/[^\s/=]+)*/muster-guide-\w+/lab\b"
_FIVE = f"[{ALPHABET}]{{5}}"
_ID = r"[A-Za-z0-9_-]"

SUBSTITUTIONS: tuple[Substitution, ...] = (
    Substitution("log time", rf"\b{_DATE}T{_CLOCK}\.\d\d\dZ", names=False),
    Substitution("time", rf"\b{_DATE} {_CLOCK} UTC", names=False),
    Substitution("process", r"(?<=process )\d+(?=, since)", names=False),
    Substitution("minutes left", r"\b\d+(?= minute\(s\) \(\d+ day\(s\)\))", names=False),
    Substitution("working folder", rf"{_FOLDER}|{FOLDER}\b", names=False),
    Substitution("UUID", r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", names=True),
    Substitution(
        "last group of a product key",
        rf"(?:(?<={'-'.join([_FIVE] * 4)}-)|(?<=Partial Product Key: )){_FIVE}\b",
        names=True,
    ),
    Substitution("product key", rf"\b(?!XXXXX){'-'.join([_FIVE] * 4)}(?=-<last)", names=True),
    Substitution("key id", r"\b[0-4]-\d{1,5}-\d{1,8}\b", names=True),
    Substitution("publisher id", r"\b[a-z2-7]{16}\b", names=True),
    Substitution("grant id", rf"(?<=grant ){_ID}{{22}}(?!{_ID})", names=True),
    Substitution("host's public key", rf"(?<=host ){_ID}{{43}}(?!{_ID})", names=True),
    Substitution(
        "hardware id", r"(?:(?<=Host )|(?<=  Hardware id:             ))[0-9a-f]{12}\b", names=True
    ),
    Substitution(
        "name of this computer",
        r'(?<=<UUID \d>  )"[^"]+"(?=  127)|(?<=-professional,)"[^"]+"$',
        names=False,
    ),
    Substitution("root's public key", rf"(?<=root-1-){_ID}{{8}}(?=\.key)", names=True),
    Substitution("digits", r"\b\d{6}(?:-\d{6}){11,}\b", names=True),
    Substitution("row of digits", r"(?<=\b[A-I]  )\d{6}(?: \d{6})*", names=True),
    Substitution("hash of a row", r"(?<=\d:)[0-9a-f]{64}\b", names=True),
    Substitution("virtual machine or not", r"(?<=,<time>,)[01?](?=,\d,\d+,)", names=False),
)


class Normaliser:
    """Puts the names of the table in place of what differs. One for each run: it counts."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, int]] = {}
        self.used: set[str] = set()

    def lines(self, lines: Sequence[str]) -> list[str]:
        """The lines with everything of the table replaced."""
        return [self.line(line) for line in lines]

    def line(self, text: str) -> str:
        """One line with everything of the table replaced."""
        for row in SUBSTITUTIONS:
            text = re.sub(row.pattern, partial(self._word, row), text)
        return text

    def _word(self, row: Substitution, found: re.Match[str]) -> str:
        self.used.add(row.name)
        if not row.names:
            return f"<{row.name}>"
        known = self._known.setdefault(row.name, {})
        return f"<{row.name} {known.setdefault(found[0], len(known) + 1)}>"


# What a guide says.


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a guide: its first line (from 1), its text, and the lines shown below it.

    `first` and `last` delimit the shown lines in the list of all lines of the guide.
    """

    line: int
    text: str
    first: int
    last: int
    shown: tuple[str, ...]


def blocks(lines: Sequence[str], language: str) -> Iterator[range]:
    """The line numbers (from 0) of each fenced block of a language, without its fences."""
    start: int | None = None
    inside = ""
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start, inside = number + 1, line[3:].strip()
        else:
            if inside == language:
                yield range(start, number)
            start = None


def commands(text: str) -> list[Command]:
    """All commands of a guide, in order.

    Raises: ValueError for output without a command.
    """
    lines = text.split("\n")
    found: list[Command] = []
    for block in blocks(lines, "console"):
        place = block.start
        while place < block.stop:
            if not lines[place].startswith("$ "):
                raise ValueError(f"line {place + 1} is the output of no command")
            begin, words = place, [lines[place][2:]]
            place += 1
            while place < block.stop and lines[place][:2].rstrip() == ">":
                words.append(lines[place][2:])
                place += 1
            first = place
            while place < block.stop and not lines[place].startswith("$ "):
                place += 1
            shown = tuple(lines[first:place])
            found.append(Command(begin + 1, "\n".join(words), first, place, shown))
    return found


def scripts(text: str) -> list[list[str]]:
    """The lines of each `sh` block."""
    lines = text.split("\n")
    return [[lines[place] for place in block] for block in blocks(lines, "sh")]


# Running.


class ShellError(RuntimeError):
    """The shell ended, or a command did not."""


class Shell:
    """One bash that keeps its variables, functions and background jobs between commands.

    Args:
        words: the command that starts it.
        folder: the working folder.
        environment: all of its environment.
    """

    def __init__(self, words: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self._mark = f"--done-{os.urandom(8).hex()}"
        self._rest = b""
        self._bash = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
        )

    def run(self, command: str, seconds: float = COMMAND_SECONDS) -> list[str]:
        """Run a command, give the lines that it printed on both outputs.

        It reads nothing: `eval` lets it change the shell, its input is empty.
        Raises: ShellError.
        """
        assert self._bash.stdin is not None
        typed = f"eval {shlex.quote(command)} < /dev/null\nprintf '%s\\n' {self._mark}\n"
        try:
            self._bash.stdin.write(typed.encode())
            self._bash.stdin.flush()
        except BrokenPipeError:
            raise ShellError("the shell has ended") from None
        text = self._until_mark(time.monotonic() + seconds).decode(errors="replace")
        if text and not text.endswith("\n"):
            text += "\\ no end of line\n"
        return text.split("\n")[:-1]

    def _until_mark(self, end: float) -> bytes:
        assert self._bash.stdout is not None
        handle, mark = self._bash.stdout.fileno(), f"{self._mark}\n".encode()
        while mark not in self._rest:
            ready, _, _ = select.select([handle], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise ShellError("it does not end; so far:\n" + self._rest.decode(errors="replace"))
            data = os.read(handle, 65536)
            if not data:
                raise ShellError("the shell ended:\n" + self._rest.decode(errors="replace"))
            self._rest += data
        found, _, self._rest = self._rest.partition(mark)
        return found

    def close(self) -> None:
        """End the shell; its background jobs are left."""
        if self._bash.poll() is None:
            self._bash.kill()
        self._bash.wait()
        for pipe in (self._bash.stdin, self._bash.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):  # what it was not told any more
                pipe.close()


class Laboratory:
    """The network namespace and the folder of one run; leaving it ends all that runs in it.

    Args:
        guide: the guide's text. Its first `sh` block is run up to the line that enters the
            namespace, its last one at the end; the name of the namespace is made this run's own,
            so that two runs do not meet.
    """

    def __init__(self, guide: str) -> None:
        first, *_, last = scripts(guide)
        entering = next(place for place, line in enumerate(first) if "ip netns exec" in line)
        own = first[entering].split()[first[entering].split().index("exec") + 1]
        self.namespace = f"guide-{os.getpid()}"
        self._make = [self._named(line, own) for line in first[:entering] if "sudo" not in line]
        self._remove = [self._named(line, own) for line in last]

    def _named(self, line: str, own: str) -> str:
        # Only the whole word: `fabrikam`, not `corp.fabrikam.test`.
        return re.sub(rf"(?<![\w.]){re.escape(own)}(?![\w.])", self.namespace, line)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="muster-guide-")
        try:
            self._script(self._make)
            home = Path(self._folder.name)
            work = home / "lab"
            work.mkdir()
            tools = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
            self.shell = Shell(
                ["ip", "netns", "exec", self.namespace, "bash", "--norc", "--noprofile"],
                work,
                {
                    "PATH": f"{Path(sys.executable).parent}:{tools}",
                    "HOME": str(home),
                    "LC_ALL": "C.UTF-8",
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
            )
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shell.close()
        self._clear()

    def _script(self, lines: Sequence[str]) -> None:
        done = subprocess.run(
            ["sh", "-e"], input="\n".join(lines) + "\n", text=True, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise ShellError(f"the laboratory cannot be made: {done.stderr}")

    def _clear(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            end = time.monotonic() + 10
            while self._pids() and time.monotonic() < end:
                for pid in self._pids():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, sign)
                time.sleep(0.05)
        try:
            self._script(self._remove)
        finally:
            self._folder.cleanup()

    def _pids(self) -> list[int]:
        """What runs in the namespace, all of it started here."""
        found = subprocess.run(
            ["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=False
        )
        return [int(word) for word in found.stdout.split()]


def play(guide: str) -> list[list[str]]:
    """Run all commands of a guide; the lines that each of them printed."""
    with Laboratory(guide) as laboratory:
        outputs = []
        for command in commands(guide):
            try:
                outputs.append(laboratory.shell.run(command.text))
            except ShellError as fault:
                raise ShellError(f"line {command.line}: $ {command.text}\n{fault}") from None
        return outputs


def why_not() -> str | None:
    """Why the guide cannot be run here, or None where it can."""
    from muster.testing import netns

    for program, package in (
        ("named", "bind9"),
        ("tsig-keygen", "bind9"),
        ("dig", "bind9-dnsutils"),
        ("nslookup", "bind9-dnsutils"),
        ("nsupdate", "bind9-dnsutils"),
    ):
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
            return f"needs {program}: apt-get install {package}"
    return netns.why_not()


# Comparing.


def differences(guide: str, outputs: Sequence[Sequence[str]]) -> list[str]:
    """What a run printed other than the guide shows; a text for each command."""
    documented, real = Normaliser(), Normaliser()
    found = []
    for command, output in zip(commands(guide), outputs, strict=True):
        shown, printed = documented.lines(command.shown), real.lines(output)
        if shown != printed:
            diff = difflib.unified_diff(shown, printed, "the guide", "this run", lineterm="", n=2)
            found.append("\n".join([f"line {command.line}: $ {command.text}", *diff]))
    return found


def rewritten(guide: str, outputs: Sequence[Sequence[str]]) -> str:
    """The guide with what a run printed in place of what it showed."""
    lines = guide.split("\n")
    for command, output in reversed(list(zip(commands(guide), outputs, strict=True))):
        lines[command.first : command.last] = [re.sub(_FOLDER, FOLDER, line) for line in output]
    return "\n".join(lines)


def main() -> int:
    """Run a guide; 0 when it prints what the guide shows, or when it was rewritten."""
    parser = argparse.ArgumentParser(description="Run the commands of a guide.")
    parser.add_argument("guide", nargs="?", type=Path, default=GUIDE)
    parser.add_argument("--write", action="store_true", help="put the real output into it")
    chosen = parser.parse_args()
    missing = why_not()
    if missing is not None:
        print(missing, file=sys.stderr)
        return 3
    text = chosen.guide.read_text(encoding="utf-8")
    outputs = play(text)
    found = differences(text, outputs)
    if chosen.write and found:
        # All of it: a name that is met twice must be the same one in both places.
        chosen.guide.write_text(rewritten(text, outputs), encoding="utf-8")
    print("\n\n".join(found) or "It prints what the guide shows.")
    return 0 if chosen.write or not found else 1


if __name__ == "__main__":
    sys.exit(main())
