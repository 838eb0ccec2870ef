"""A product key, as commands take it: an argument, `-`, a file or a prompt.

Everybody on a machine can read the arguments of its programs. Decides where a key comes from, and
that a file with a key that activates something is read by its owner alone; a setup key is no
secret. Refuses to know what the key is for.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from muster.cli.options import Command
from muster.cli.output import interactive
from muster.core.catalogue import error
from muster.core.errors import MusterError

STDIN = "-"
_LIMIT = 1024


def key_argument(metavar: str) -> Callable[[Command], Command]:
    """A product key or what names one; gives the command `key_text`."""

    def decorate(command: Command) -> Command:
        @click.argument("key_text", metavar=f"[{metavar}]", required=False)
        @click.option(
            "--key-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help=f"File with the {metavar}, that only you can read; '-' in its place reads"
            " standard input. Without any of them, a terminal is asked.",
        )
        @functools.wraps(command)
        def wrapped(*args: Any, key_text: str | None, key_file: Path | None, **kwargs: Any) -> Any:
            return command(*args, key_text=read_key(key_text, key_file), **kwargs)

        return wrapped

    return decorate


def read_key(text: str | None, file: Path | None = None) -> str:
    """The key that was typed, or that is where the words say.

    Args:
        text: the argument: the key, or `-` for standard input.
        file: a file with the key as its only line.
    Raises: `key/none`, `key/file`, `keyfile/rights`, `file/…`; wrong use.
    """
    if file is not None:
        if text is not None:
            raise click.UsageError("--key-file and an argument cannot be used together.")
        return _from_file(file)
    if text == STDIN:
        return _only_line(_from_stdin(), "standard input")
    if text is None and interactive():
        return str(click.prompt("Product key", err=True)).strip()
    if text is None:
        raise error("key/none")
    return text


def _from_stdin() -> bytes:
    from muster.system.textfile import plain

    stream = sys.stdin.buffer
    return plain(stream.readline(_LIMIT) if sys.stdin.isatty() else stream.read(_LIMIT))


def _from_file(path: Path) -> str:
    from muster.system.textfile import read_text, read_text_private

    key = _only_line(read_text(path, _LIMIT), str(path))
    if not _secret(key):
        return key
    return _only_line(read_text_private(path, _LIMIT), str(path))


def _only_line(data: bytes, path: str) -> str:
    lines = [line for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    if len(lines) != 1:
        detail = "it has more than one line" if lines else "it is empty"
        raise error("key/file", path=path, detail=detail)
    return lines[0].strip()


def _secret(text: str) -> bool:
    from muster.core.keys import Kind, parse_product_key

    try:
        return parse_product_key(text).kind is not Kind.SETUP
    except MusterError:
        return False
