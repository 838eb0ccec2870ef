"""Texts for people: a stranger's words made safe, and instants, days and spans.

Decides which characters of a stranger's text are replaced, and how time is written and read.
Refuses to know who said it, and what time it is. An instant is Unix seconds (UTC, whole); any
integer has a text, so that no date in a file or an answer stops a program.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from muster.core import grammar

if TYPE_CHECKING:
    from datetime import datetime

# Words of strangers.


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
    match = grammar.URL_SCHEME.match(url)
    scheme = match[0] if match else ""
    rest = url[len(scheme) :]
    _, mark, after = rest.rpartition("@")
    where = re.split(r"[?#]", after, maxsplit=1)
    more = "?…" if len(where) > 1 else ""
    return fit(f"{scheme}{'…@' if mark else ''}{where[0]}{more}", limit)


# Time.

CALENDAR = range(-62_135_596_800, 253_402_300_800)
"""The instants that have a date: years 1 to 9999, in Unix seconds."""
_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_UNIT_NAMES = {"d": "day", "h": "hour", "m": "minute", "s": "second"}


def as_datetime(instant: int) -> datetime | None:
    """An instant as an aware datetime in UTC; None where no calendar has it."""
    from datetime import UTC, datetime, timedelta

    if instant not in CALENDAR:
        return None
    # Not `fromtimestamp`: Windows refuses instants before 1970.
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant)


def instant_text(instant: int) -> str:
    """An instant: "2026-11-25 09:00:00 UTC"; "second N" where no calendar has it."""
    moment = as_datetime(instant)
    if moment is None:
        return f"second {instant}"
    return f"{moment.replace(tzinfo=None).isoformat(' ')} UTC"


def day_text(instant: int) -> str:
    """The day of an instant in UTC: "2026-11-25"; "second N" where no calendar has it."""
    moment = as_datetime(instant)
    return f"second {instant}" if moment is None else moment.date().isoformat()


def rfc3339(instant: int, milliseconds: int) -> str:
    """An instant for programs (RFC 3339): "2026-11-25T09:00:00.250Z"; as `instant_text` else."""
    moment = as_datetime(instant)
    if moment is None:
        return f"second {instant}"
    return f"{moment.replace(tzinfo=None).isoformat()}.{milliseconds:03d}Z"


def parse_instant(text: str) -> int | None:
    """Unix seconds as digits, or a time as in ISO 8601 (UTC where it names no zone).

    Returns:
        An instant from 0 on, 0 for an earlier one; None where the text is neither.
    """
    from datetime import UTC, datetime

    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, int(moment.timestamp()))


def span_text(seconds: int) -> str:
    """A span by its largest unit, rounded down: "3 days" for 80 hours."""
    unit = next((unit for unit, size in _UNITS.items() if seconds >= size), "s")
    return _counted(seconds // _UNITS[unit], unit)


def exact_span_text(seconds: int) -> str:
    """A span by the largest unit that divides it: "80 hours", "180 days", "90 seconds"."""
    unit = next((unit for unit, size in _UNITS.items() if seconds and seconds % size == 0), "s")
    return _counted(seconds // _UNITS[unit], unit)


def parse_span(text: str) -> int | None:
    """Seconds of a span such as "120m" or "7d"; None where the text is not one."""
    match = grammar.SPAN.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else None


def _counted(number: int, unit: str) -> str:
    return f"{number} {_UNIT_NAMES[unit]}{'' if number == 1 else 's'}"
