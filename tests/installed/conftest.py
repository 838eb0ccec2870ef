"""What a person installs: the wheel and the sdist, built once, and programs installed from them.

Packages that Muster needs come once from the index that this machine is set up for, in the locked
versions; after that nothing is asked from outside.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "run.txt"
SECONDS = 240


@dataclass(frozen=True, slots=True)
class Built:
    """The two files of a release."""

    wheel: Path
    sdist: Path


@dataclass(frozen=True, slots=True)
class Installed:
    """A program that was installed: where its commands and its own Python are."""

    muster: Path
    python: Path

    def run(self, *words: str, folder: Path, code: int | None = 0) -> str:
        """Type a command in a folder; its output. Anything but the exit code fails the test."""
        done = subprocess.run(
            [str(self.muster), *words],
            cwd=folder,
            env=surroundings(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert code in (None, done.returncode), (words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    @contextmanager
    def serving(self, *words: str, folder: Path) -> Iterator[dict[str, Any]]:
        """A serving command until it is done with; what it prints when it is ready."""
        with (folder / f"{words[0]}.err").open("w+") as err:
            child = subprocess.Popen(
                [str(self.muster), *words, "--json"],
                cwd=folder,
                env=surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            )
            try:
                assert child.stdout is not None
                told = ""
                while not (said := whole(told)):
                    line = child.stdout.readline()
                    err.seek(0)
                    assert line, (told, err.read())
                    told += line
                yield said
            finally:
                child.terminate()
                child.communicate(timeout=SECONDS)

    def json(self, *words: str, folder: Path, code: int = 0) -> dict[str, Any]:
        """As `run` with `--json`: the one object."""
        value = json.loads(self.run(*words, "--json", folder=folder, code=code))
        assert isinstance(value, dict)
        return value


def whole(text: str) -> dict[str, Any] | None:
    """The object that a text is, once it is whole."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


Install = Callable[[str, str], Installed]
"""Installs by a tool (pip, pipx or uv) with extras in brackets or none."""


def surroundings(**more: str) -> dict[str, str]:
    """The environment of a person who has a shell and nothing of Muster or of this suite."""
    ours = ("MUSTER_", "PYTHON", "VIRTUAL_ENV", "COVERAGE")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
        "MUSTER_PASSPHRASE": "only for tests",
        **more,
    }


def call(*words: str, **more: str) -> str:
    """Run a tool to its end; anything but success fails the test."""
    done = subprocess.run(
        words,
        env=surroundings(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Wheel and sdist, built as `make dist` builds them."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=ROOT,
        env=surroundings(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of the lock file."""
    folder = tmp_path_factory.mktemp("packages")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet")
    call(*pip, "--require-hashes", "--dest", str(folder), "--requirement", str(LOCK))
    return folder


@pytest.fixture(scope="session")
def install(built: Built, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Installs the wheel into an empty environment, each once."""
    tools = Path(sys.executable).parent
    only_here = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(packages)}

    @cache
    def installed(tool: str, extras: str) -> Installed:
        folder = tmp_path_factory.mktemp(f"{tool}{extras.strip('[]')}")
        commands = folder / "bin"
        wanted = f"muster-activation{extras} @ {built.wheel.as_uri()}"
        match tool:
            case "pip":
                call(sys.executable, "-m", "venv", str(folder))
                python = str(commands / "python")
                pip = (python, "-m", "pip", "install", "--quiet", "--no-index")
                call(*pip, "--find-links", str(packages), wanted)
                return Installed(commands / "muster", commands / "python")
            case "pipx":
                words = (str(tools / "pipx"), "install", "--python", sys.executable, wanted)
                homes = ("PIPX_HOME", str(folder)), ("PIPX_MAN_DIR", str(folder / "man"))
                # By pip it would first ask an index for the newest pip.
                call(
                    *words,
                    **dict(homes),
                    **only_here,
                    PIPX_BIN_DIR=str(commands),
                    PIPX_DEFAULT_BACKEND="uv",
                )
                venv = folder / "venvs" / "muster-activation"
            case _:
                tool_install = (str(tools / "uv"), "tool", "install", "--quiet")
                places = {"UV_TOOL_DIR": str(folder), "UV_TOOL_BIN_DIR": str(commands)}
                call(*tool_install, "--python", sys.executable, wanted, **places, **only_here)
                venv = folder / "muster-activation"
        return Installed(commands / "muster", venv / "bin" / "python")

    return installed
