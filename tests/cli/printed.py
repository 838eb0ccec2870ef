"""Holds what commands print with `--json` against their published schemas (muster.cli.shapes)."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
import jsonschema

from muster.cli import shapes
from muster.cli.main import muster

DOCS = Path(__file__).parents[2] / "docs"


def command_of(words: Sequence[str]) -> str:
    """The command that a line behind `muster` runs, without its arguments."""
    group: click.Command = muster
    found: list[str] = []
    for word in words:
        if not isinstance(group, click.Group):
            break
        inner = group.get_command(click.Context(group), word)
        if inner is None:
            break
        found.append(word)
        group = inner
    if isinstance(group, click.Group) and found:
        found.append("list")  # `publisher audit` lists where no sub-command is named
    return " ".join(found)


def judge(words: Sequence[str], output: str) -> str:
    """Refuse an object that its command's schema does not allow, or that has one member more.

    Returns: the command, or `error`.
    Raises: jsonschema.ValidationError.
    """
    value = json.loads(output)
    refused = isinstance(value, dict) and set(value) == {"error"}
    command = shapes.ERROR if refused else command_of(words)
    validator(command).validate(value)
    return command


@cache
def validator(command: str) -> jsonschema.Draft202012Validator:
    """Of the file that is published; stricter, because programs are told to pass over members
    that they do not know, and ours are known."""
    shape = json.loads((DOCS / shapes.file_of(command)).read_text("utf-8"))
    return jsonschema.Draft202012Validator(_closed(shape))


def _closed(shape: Any) -> Any:
    """A schema that allows no further members."""
    closed = copy.deepcopy(shape)
    for inner in (closed, *closed["$defs"].values()):
        if "properties" in inner:
            inner["additionalProperties"] = False
    return closed
