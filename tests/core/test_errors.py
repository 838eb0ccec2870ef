"""Errors: their kinds, exit codes and texts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from muster.core.catalogue import CATALOGUE, error, table
from muster.core.errors import Kind, MusterError

SOURCE = Path(__file__).parents[2] / "src" / "muster"
CODE = re.compile(r"[a-z]+(-[a-z]+)*/[a-z0-9]+(-[a-z0-9]+)*")


def test_a_missing_parameter_is_a_bug_at_once() -> None:
    with pytest.raises(TypeError, match="count"):
        error("key/length")
    with pytest.raises(KeyError):
        error("no/such-code")


def test_a_kind_is_the_exit_code_of_a_command() -> None:
    assert {one.name: one.value for one in Kind} == {"REFUSAL": 1, "USAGE": 2, "FAULT": 3}


def test_a_code_stands_once() -> None:
    row = CATALOGUE["key/length"]
    with pytest.raises(ValueError, match="key/length"):
        table(((row,), (row,)))


def test_an_error_reads_as_code_and_sentence() -> None:
    caught = error("key/length", count=24)
    assert isinstance(caught, MusterError)
    assert str(caught) == "key/length: The product key has 24 symbols; a key has 25."
