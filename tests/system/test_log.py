"""Log lines: one a record, without product keys wherever they stand."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from muster.core.catalogue import error
from muster.core.keys import Kind, make_product_key
from muster.system import log

KEY = make_product_key(b"k" * 32, Kind.MAK, 1234, 7, 99).text
BARE = KEY.replace("-", "")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """The log of this process, caught."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield io.StringIO()
    for one in list(root.handlers):
        if one not in handlers:
            root.removeHandler(one)
    root.setLevel(level)


def emit() -> None:
    logger = logging.getLogger("muster.test")
    logger.info("installed %s for\n%s", KEY, BARE, extra={"key": KEY, "count": 3, "list": [BARE]})
    try:
        raise ValueError(f"no such key {KEY}")
    except ValueError:
        logger.exception("failed")
    try:
        raise error("file/missing", path="/x/" + KEY)
    except Exception:
        logger.warning("refused", exc_info=True)
    logger.debug("too quiet to be heard")


@pytest.mark.parametrize("form", ["text", "json"])
def test_keys_are_masked_everywhere(stream: io.StringIO, form: str) -> None:
    log.configure(form, "info", stream)
    emit()
    text = stream.getvalue()
    assert KEY not in text
    assert BARE not in text
    assert text.count(KEY[-5:]) >= 6
    assert "too quiet" not in text


def test_json_lines(stream: io.StringIO) -> None:
    log.configure("json", "debug", stream)
    emit()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["level"] for one in lines] == ["info", "error", "warning", "debug"]
    assert lines[0]["count"] == 3
    assert lines[0]["logger"] == "muster.test"
    assert "ValueError" in lines[1]["cause"]
    assert lines[2]["cause"].startswith("file/missing: ")
    assert all(one["time"].endswith("Z") for one in lines)


def test_text_lines_cannot_be_forged(stream: io.StringIO) -> None:
    log.configure("text", "info", stream)
    logging.getLogger("muster.test").info(
        "hello %s", "x\n2026-01-01T00:00:00.000Z error root: forged", extra={"name_of": "a b\nc"}
    )
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert "\\n2026" in lines[0]
    assert 'name_of="a b\\nc"' in lines[0]


def test_a_second_call_replaces_the_first(stream: io.StringIO) -> None:
    log.configure("text", "info", stream)
    other = io.StringIO()
    log.configure("json", "warning", other)
    logging.getLogger("muster.test").info("quiet")
    logging.getLogger("muster.test").warning("loud")
    assert stream.getvalue() == ""
    assert json.loads(other.getvalue())["message"] == "loud"


def test_warnings_that_are_alike_are_bounded(stream: io.StringIO) -> None:
    """A fault that anybody can cause, with its traceback, 5,000 times: the log keeps its rest."""
    log.configure("text", "info", stream)
    handler = log.BoundedHandler(stream, monotonic := Seconds())
    handler.setFormatter(log.TextFormatter())
    logger = logging.getLogger("muster.test.alike")
    logger.addHandler(handler)
    logger.propagate = False

    def fault(number: int) -> None:
        try:
            raise OSError(24, "Too many open files")
        except OSError:
            logger.exception("connection %d was not accepted", number)

    try:
        for number in range(5000):
            fault(number)
        logger.error("something else")
        assert stream.getvalue().count("Traceback") == log.ALIKE.at_once
        assert "something else" in stream.getvalue()
        # What is no warning is nobody's to flood here: it is bounded where it is made.
        for _ in range(100):
            logger.info("ordinary")
        assert stream.getvalue().count("ordinary") == 100
        monotonic.now += 60
        fault(5000)
        assert f"{5000 - log.ALIKE.at_once} more lines like the next one were left out" in (
            stream.getvalue()
        )
        assert "connection 5000 was not accepted" in stream.getvalue()
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


class Seconds:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
