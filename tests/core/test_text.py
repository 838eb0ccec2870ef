"""How time is written and read, and that nobody else writes it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core import text
from muster.core.products import DAY

SOURCE = Path(__file__).parents[2] / "src" / "muster"
FIRST, YEAR_10000 = -62_135_596_800, 253_402_300_800
NOON = 1_795_608_000
CALENDARS = {
    "client/facade.py": "tells applications of a datetime, in a type",
    "core/text.py": "this module",
    "net/http/exchange.py": "reads the Date of HTTP (RFC 9110)",
    "testing/authority.py": "makes certificates, whose library takes datetimes",
}
"""Modules that know a calendar, and why."""


def test_a_text_fits() -> None:
    assert text.fit("abcd", 4) == "abcd"
    assert text.fit("abcde", 4) == "abc…"
    assert text.fit("a\x07\u202ee", 4) == "a\ufffd\ufffde"
    assert text.fit("\x07" * 5, 4) == "\ufffd\ufffd\ufffd…"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/a", "https://example.com/a"),
        ("https://user:secret@example.com/a", "https://…@example.com/a"),
        ("https://user:se/cr@et@example.com", "https://…@example.com"),
        ("user:secret@example.com", "…@example.com"),
        ("https://example.com/a?key=secret", "https://example.com/a?…"),
        ("https://example.com/a#secret", "https://example.com/a?…"),
        ("https://example.com/a?b#c?d", "https://example.com/a?…"),
        ("https://u:p@example.com?k=v", "https://…@example.com?…"),
        ("example.com", "example.com"),
        ("", ""),
        ("https://" + "a" * 192, "https://" + "a" * 192),
        ("https://" + "a" * 193, "https://" + "a" * 191 + "…"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert text.shown_url(url) == shown


@pytest.mark.parametrize(
    ("instant", "told"),
    [
        (FIRST, "0001-01-01 00:00:00 UTC"),
        (-1, "1969-12-31 23:59:59 UTC"),
        (0, "1970-01-01 00:00:00 UTC"),
        (NOON, "2026-11-25 12:00:00 UTC"),
        (YEAR_10000 - 1, "9999-12-31 23:59:59 UTC"),
        (FIRST - 1, "second -62135596801"),
        (YEAR_10000, "second 253402300800"),
        (2**80, f"second {2**80}"),
    ],
)
def test_an_instant(instant: int, told: str) -> None:
    assert text.instant_text(instant) == told
    within = told.endswith(" UTC")
    assert text.day_text(instant) == (told[:10] if within else told)
    wanted = told.replace(" ", "T", 1).replace(" UTC", ".007Z") if within else told
    assert text.rfc3339(instant, 7) == wanted
    found = text.as_datetime(instant)
    assert (found is not None) == within
    assert found is None or found.timestamp() == instant


@given(st.integers())
def test_any_integer_has_a_text(number: int) -> None:
    for write in (text.instant_text, text.day_text, text.span_text, text.exact_span_text):
        assert write(number)
    assert text.as_datetime(number) is None or FIRST <= number < YEAR_10000


@given(st.integers(0, YEAR_10000 - 1))
def test_an_instant_that_was_written_is_read(instant: int) -> None:
    assert text.parse_instant(text.rfc3339(instant, 0)) == instant
    assert text.parse_instant(str(instant)) == instant


@pytest.mark.parametrize(
    ("typed", "instant"),
    [
        ("2026-11-25", NOON - 12 * 3600),
        ("2026-11-25T12:00:00", NOON),
        ("2026-11-25 13:00+01:00", NOON),
        ("0001-01-01T00:00:00+23:59", 0),
        ("9999-12-31T23:59:59-23:59", YEAR_10000 - 1 + 86_340),
        ("1969-12-31", 0),
        ("999999999999999", 999_999_999_999_999),
        ("1000000000000000", None),
        ("10000-01-01", None),
        ("-1", None),
        ("٣", None),
        ("noon", None),
        ("", None),
    ],
)
def test_an_instant_that_somebody_types(typed: str, instant: int | None) -> None:
    assert text.parse_instant(typed) == instant


@pytest.mark.parametrize(
    ("seconds", "about", "exactly"),
    [
        (0, "0 seconds", "0 seconds"),
        (1, "1 second", "1 second"),
        (59, "59 seconds", "59 seconds"),
        (60, "1 minute", "1 minute"),
        (90, "1 minute", "90 seconds"),
        (7200, "2 hours", "2 hours"),
        (80 * 3600, "3 days", "80 hours"),
        (DAY, "1 day", "1 day"),
        (180 * DAY, "180 days", "180 days"),
    ],
)
def test_a_span(seconds: int, about: str, exactly: str) -> None:
    assert text.span_text(seconds) == about
    assert text.exact_span_text(seconds) == exactly


@given(st.integers(0, 10**9), st.sampled_from("smhd"))
def test_a_span_that_somebody_types(count: int, unit: str) -> None:
    size = {"s": 1, "m": 60, "h": 3600, "d": DAY}[unit]
    assert text.parse_span(f"{count}{unit}") == count * size
    for wrong in (f"{count}", f"-{count}{unit}", f"0{count}{unit}", f"{count} {unit}", f"{count}w"):
        assert text.parse_span(wrong) is None


def test_nobody_else_knows_a_calendar() -> None:
    known = {"strftime", "gmtime", "fromtimestamp", "utcfromtimestamp", "fromisoformat"}
    found = set()
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Attribute) and node.attr in known
            imported = (isinstance(node, ast.ImportFrom) and node.module == "datetime") or (
                isinstance(node, ast.Import) and any(one.name == "datetime" for one in node.names)
            )
            if named or imported:
                found.add(path.relative_to(SOURCE).as_posix())
    assert found == CALENDARS.keys()
