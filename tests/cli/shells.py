"""Shells that are really asked what they complete, by the script that packages install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from muster.cli.main import muster

MADE = Path(__file__).resolve().parents[1] / "stores" / "made"
BASH = """\
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
_muster_completion muster
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """\
compdef() { :; }
compadd() { print -rl -- "${(@P)@[-1]}"; }
_describe() { print -rl -- "${(@P)3}"; }
source "$1"
shift
words=("$@") CURRENT=$#
_muster_completion
"""
"""Functions of its completion system print what they are given: they work in a terminal only."""
FISH = "source $argv[1]; complete --do-complete (string join -- ' ' $argv[2..])"


def _script(shell: str, folder: Path) -> Path:
    """As packaging/build.py writes it."""
    kind = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    script = kind(muster, {}, "muster", "_MUSTER_COMPLETE")
    path = folder / f"completion.{shell}"
    path.write_text(script.source_template % script.source_vars())
    return path


def completed(shell: str, folder: Path, *words: str, store: Path) -> set[str]:
    """What a shell offers for the last of some words; `folder` is for its script."""
    script = _script(shell, folder)
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}: apt-get install {shell}")
    command = {
        "bash": ["bash", "--norc", "-c", BASH, "bash", str(script), "muster", *words],
        "zsh": ["zsh", "-f", "-c", ZSH, "zsh", str(script), "muster", *words],
        "fish": ["fish", "--no-config", "-c", FISH, str(script), "muster", *words],
    }[shell]
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": programs, "MUSTER_STORE": str(store), "HOME": str(folder)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    # Descriptions follow a tab in fish and a colon in zsh.
    return {line.partition("\t")[0].partition(":")[0] for line in done.stdout.splitlines()} - {""}


SHELLS = ["bash", "zsh", "fish"]


def stores(folder: Path) -> Path:
    """A copy of the stores that are checked in: of a publisher, and of machines with products."""
    return shutil.copytree(MADE, folder / "made")
