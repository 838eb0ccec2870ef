"""Characters by what they do: those that names exclude, and those that are between digits.

Decides which characters nobody sees or a terminal obeys, and which ones people and programs put
between the digits of an ID or the symbols of a product key. The sets are written out as ranges, so
that a reader in another language needs no tables of Unicode.
Obeys docs/spec/01-identities.md, section 1.4.4, and 02-signed-objects.md, section 2.5.
"""

from __future__ import annotations

HIDDEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u115f-\u1160"
    "\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\uf8ff"
    "\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe-\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d159"
    "\U0001d173-\U0001d17a\U0001fffe-\U0001ffff\U0002fffe-\U0002ffff\U0003fffe-\U0003ffff"
    "\U0004fffe-\U0004ffff\U0005fffe-\U0005ffff\U0006fffe-\U0006ffff\U0007fffe-\U0007ffff"
    "\U0008fffe-\U0008ffff\U0009fffe-\U0009ffff\U000afffe-\U000affff\U000bfffe-\U000bffff"
    "\U000cfffe-\U000cffff\U000dfffe-\U0010ffff"
)
"""Ranges for a character class: controls, formats, surrogates, private use, noncharacters, line and
paragraph separators, and whatever else shows nothing (section 2.5)."""

SPACES = " \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
"""Ranges for a character class: spaces, with which no name begins or ends."""

LINE_ENDS = frozenset("\n\x0b\x0c\r\x85\u2028\u2029")
"""What ends a line, for row letters (section 1.9.3)."""

BETWEEN = (
    "\t-\r !-$'-/:-<>-@\\[\\]-`{-~"
    "\x85\xa0\xa6\xab\xad\xaf\xb4\xb7\xbb\u034f\u058a\u05be\u060c\u061b-\u061c\u066b-\u066c\u06d4"
    "\u1680\u1806\u180b-\u180e\u2000-\u206f\u2212\u2500-\u257f\u25a0-\u25ff\u2e3a-\u2e3b"
    "\u3000-\u3003\u3008-\u301f\u30fb\ufe00-\ufe19\ufe30-\ufe6b\ufeff"
    "\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\ufffd"
)
"""Ranges for a character class: what is passed over between digits and symbols (section 1.4.4)."""


def _members(ranges: str) -> frozenset[str]:
    """The characters of a class of the form above, which ends with no dash."""
    members: set[str] = set()
    rest = ranges.replace("\\", "")
    at = 0
    while at < len(rest):
        if rest[at + 1 : at + 2] == "-":
            members.update(map(chr, range(ord(rest[at]), ord(rest[at + 2]) + 1)))
            at += 3
        else:
            members.add(rest[at])
            at += 1
    return frozenset(members)


PASSED_OVER = _members(BETWEEN)
"""Every character that readers of typed and pasted IDs and keys pass over."""


def shown(character: str) -> str:
    """A character for an error message: itself, or its code point where it is not plain ASCII."""
    return character if "!" <= character <= "~" else f"U+{ord(character):04X}"
