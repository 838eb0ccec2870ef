"""Texts that may be shown: without what steers a terminal, and no longer than a bound.

Decides which characters of a stranger's text are replaced. Refuses to know who said it.
"""

from __future__ import annotations

import re

from muster.core.characters import HIDDEN

_STEERING = re.compile(f"[{HIDDEN}]")
"""What a terminal obeys, what turns the direction of writing, and what nobody sees."""


def clean(text: str) -> str:
    """The text with U+FFFD for each character that steers what it is shown on."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def fit(text: str, limit: int) -> str:
    """The text clean, and cut to `limit` characters where it is longer."""
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
