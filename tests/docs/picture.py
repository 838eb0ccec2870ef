"""The picture of `muster demo` in the README: what a terminal shows of it, as SVG.

    python tests/docs/picture.py           run the demo, and compare with the picture
    python tests/docs/picture.py --write   put what it showed into the picture

The demo runs at a real pseudo terminal, and the screen is read as a terminal draws it, with the
bars that come and go. The picture has its beginning and its end; what differs from run to run
(`VARYING`) is compared by its place only. It has no colours: the demo prints none that stay.
"""

from __future__ import annotations

import argparse
import difflib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Sequence
from html import escape, unescape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "demo.svg"
COLUMNS, ROWS = 100, 50
WORDS = ("demo", "--small-dns")
VARYING = (
    (re.compile(r"\bid [a-z2-7]{16}\b"), "id <publisher>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"SRV 0 0 \d+"), "SRV 0 0 <port>"),
    (re.compile(r"\d+ seconds"), "<number> seconds"),
)
PAUSE = "   ⋮"
_PIECE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")
_WIDTH, _HEIGHT, _EDGE = 8.4, 18, 16


def screen(shown: str) -> list[str]:
    """The lines that a terminal has drawn. Raises: ValueError for what it does not know."""
    lines: list[list[str]] = [[]]
    row = column = at = 0
    while at < len(shown):
        piece = _PIECE.match(shown, at)
        if piece is None:
            raise ValueError(f"no terminal draws {shown[at : at + 10]!r}")
        at = piece.end()
        match piece[0], piece[2]:
            case "\r", _:
                column = 0
            case "\n", _:
                row += 1
            case _, "m" | "h" | "l":
                pass
            case _, "A":
                row = max(0, row - int(piece[1] or 1))
            case _, "K":
                lines[row] = [] if piece[1] == "2" else lines[row][:column]
            case text, None:
                line = lines[row]
                line += " " * (column - len(line))
                line[column : column + len(text)] = text
                column += len(text)
            case unknown, _:
                raise ValueError(f"a sequence of terminals that is not known: {unknown!r}")
        while len(lines) <= row:
            lines.append([])
    return ["".join(line).rstrip() for line in lines]


def play(folder: Path) -> list[str]:
    """Run the demo at a terminal; the lines that stay. `folder` is for what it writes.

    Raises: RuntimeError when it ends with another exit code than 0.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    env = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
    env |= {"TERM": "xterm-256color", "TMPDIR": str(folder), "LANG": "C.UTF-8"}
    for name in ("COLUMNS", "LINES", "NO_COLOR", "CI"):
        env.pop(name, None)
    child = subprocess.Popen(
        [sys.executable, "-m", "muster", *WORDS],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=env,
        start_new_session=True,
    )
    os.close(theirs)
    shown = bytearray()
    try:
        while piece := _read(ours):
            shown += piece
        code = child.wait()
    finally:
        child.kill()
        child.wait()
        os.close(ours)
    if code != 0:
        raise RuntimeError(f"the demo ended with {code}: {shown.decode(errors='replace')[-2000:]}")
    return screen(shown.decode())


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # nobody holds the other end any more
        return b""


def chosen(lines: Sequence[str]) -> list[str]:
    """The beginning, as far as the count has licensed a fleet, and the table at the end."""
    beginning = lines.index(next(line for line in lines if line.startswith("5. ")))
    (end,) = (number for number, line in enumerate(lines) if "asked   need  refused" in line)
    kept = [*lines[:beginning], PAUSE, "", *lines[end:]]
    while not kept[-1]:
        kept.pop()
    return [f"$ muster {' '.join(WORDS)}", *kept]


def comparable(lines: Sequence[str]) -> list[str]:
    """Lines in which what differs from run to run has a name."""
    found = []
    for line in lines:
        for pattern, name in VARYING:
            line = pattern.sub(name, line)  # noqa: PLW2901
        found.append(line)
    return found


def svg(lines: Sequence[str]) -> str:
    """The picture of lines: a dark screen, readable on a light and on a dark page."""
    width = round(max(map(len, lines)) * _WIDTH + 2 * _EDGE)
    height = len(lines) * _HEIGHT + 2 * _EDGE
    rows = [
        f'<text x="{_EDGE}" y="{_EDGE + 14 + number * _HEIGHT}">{escape(line, quote=False)}</text>'
        for number, line in enumerate(lines)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            f' width="{width}" height="{height}" role="img" aria-labelledby="title"'
            ' xml:space="preserve">',
            '<title id="title">muster demo in a terminal</title>',
            "<style>text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas,"
            " 'DejaVu Sans Mono', monospace; fill: #d6deeb; white-space: pre }</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#10161f"/>',
            *rows,
            "</svg>",
            "",
        ]
    )


def lines_of(picture: str) -> list[str]:
    """The lines that a picture shows."""
    return [unescape(line) for line in re.findall(r"<text [^>]*>(.*?)</text>", picture)]


def differences(picture: str, lines: Sequence[str]) -> list[str]:
    """How a picture differs from what was shown; nothing where it is current."""
    there, now = comparable(lines_of(picture)), comparable(lines)
    return list(difflib.unified_diff(there, now, "the picture", "this run", lineterm=""))


def main() -> int:
    """Run, and compare or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    with tempfile.TemporaryDirectory() as folder:
        lines = chosen(play(Path(folder)))
    if write:
        PICTURE.write_text(svg(lines), "utf-8")
        return 0
    wrong = differences(PICTURE.read_text("utf-8"), lines)
    print("\n".join(wrong) or "The picture is current.")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
