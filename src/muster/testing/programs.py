"""Runs the command `muster` as an administrator does, on this machine or on a node of a laboratory.

Every command is a child process with an environment of its own: no setting of the caller leaks in,
and the folder is its home. What serves is stopped by its process id when the `with` block ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from muster.core.values import dataclass
from muster.system.facts import facts_file
from muster.testing.netns import Node

_READY_SECONDS = 60.0
_FACTS_OPTION = frozenset({"client", "doctor", "slmgr"})
"""Commands that take a facts file."""
_RUN_SECONDS = 120.0


class Printed:
    """The object that a command printed, read by type.

    `printed["name"]` is a member to compare; the accessors give one of the promised type, and raise
    TypeError for another [who reads on would find out later and elsewhere].
    """

    __slots__ = ("members",)

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise TypeError(f"no object: {value!r}")
        self.members: Mapping[str, object] = value

    def __getitem__(self, name: str) -> object:
        return self.members[name]

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def __repr__(self) -> str:
        """The object as JSON."""
        return json.dumps(self.members, ensure_ascii=False)

    def text(self, name: str) -> str:
        """A member that is a text."""
        value = self[name]
        if not isinstance(value, str):
            raise TypeError(f"{name} is no text: {value!r}")
        return value

    def number(self, name: str) -> int:
        """A member that is an integer."""
        value = self[name]
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} is no integer: {value!r}")
        return value

    def inner(self, name: str) -> Printed:
        """A member that is an object."""
        return Printed(self[name])

    def rows(self, name: str) -> list[Printed]:
        """A member that is a list of objects."""
        value = self[name]
        if not isinstance(value, list):
            raise TypeError(f"{name} is no list: {value!r}")
        return [Printed(row) for row in value]


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left: its exit code, the object that it printed, and its standard error."""

    code: int
    data: Printed
    trouble: str

    @property
    def error(self) -> str:
        """The code of the error that it printed, "" where there is none."""
        return self.data.inner("error").text("code") if "error" in self.data else ""


class Programs:
    """Children of this process below one folder.

    Args:
        folder: an empty folder; logs, facts files and homes are in it.
        environment: more variables for every command.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        kept.pop("XDG_CONFIG_HOME", None)
        self._environment = {
            **kept,
            "HOME": str(folder),
            "MUSTER_PASSPHRASE": sha256(os.urandom(32)).hexdigest(),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(environment or {}),
        }
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []

    def _command(self, words: tuple[str, ...], node: Node | None, facts: Path | None) -> list[str]:
        named = () if facts is None or words[0] not in _FACTS_OPTION else ("--facts", str(facts))
        command = [sys.executable, "-m", "muster", *words, *named, "--json"]
        return command if node is None else node.wrap(command)

    def run(self, *words: str, node: Node | None = None, facts: Path | None = None) -> Done:
        """Run one command with `--json` to its end, whatever its exit code is."""
        process = subprocess.run(
            self._command(words, node, facts),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env=self._environment,
            timeout=_RUN_SECONDS,
            start_new_session=True,  # Ctrl-C at the terminal is for whoever runs them
        )
        text = process.stdout.decode(errors="replace")
        try:
            value = json.loads(text)
        except ValueError:
            value = {"printed": text}
        data = Printed(value if isinstance(value, dict) else {"printed": value})
        return Done(process.returncode, data, process.stderr.decode(errors="replace"))

    def muster(self, *words: str, node: Node | None = None, facts: Path | None = None) -> Printed:
        """Run one command that must succeed; gives what it prints. Raises: RuntimeError."""
        result = self.run(*words, node=node, facts=facts)
        if result.code != 0:
            text = f"{result.data} {result.trouble}".strip()
            raise RuntimeError(f"muster {' '.join(words[:2])} ended with {result.code}: {text}")
        return result.data

    def text(self, *words: str) -> list[str]:
        """Run one command as a person would; gives the lines that it prints.

        Raises: RuntimeError when it ends with another exit code than 0.
        """
        process = subprocess.run(
            [sys.executable, "-m", "muster", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env=self._environment,
            timeout=_RUN_SECONDS,
            start_new_session=True,  # Ctrl-C at the terminal is for whoever runs them
        )
        if process.returncode != 0:
            message = process.stderr.decode(errors="replace")
            raise RuntimeError(f"muster {' '.join(words[:2])}: {message}")
        return process.stdout.decode(errors="replace").rstrip().splitlines()

    def start(
        self, name: str, *words: str, node: Node | None = None, facts: Path | None = None
    ) -> Printed:
        """Start a serving command; gives the object that it prints when it is ready.

        Raises: RuntimeError with what it said when it does not start.
        """
        output, trouble = self.folder / f"{name}.log", self.folder / f"{name}.err"
        with output.open("wb") as out, trouble.open("wb") as err:
            child = subprocess.Popen(
                self._command(words, node, facts),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self._environment,
                start_new_session=True,
            )
        self._children.append((name, child))
        limit = time.monotonic() + _READY_SECONDS
        while time.monotonic() < limit:
            value = _whole(output.read_text(errors="replace"))
            if value is not None:
                return value
            if child.poll() is not None:
                break
            time.sleep(0.02)
        line = output.read_text(errors="replace") + trouble.read_text(errors="replace")
        raise RuntimeError(f"{name} did not start: {line.strip()}")

    def facts(self, name: str, facts: Mapping[str, str]) -> Path:
        """Write the facts file of a machine."""
        path = self.folder / "facts" / f"{name}.json"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(facts_file(dict(facts)))
        path.chmod(0o600)
        return path

    def log(self, name: str) -> str:
        """What a serving command wrote to its standard error so far."""
        return (self.folder / f"{name}.err").read_text(errors="replace")

    def child(self, name: str) -> subprocess.Popen[bytes]:
        """The process of a serving command."""
        return next(child for label, child in self._children if label == name)

    def stop(self) -> None:
        """Stop what serves, the last one first, by process id. Idempotent."""
        children, self._children = self._children, []
        for _, child in reversed(children):
            if child.poll() is None:
                child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(15)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _whole(text: str) -> Printed | None:
    """The JSON object that a text begins with, or None while it is not whole."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except ValueError:
        return None
    return Printed(value) if isinstance(value, dict) else None
