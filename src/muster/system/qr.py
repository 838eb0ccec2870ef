"""QR codes (ISO/IEC 18004) of the files that people carry: PNG, SVG, terminal text.

Decides how a code looks: error correction M, which survives a smudge and keeps the code small; the
quiet zone that scanners need. Refuses to know what the bytes mean. Drawn by segno, which is
imported when the first code is drawn. Content: docs/spec/08-http.md, section 8.6.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from muster.core.catalogue import error
from muster.core.extras import brought_by

if TYPE_CHECKING:
    import segno

MOST_BYTES = 1200
"""More than this makes a code that a telephone's camera hardly reads from a screen."""


def load(extra: str) -> None:
    """Import what draws codes.

    Args:
        extra: what brings it, by the role that draws.
    Raises: `command/extra` where it is not installed.
    """
    with brought_by(extra, "A QR code"):
        import segno  # noqa: F401


def _code(data: bytes) -> segno.QRCode:
    import segno

    data = data.rstrip(b"\n")
    if len(data) > MOST_BYTES:
        raise error("file/too-large", path="the QR code", limit=MOST_BYTES)
    # By itself segno takes pairs of bytes from 0x81 on for Japanese, and some do not come back.
    mode = None if data.isascii() else "byte"
    return segno.make_qr(data, error="m", boost_error=False, mode=mode)


def png(data: bytes) -> bytes:
    """The code as a PNG, 6 pixels a module. Raises: `file/too-large`."""
    out = io.BytesIO()
    _code(data).save(out, kind="png", scale=6)
    return out.getvalue()


def svg(data: bytes) -> bytes:
    """The code as an SVG document. Raises: `file/too-large`."""
    out = io.BytesIO()
    _code(data).save(out, kind="svg", scale=6)
    return out.getvalue()


def terminal(data: bytes) -> str:
    """The code in block characters, two modules a character. Raises: `file/too-large`."""
    out = io.StringIO()
    _code(data).terminal(out, compact=True)
    return out.getvalue()
