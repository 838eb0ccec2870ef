"""The standard streams of the command, whatever they were when it was started.

Decides what becomes of a stream that is closed, full, left by its reader or of another encoding.
Refuses to know what is written.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from muster.core.catalogue import error
from muster.core.errors import MusterError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def prepare() -> None:
    """Make the standard streams fit for use, before anything is opened or printed.

    - A closed one leads to nowhere [the next file that is opened, such as a database, would take
      its number, and what other code writes there would go into it].
    - A character that the encoding of the output lacks is written as its escape.
    - A write to the output that fails ends in `file/output`, never in a traceback; one to the
      standard error is given up.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # It takes the lowest free number: this one.
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # for the process
    sys.stdout = _text(_Output(1, "wb", closefd=False), sys.stdout)
    sys.stderr = _text(_Errors(2, "wb", closefd=False), sys.stderr, lines=True)


def _text(raw: io.FileIO, old: TextIO | None, *, lines: bool = False) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(old, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=lines or raw.isatty(),
    )


def leave() -> None:
    """Let what is still buffered for the output go nowhere, so that the end of the process, which
    would write it, says nothing of it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def is_left(fault: MusterError) -> bool:
    """Whether the reader of the output has gone, as 'head' does: nobody wants to hear of it."""
    cause = fault.__cause__
    return isinstance(cause, OSError) and cause.errno == errno.EPIPE


class _Output(io.FileIO):
    """The standard output; a write that fails raises `file/output`."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some bytes; how many. Raises: `file/output`."""
        try:
            return super().write(data)
        except OSError as fault:
            gone = fault.errno == errno.EPIPE
            detail = (
                "its reader has closed it" if gone else fault.strerror or "it cannot be written"
            )
            raise error("file/output", detail=detail) from fault


class _Errors(io.FileIO):
    """The standard error; what cannot be written there nobody can be told."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some bytes; how many were taken."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes
