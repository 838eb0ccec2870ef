"""Files that are carried by hand: round trips, cuts, and how they are told apart."""

from __future__ import annotations

import pytest

from muster.core.errors import MusterError
from muster.wire import exchange, publisher


def test_files_round_trip_and_are_told_apart() -> None:
    request = exchange.RequestFile("a" * 16, publisher.ConfirmRequest("123456 " * 15))
    reply = exchange.ReplyFile(
        "a" * 16, publisher.ConfirmAnswer("a.b.c", "123456 " * 33, ("t.t.t",), "c.c.c")
    )
    known = exchange.PublisherFile("a" * 16, "t.t.t", ("u.u.u",), "c.c.c", "http://127.0.0.1:1")
    assert exchange.read_request_file(request.encode()) == request
    assert exchange.read_reply_file(reply.encode()) == reply
    assert exchange.read_publisher_file(known.encode()) == known
    with pytest.raises(MusterError, match="it is a muster-reply file"):
        exchange.read_request_file(reply.encode())


def test_the_short_form_of_a_reply_is_told_from_the_whole() -> None:
    short = exchange.ConfirmationFile("a" * 16, "123456 " * 33)
    whole = exchange.ReplyFile(
        "a" * 16, publisher.ConfirmAnswer("a.b.c", "123456 " * 33, ("t.t.t",), "c.c.c")
    )
    assert exchange.read_confirmation_file(short.encode()) == short
    assert exchange.read_reply(short.encode()) == short
    assert exchange.read_reply(whole.encode()) == whole
    request = exchange.RequestFile("a" * 16, publisher.ConfirmRequest("123456 " * 12)).encode()
    with pytest.raises(MusterError, match="it is a muster-request file"):
        exchange.read_reply(request)


def test_files_cut_at_any_byte_are_refused() -> None:
    data = exchange.RequestFile("a" * 16, publisher.ConfirmRequest("123456 " * 15)).encode()
    for length in range(len(data) - 1):
        with pytest.raises(MusterError) as caught:
            exchange.read_request_file(data[:length])
        assert caught.value.code == "wire/not-exchange"
