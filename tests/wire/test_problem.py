"""Problems: the errors that travel (docs/spec/08-http.md)."""

from __future__ import annotations

import json

import pytest

from muster.core.catalogue import CATALOGUE, error
from muster.core.errors import MusterError, Retry
from muster.wire import problem
from muster.wire.peer import Peer


def test_problem_round_trip_keeps_texts_and_numbers() -> None:
    fault = error("host/insufficient-count", count=3, need=25, retry_after=7200)
    code, body = problem.encode_problem(fault, trust=3, catalogue=5)
    read = problem.decode_problem(code, body, "peer")
    assert (read.code, read.what, read.fix) == (fault.code, fault.what, fault.fix)
    assert (read.trust, read.catalogue, read.retry) == (3, 5, Retry.LATER)
    assert read.params == fault.params
    again = read.error()
    assert (again.code, again.what, again.why, again.fix) == (
        fault.code,
        fault.what,
        fault.why,
        fault.fix,
    )


def test_problem_of_a_server_fault_shows_no_parameters() -> None:
    fault = error("wire/unavailable", retry_after=30)
    code, body = problem.encode_problem(fault)
    assert code == 503
    assert "params" not in json.loads(body)


def test_a_title_is_the_phrase_of_its_status_in_every_version_of_python() -> None:
    assert {row.http for row in CATALOGUE.values()} == set(problem.PHRASES)
    _, body = problem.encode_problem(error("wire/unavailable", retry_after=30))
    assert json.loads(body)["title"] == "Service Unavailable"
    assert (problem.PHRASES[413], problem.PHRASES[422]) == (
        "Content Too Large",
        "Unprocessable Content",
    )


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (502, b"<html><h1>502 Bad Gateway</h1></html>", "wire/gateway"),
        (503, b"", "wire/gateway"),
        (504, b"{}", "wire/gateway"),
        (302, b"", "wire/redirected"),
        (307, b"<html>Log in</html>", "wire/redirected"),
        (500, b"", "wire/bad-answer"),
        (404, b"<html>nginx</html>", "wire/bad-answer"),
    ],
)
def test_an_answer_that_no_server_gave_says_who_did(status: int, body: bytes, code: str) -> None:
    with pytest.raises(MusterError) as caught:
        problem.decode_problem(status, body, "https://activation.example", Peer.PUBLISHER)
    assert caught.value.code == code
    assert str(status) in caught.value.what
    assert "https://activation.example" in caught.value.what
    assert "<" not in caught.value.what + caught.value.why + caught.value.fix
