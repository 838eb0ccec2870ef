"""Options that commands of several roles share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from muster.core.values import field_names

Command = Callable[..., Any]


def store_option(command: Command, subject: str = "the store is") -> Command:
    """`--store`, as all commands of all roles have it; `subject` says what is in it."""
    return click.option(
        "--store",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="MUSTER_STORE",
        help=f"Folder under which {subject}; by default the system's, or this user's.",
    )(command)


def gathered(record: type) -> Callable[[Command], Command]:
    """Give a command those of its options that are fields of `record` as one of these, in front of
    its other arguments; is next to the function."""
    names = field_names(record) or ()

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            given = record(**{name: kwargs.pop(name) for name in names})
            return command(*args, given, **kwargs)

        return wrapped

    return decorate


def write_public(path: Path, data: bytes) -> bool:
    """Write a file that everybody may read; False when it holds just that already."""
    from muster.core.errors import MusterError
    from muster.system.files import read_bounded, write_atomic

    try:
        if read_bounded(path, len(data)) == data:
            return False
    except MusterError:
        pass
    write_atomic(path, data, 0o644)
    return True


def check_code(qr_file: Path | None, *, show: bool) -> None:
    """Before anything is done: whether a QR code that is asked for can be drawn.

    Raises: `command/extra`; wrong use.
    """
    if qr_file is None and not show:
        return
    if qr_file is not None and qr_file.suffix.lower() not in (".png", ".svg"):
        raise click.UsageError("The QR code is written to a file whose name ends in .png or .svg.")
    from muster.system.qr import load

    load(click.get_current_context().command_path.split()[1])


def write_qr(path: Path, data: bytes) -> None:
    """Write a QR code to a .png or .svg file, by its name. Raises: `file/…`."""
    from muster.system import qr
    from muster.system.files import write_atomic

    draw = qr.png if path.suffix.lower() == ".png" else qr.svg
    write_atomic(path, draw(data), 0o644)


def code_lines(content: bytes, qr_file: Path | None, *, show: bool) -> list[str]:
    """Write a QR code where a file is named, draw it where that is asked; what to print of it."""
    lines = []
    if qr_file is not None:
        write_qr(qr_file, content)
        lines.append(f"QR code written: {qr_file}")
    if show:
        from muster.system.qr import terminal

        lines += ["", *terminal(content).splitlines()]
    return lines
