"""Log lines of a process: text for people or JSON for collectors, without product keys.

Decides the form of a line. It refuses to know what is worth a line. Everything that looks like a
product key is masked to its last group, also inside tracebacks and extra members: a key in a log
is a key in every backup of the log. Warnings that are alike are bounded: nobody fills a log.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TextIO

from muster.core.errors import MusterError
from muster.core.keys import mask_keys
from muster.core.text import rfc3339
from muster.core.trickle import Pace, Trickle

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
ALIKE = Pace(20, 20)
"""Warnings of one place."""
_PLACES = 256
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Members that every record has; all others came by `extra` and are part of the line."""


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _OWN}


def _when(record: logging.LogRecord) -> str:
    return rfc3339(int(record.created), int(record.msecs))


def _cause(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    known = record.exc_info[1]
    if isinstance(known, MusterError):
        return f"{known.code}: {known.what}"
    return formatter.formatException(record.exc_info)


class TextFormatter(logging.Formatter):
    """`time level logger: message name=value …`, one line; a traceback follows on its own lines."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        message = _one_line(mask_keys(record.getMessage()))
        members = "".join(f" {name}={_value(value)}" for name, value in _extra(record).items())
        line = f"{_when(record)} {record.levelname.lower()} {record.name}: {message}{members}"
        cause = mask_keys(_cause(self, record))
        return f"{line}\n{cause}" if cause else line


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, cause, and the extra members."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        members: dict[str, object] = {
            "time": _when(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": mask_keys(record.getMessage()),
        }
        cause = _cause(self, record)
        if cause:
            members["cause"] = mask_keys(cause)
        for name, value in _extra(record).items():
            members.setdefault(name, _plain(value))
        return json.dumps(members, ensure_ascii=True, separators=(",", ":"))


class BoundedHandler(logging.StreamHandler[TextIO]):
    """Writes lines; of warnings and worse that are alike a bounded number.

    What anybody can cause is often an error below (a file too many, a request that cannot be read):
    thousands of the same line, some with a traceback, would push out what matters. Lines are alike
    when they come from one place; the others of a minute are told by one line.
    """

    def __init__(self, stream: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._monotonic = monotonic
        self._alike: OrderedDict[tuple[str, str], Trickle] = OrderedDict()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it among those that are left out."""
        if record.levelno < logging.WARNING:
            super().emit(record)
            return
        key = (record.name, f"{record.pathname}:{record.lineno}")
        trickle = self._alike.get(key)
        if trickle is None:
            trickle = self._alike[key] = Trickle(ALIKE, ALIKE)
            if len(self._alike) > _PLACES:
                self._alike.popitem(last=False)
        now = self._monotonic()
        written = trickle.take("", now)
        held = trickle.held(now)
        if held is not None:
            super().emit(_left_out(record, held.number))
        if written:
            super().emit(record)


def _left_out(record: logging.LogRecord, number: int) -> logging.LogRecord:
    log_record = logging.LogRecord(
        record.name,
        record.levelno,
        record.pathname,
        record.lineno,
        "%d more lines like the next one were left out",
        (number,),
        None,
    )
    log_record.created, log_record.msecs = record.created, record.msecs
    return log_record


def configure(form: str = "text", level: str = "info", stream: TextIO | None = None) -> None:
    """Send the log of this process to one stream, standard error by default.

    Args:
        form: `text` or `json`.
        level: `debug`, `info`, `warning` or `error`.
        stream: where lines go.
    A second call replaces the first.
    """
    handler = BoundedHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JSONFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if getattr(handler, "_of_muster", False)]:
        root.removeHandler(old)
    handler._of_muster = True  # type: ignore[attr-defined]  # marks it for the next call
    root.addHandler(handler)
    root.setLevel(LEVELS[level])


def _one_line(text: str) -> str:
    """Control characters as escapes [a value from outside must not forge a line]."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def _value(value: object) -> str:
    # Masked before anything is escaped: a key is known by what surrounds it.
    text = mask_keys(str(value))
    if text and all(character.isprintable() and character not in ' "=' for character in text):
        return text
    return json.dumps(text)


def _plain(value: object) -> object:
    """A value as JSON, with keys masked wherever they stand."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {mask_keys(str(name)): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return mask_keys(str(value))
