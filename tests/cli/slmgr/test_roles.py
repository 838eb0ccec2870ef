"""Whom a word of slmgr means: by the word, by what is on the machine, by the key, by an option."""

from __future__ import annotations

from pathlib import Path

import pytest

from muster.cli.compose import Machine
from muster.cli.slmgr.client import CLIENT
from muster.cli.slmgr.host import HOST
from muster.cli.slmgr.roles import find
from muster.core.errors import MusterError
from muster.testing.tiny_publisher import TinyPublisher


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing was set up."""
    return Machine(tmp_path, tmp_path / "facts.json")


def test_where_nothing_is_set_up_a_word_means_the_client_that_has_it(machine: Machine) -> None:
    assert find("/dlv", "/dlv", None, "", machine) is CLIENT["/dlv"]
    assert find("/sprt", "/sprt", None, "", machine) is HOST["/sprt"]
    assert find("/dlv", "/dlv", "host", "", machine) is HOST["/dlv"]
    assert find("/dlv", "/dlv", "client", "", machine) is CLIENT["/dlv"]


def test_a_key_says_what_it_is_for(machine: Machine) -> None:
    publisher = TinyPublisher("contoso", now=1_800_000_000)
    host_key = publisher.host_key("server").text
    assert find("/ipk", "/ipk", None, host_key, machine) is HOST["/ipk"]
    mak = publisher.machine_key("desktop").text
    assert find("/ipk", "/ipk", None, mak, machine) is CLIENT["/ipk"]
    assert find("/ipk", "/ipk", None, "no key", machine) is CLIENT["/ipk"]


@pytest.mark.parametrize(
    ("word", "role", "code"),
    [
        ("/rearm", None, "client/slmgr-word"),
        ("/skms", "host", "client/slmgr-word"),
        ("/sri", "client", "client/slmgr-word"),
        ("/what", None, "client/slmgr-usage"),
        ("/what", "host", "client/slmgr-usage"),
    ],
)
def test_what_is_not_there_is_refused(
    machine: Machine, word: str, role: str | None, code: str
) -> None:
    with pytest.raises(MusterError) as caught:
        find(word, word, role, "", machine)
    assert caught.value.code == code
