"""The catalogue file: TOML that an engineer writes, read into `Content`.

Decides whether a file is a catalogue file and names the first place that is not right. Refuses to
know what was published before: that is `muster.publisher.rules`. The form is described in
docs/publisher.md; the meaning of the members in docs/spec/03-trust-and-catalogue.md.

Pure: bytes in, `Draft` out. A member that nobody reads is refused: it is a spelling mistake.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from importlib import resources
from typing import Any, NoReturn

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.identity import IDENTITY_MODES
from muster.core.products import Application, Conversion, KeyGroup, Periods, Product
from muster.core.text import parse_span
from muster.lease.catalogue import CHANNELS, MAX_COVERS, MAX_SPAN, RULES, TERMS
from muster.publisher.model import Content, Draft

FILE_LIMIT = 4 * 1024 * 1024
"""Bytes of a catalogue file."""
SAMPLE_FILE = "contoso.toml"
DEFAULT_IDENTITY = ("machine", "device", "node")
"""Identity modes of a product that names none: all but `explicit`, which has no clone detection."""

_DEFAULT_SPANS = Periods()


def sample() -> bytes:
    """The shipped sample: publisher Contoso."""
    return resources.files("muster.publisher.sample").joinpath(SAMPLE_FILE).read_bytes()


def parse_catalogue_file(data: bytes) -> Draft:
    """Read a catalogue file.

    Args:
        data: TOML in UTF-8, at most `FILE_LIMIT` bytes.
    Returns:
        The content in the file's order; each group covers itself; products have no setup key yet.
    Raises:
        MusterError `publisher/catalogue-file`, naming the place and what is wrong with it.
    """
    if len(data) > FILE_LIMIT:
        _refuse("the file", f"longer than {FILE_LIMIT} bytes")
    try:
        value = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        _refuse("the file", "not UTF-8")
    except (ValueError, RecursionError) as fault:
        # Not only what is no TOML: a number of thousands of digits is a ValueError of its own.
        _refuse("the file", f"not TOML: {' '.join(str(fault).split())[:200]}")
    top = _Table(value, "")
    top.only("publisher", "applications", "groups", "products", "conversions")
    label = name = None
    if top.has("publisher"):
        publisher = top.table("publisher")
        publisher.only("label", "name")
        label = publisher.text("label", grammar.LABEL) if publisher.has("label") else None
        name = publisher.text("name", grammar.DISPLAY_NAME) if publisher.has("name") else None
    return Draft(
        content=Content(
            groups=tuple(_group(item) for item in top.tables("groups")),
            applications=tuple(_application(item) for item in top.tables("applications")),
            products=tuple(_product(item) for item in top.tables("products")),
            conversions=tuple(_conversion(item) for item in top.tables("conversions")),
        ),
        label=label,
        name=name,
    )


def _refuse(where: str, detail: str) -> NoReturn:
    raise error("publisher/catalogue-file", where=where, detail=detail)


def _is_plain(name: str) -> bool:
    """Whether the name of a member may be repeated in an error."""
    return 1 <= len(name) <= 40 and name.isascii() and name.isprintable()


class _Table:
    """One TOML table with typed accessors; `where` names it in errors."""

    def __init__(self, value: Mapping[str, Any], where: str) -> None:
        self._value = value
        self._where = where

    def _location(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def refuse(self, name: str, detail: str) -> NoReturn:
        _refuse(self._location(name), detail)

    def only(self, *known: str) -> None:
        for name in self._value:
            if name not in known:
                shown = name if _is_plain(name) else "a member"
                self.refuse(shown, f"unknown; known here: {', '.join(known)}")

    def has(self, name: str) -> bool:
        return name in self._value

    def _member(self, name: str) -> Any:
        if name not in self._value:
            self.refuse(name, "missing")
        return self._value[name]

    def text(self, name: str, grammar: re.Pattern[str], default: str | None = None) -> str:
        if default is not None and name not in self._value:
            return default
        value = self._member(name)
        if not isinstance(value, str) or not grammar.fullmatch(value):
            self.refuse(name, "not a text of the form that it must have")
        return value

    def choice(self, name: str, among: Collection[str], default: str | None = None) -> str:
        if default is not None and name not in self._value:
            return default
        value = self._member(name)
        if not isinstance(value, str) or value not in among:
            self.refuse(name, f"not one of {', '.join(among)}")
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        value = self._member(name)
        if type(value) is not int or not low <= value <= high:
            self.refuse(name, f"not a whole number from {low} to {high}")
        return value

    def span(self, name: str, default: int | None = None, low: int = 1) -> int:
        if default is not None and name not in self._value:
            return default
        value = self._member(name)
        seconds = parse_span(value) if isinstance(value, str) else None
        if seconds is None or not low <= seconds <= MAX_SPAN:
            self.refuse(name, 'not a span such as "120m" or "7d"')
        return seconds

    def texts(
        self, name: str, grammar: re.Pattern[str], most: int, default: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        if name not in self._value:
            return default
        value = self._value[name]
        if (
            not isinstance(value, list)
            or len(value) > most
            or not all(isinstance(item, str) and grammar.fullmatch(item) for item in value)
        ):
            self.refuse(name, f"not a list of at most {most} texts of the form that they must have")
        if len(set(value)) != len(value):
            self.refuse(name, "an item that appears twice")
        return tuple(value)

    def table(self, name: str) -> _Table:
        value = self._member(name)
        if not isinstance(value, dict):
            self.refuse(name, "not a table")
        return _Table(value, self._location(name))

    def tables(self, name: str) -> list[_Table]:
        value = self._value.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.refuse(name, f"not a list of tables; write [[{name}]]")
        listed = []
        for index, item in enumerate(value, 1):
            given = item.get("id")
            known = isinstance(given, str) and grammar.NAME.fullmatch(given)
            listed.append(_Table(item, f"{name}[{given if known else index}]"))
        return listed


def _application(item: _Table) -> Application:
    item.only("id", "name")
    return Application(
        id=item.text("id", grammar.NAME), name=item.text("name", grammar.DISPLAY_NAME)
    )


def _group(item: _Table) -> KeyGroup:
    item.only("number", "id", "covers", "max_lease", "terms")
    own = item.text("id", grammar.NAME)
    covers = {own, *item.texts("covers", grammar.NAME, MAX_COVERS)}
    if len(covers) > MAX_COVERS:
        item.refuse("covers", f"more than {MAX_COVERS} groups, its own included")
    return KeyGroup(
        number=item.integer("number", 0, 1023),
        id=own,
        covers=tuple(sorted(covers)),
        max_lease=item.span("max_lease", _DEFAULT_SPANS.lease),
        terms=item.choice("terms", TERMS, "none"),
    )


def _spans(item: _Table) -> Periods:
    if not item.has("spans"):
        return _DEFAULT_SPANS
    spans = item.table("spans")
    spans.only("lease", "renew_after", "retry_after", "initial_grace", "tolerance_grace")
    return Periods(
        lease=spans.span("lease", _DEFAULT_SPANS.lease),
        renew_after=spans.span("renew_after", _DEFAULT_SPANS.renew_after),
        retry_after=spans.span("retry_after", _DEFAULT_SPANS.retry_after),
        initial_grace=spans.span("initial_grace", _DEFAULT_SPANS.initial_grace, low=0),
        tolerance_grace=spans.span("tolerance_grace", _DEFAULT_SPANS.tolerance_grace, low=0),
    )


def _product(item: _Table) -> Product:
    item.only(
        "id", "application", "group", "need", "name", "edition", "channel", "spans", "identity",
        "features",
    )  # fmt: skip
    modes = item.texts("identity", grammar.NAME, len(IDENTITY_MODES), DEFAULT_IDENTITY)
    if not modes or not set(modes) <= set(IDENTITY_MODES):
        item.refuse("identity", f"not some of {', '.join(IDENTITY_MODES)}")
    return Product(
        id=item.text("id", grammar.NAME),
        application=item.text("application", grammar.NAME),
        group=item.text("group", grammar.NAME),
        need=item.integer("need", 1, MAX_SPAN),
        name=item.text("name", grammar.DISPLAY_NAME),
        edition=item.text("edition", grammar.DISPLAY_NAME_OR_EMPTY, ""),
        channel=item.choice("channel", CHANNELS, "volume"),
        spans=_spans(item),
        identity=modes,
        features=item.texts("features", grammar.NAME, 256),
        setup_key="",
    )


def _conversion(item: _Table) -> Conversion:
    item.only("source", "target", "rule", "way")
    return Conversion(
        source=item.text("source", grammar.NAME),
        target=item.text("target", grammar.NAME),
        rule=item.choice("rule", RULES),
        way=item.text("way", grammar.DISPLAY_NAME_OR_EMPTY, ""),
    )
