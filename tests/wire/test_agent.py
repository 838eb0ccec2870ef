"""The routes of the agent's sockets are those of the specification."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from muster.core.errors import MusterError
from muster.wire import agent as wire

PUBLISHER = "abcdefghij234567"
CHAPTER = Path(__file__).parents[2] / "docs/spec/14-agent.md"


def test_the_chapter_lists_every_route() -> None:
    listed = re.findall(r"^\| `([A-Z]+) (/v1/[^`]*)` \|", CHAPTER.read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted((route.method, route.path) for route in wire.ROUTES)


def test_bounds_are_those_of_the_chapter() -> None:
    text = CHAPTER.read_text("utf-8")
    assert f"| head, body of a request | 16 KiB, {wire.BODY_LIMIT // 1024} KiB |" in text
    assert f"| answer | {wire.ANSWER_LIMIT // 1024 // 1024} MiB |" in text
    assert f"| `wait` | {wire.WAIT_SECONDS} s |" in text


def test_every_route_is_found_by_its_path() -> None:
    for route in wire.ROUTES:
        path = route.path.format(publisher=PUBLISHER, product="desktop-7")
        asked = wire.match(route.method, path.encode())
        assert asked.route is route
        assert dict(asked.params).keys() <= {"publisher", "product"}


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", b"/", "wire/not-found"),
        ("GET", b"/v2/status", "wire/not-found"),
        ("GET", b"/v1/status/", "wire/not-found"),
        ("GET", b"/v1/products/ABCDEFGHIJ234567/x", "wire/not-found"),
        ("GET", b"/v1/products/abcdefghij234567/%2e", "wire/not-found"),
        ("GET", b"/v1/st\xffatus", "wire/not-found"),
        ("PATCH", b"/v1/status", "wire/method"),
    ],
)
def test_what_is_none_is_refused(method: str, path: bytes, code: str) -> None:
    with pytest.raises(MusterError) as caught:
        wire.match(method, path)
    assert caught.value.code == code


def test_questions_and_changes_are_apart() -> None:
    assert not set(wire.QUESTIONS) & set(wire.CHANGES)
    assert wire.ACTIVATE not in wire.CHANGES
