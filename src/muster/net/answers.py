"""The bytes of an answer: status line and fields, and the problem document of a refusal. Pure.

Decides whether a connection can be kept after an answer. Refuses to know when it is written.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.net.router import RETRY_AFTER_SECONDS
from muster.wire.problem import PHRASES, encode_problem
from muster.wire.routes import PROBLEM

Fields = Iterable[tuple[bytes, bytes]]
"""Names, in lower case, and values."""


def start(status: int, fields: Fields, date: bytes, *, keep: bool) -> tuple[bytes, bool]:
    """Everything before the body of an answer, and whether the connection can be kept after it.

    Args:
        date: as HTTP writes it.
        keep: whether the connection is kept where the answer allows it.
    Raises:
        RuntimeError: a field holds a line feed; that is a defect of the application.
    """
    lines = [b"HTTP/1.1 %d %s" % (status, _phrase(status)), b"date: " + date]
    has_end = status in (204, 304)
    for name, value in fields:
        if name == b"connection":
            keep = keep and value.lower() != b"close"
        else:
            has_end = has_end or name == b"content-length"
            lines.append(name + b": " + value)
    keep = keep and has_end
    if not keep:
        lines.append(b"connection: close")
    text = b"\r\n".join(lines) + b"\r\n\r\n"
    if text.count(b"\n") != len(lines) + 1:
        raise RuntimeError("a field of an answer holds a line feed")
    return text, keep


def refused(refusal: MusterError, date: bytes) -> bytes:
    """The whole answer to what is no request, or none that the application answers."""
    status, body = _encoded(refusal.code, tuple(refusal.params.items()))
    fields = [
        (b"content-type", PROBLEM.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status == 503:
        fields.append((b"retry-after", b"%d" % RETRY_AFTER_SECONDS))
    text, _ = start(status, fields, date, keep=False)
    return text + body


def busy() -> MusterError:
    """What is told where nobody more is let in."""
    return error("wire/unavailable", retry_after=RETRY_AFTER_SECONDS)


@functools.lru_cache(maxsize=64)
def _encoded(code: str, params: tuple[tuple[str, Any], ...]) -> tuple[int, bytes]:
    return encode_problem(error(code, **dict(params)))


def _phrase(status: int) -> bytes:
    if status in PHRASES:
        return PHRASES[status].encode()
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
