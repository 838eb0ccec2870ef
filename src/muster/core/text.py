"""Texts that may be shown: without what steers a terminal, and no longer than a bound.

Decides which characters of a stranger's text are replaced. Refuses to know who said it.
"""

from __future__ import annotations

import re

from muster.core import grammar


def clean(text: str) -> str:
    """The text with U+FFFD for each character that steers what it is shown on."""
    return grammar.HIDDEN_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", text)


def fit(text: str, limit: int) -> str:
    """The text clean, and cut to `limit` characters where it is longer."""
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown_url(url: str, limit: int = 200) -> str:
    """An address without its secrets: no user, password, query or fragment.

    Everything before the last "@" goes, wherever it is [a password that holds a slash unescaped
    would otherwise stay], and so it does where there is no scheme. Not for use as an address.
    """
    found = grammar.URL_SCHEME.match(url)
    scheme = found[0] if found else ""
    rest = url[len(scheme) :]
    _, mark, after = rest.rpartition("@")
    where = re.split(r"[?#]", after, maxsplit=1)
    more = "?…" if len(where) > 1 else ""
    return fit(f"{scheme}{'…@' if mark else ''}{where[0]}{more}", limit)
