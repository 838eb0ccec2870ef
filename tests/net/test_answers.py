"""The bytes of an answer, and when a connection can be kept after it."""

from __future__ import annotations

import pytest

from muster.core.catalogue import error
from muster.net import answers

DATE = b"Fri, 27 Nov 2026 07:00:00 GMT"
LENGTH = (b"content-length", b"2")


@pytest.mark.parametrize(
    ("status", "fields", "keep", "kept"),
    [
        (200, [LENGTH], True, True),
        (200, [LENGTH], False, False),
        (200, [LENGTH, (b"connection", b"Close")], True, False),
        (200, [LENGTH, (b"connection", b"keep-alive")], True, True),
        (200, [], True, False),  # nothing says where its body ends
        (204, [], True, True),
        (304, [], True, True),
    ],
)
def test_a_connection_is_kept_where_the_end_of_the_answer_is_known(
    status: int, fields: list[tuple[bytes, bytes]], keep: bool, kept: bool
) -> None:
    text, found = answers.start(status, fields, DATE, keep=keep)
    assert found is kept
    assert text.endswith(b"\r\n\r\n")
    assert (b"connection: close" in text) is not kept
    assert b"date: " + DATE in text.split(b"\r\n")


def test_a_status_without_a_phrase_is_sent() -> None:
    assert answers.start(299, [LENGTH], DATE, keep=True)[0].startswith(b"HTTP/1.1 299 \r\n")


def test_a_field_cannot_begin_another_line() -> None:
    with pytest.raises(RuntimeError):
        answers.start(200, [(b"x-name", b"a\r\nset-cookie: b")], DATE, keep=True)


@pytest.mark.parametrize(
    ("refusal", "status", "waits"),
    [(answers.busy(), b"503", True), (error("wire/slow", seconds="10"), b"408", False)],
)
def test_a_refusal_is_a_problem_and_ends_the_connection(
    refusal: Exception, status: bytes, waits: bool
) -> None:
    text = answers.refused(refusal, DATE)  # type: ignore[arg-type]  # of the catalogue
    head, _, body = text.partition(b"\r\n\r\n")
    assert head.split()[1] == status
    assert b"connection: close" in head
    assert b"content-length: %d" % len(body) in head
    assert (b"retry-after: " in head) is waits
