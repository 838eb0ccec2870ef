"""Files that people carry, edit and save again with tools of their own.

Decides which bytes before and behind the text are the tool's and not the file's: a byte order mark,
UTF-16 as Windows Notepad saves it, line ends of Windows. What is read out of them is plain UTF-8
for readers that stay strict, and for whatever is signed (docs/spec/09-files.md, section 9.5).
Refuses to know what a file means.
"""

from __future__ import annotations

import codecs
import os

from muster.core.catalogue import error
from muster.system.files import read_anchor, read_bounded
from muster.system.private import read_private

_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def plain(data: bytes, path: str | os.PathLike[str] = "", limit: int | None = None) -> bytes:
    """The text of a file in UTF-8, without a byte order mark.

    Args:
        data: the bytes of the file.
        path: the file, for errors; "" for bytes that came without one.
        limit: bytes that the text may have.
    Returns:
        The bytes after a mark of UTF-8; the same text in UTF-8 where a mark of UTF-16 is before
        it; else the bytes as they are.
    Raises: `file/encoding` for UTF-32, for UTF-16 without a mark, and where the text behind a mark
        of UTF-16 is none; `file/too-large`.
    """
    text = _decoded(data, os.fspath(path) or "that was given")
    if limit is not None and len(text) > limit:
        raise error("file/too-large", path=os.fspath(path), limit=limit)
    return text


def _decoded(data: bytes, path: str) -> bytes:
    if data.startswith(codecs.BOM_UTF8):
        return data.removeprefix(codecs.BOM_UTF8)
    if data.startswith(_UTF32) and b"\x00" in data[4:8]:
        raise error("file/encoding", path=path, detail="it is in UTF-32")
    for mark, name in _UTF16.items():
        if data.startswith(mark):
            try:
                return data.removeprefix(mark).decode(name).encode("utf-8")
            except UnicodeError:
                detail = "it begins as UTF-16 does and is cut or damaged"
                raise error("file/encoding", path=path, detail=detail) from None
    if len(data) > 1 and (data[0] == 0) != (data[1] == 0):
        detail = "it seems to be in UTF-16, without a byte order mark"
        raise error("file/encoding", path=path, detail=detail)
    return data


def _read_limit(limit: int) -> int:
    """Bytes that a text of `limit` bytes of UTF-8 may have in another encoding, with its mark."""
    return 2 * limit + len(codecs.BOM_UTF8)


def read_text(path: str | os.PathLike[str], limit: int) -> bytes:
    """The text of a plain file; see `plain`. Raises: `file/encoding` and as `read_bounded`."""
    return plain(read_bounded(path, _read_limit(limit)), path, limit)


def read_text_anchor(path: str | os.PathLike[str], limit: int, *, trusted: bool = False) -> bytes:
    """The text of a file that must be an anchor. Raises: `file/encoding` and as `read_anchor`."""
    return plain(read_anchor(path, _read_limit(limit), trusted=trusted), path, limit)


def read_text_private(
    path: str | os.PathLike[str], limit: int, *, owner_of: str | os.PathLike[str] | None = None
) -> bytes:
    """The text of a file that only its owner reads. Raises: `file/encoding`, as `read_private`."""
    return plain(read_private(path, _read_limit(limit), owner_of=owner_of), path, limit)
