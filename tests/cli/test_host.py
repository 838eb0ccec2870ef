"""`muster host …` as a whole: what each command says without a host, and the list of them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from tests.cli.host.conftest import Desk, desk

from muster.core.catalogue import error

__all__ = ["desk"]


pytestmark = pytest.mark.real


def test_without_init_every_command_says_what_to_do(desk: Desk) -> None:
    for words in (
        ("status",),
        ("clients",),
        ("log",),
        ("set",),
        ("serve",),
        ("activate",),
        ("publish-dns",),
        ("catalogue", "fetch"),
        ("install-key", desk.publisher.host_key("server").text),
    ):
        assert desk.error(*words, code=2) == "host/not-initialised"
    assert not (desk.folder / "store").exists()


def test_help_names_every_command() -> None:
    from muster.cli.main import muster

    shown = CliRunner().invoke(muster, ("host", "--help")).stdout
    for name in (
        *("init", "install-key", "activate", "serve", "status", "clients", "log"),
        *("publish-dns", "catalogue", "set", "remove-key", "remove-publisher"),
    ):
        assert name in shown


def test_no_error_row_of_the_area_is_left_without_a_fix() -> None:
    from muster.core.error_rows import host

    for row in host.ROWS:
        assert row.code.startswith("host/")
        assert row.fix.endswith(".")
        fields = dict.fromkeys(row.fields(), "x")
        assert error(row.code, **fields).fix
