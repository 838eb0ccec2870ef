"""Key files that this user may not read are told with whose they should be."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.publisher.conftest import CHEAP

from muster.core.errors import MusterError
from muster.publisher.vault import Vault

# Python 3.12 warns of any fork beside threads; those of the test runner take no lock of ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
    pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to be another user"),
]
NOBODY = 65534


@pytest.fixture
def store() -> Iterator[Path]:
    """The store of another user, which he can reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "store").mkdir()
        os.chown(folder / "store", NOBODY, NOBODY)
        yield folder / "store"


def as_nobody(act: Callable[[], object]) -> str:
    """What an act of another user raises: code and fix; "" where it does not."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"a defect"
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            act()
            said = b""
        except MusterError as fault:
            said = f"{fault.code} {fault.fix}".encode()
        finally:
            os.write(writing, said)
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        return told.read()


def test_a_key_file_of_another_user_names_its_owner(store: Path) -> None:
    vault = Vault(store / "keys", lambda: "a phrase", kdf=CHEAP)
    vault.create_folder()
    record, key = vault.make_key("grant", 1, bytes(32), 0)
    path = store / "keys" / record.file

    def opened_again() -> None:
        Vault(store / "keys", lambda: "a phrase").signing_key(record, key.public)

    def refused() -> None:
        for act in (lambda: vault.check_file(record), opened_again):
            told = as_nobody(act)
            assert told.startswith(f"keyfile/denied Run 'chown -R nobody {store / 'keys'}'")

    assert as_nobody(opened_again) == ""
    os.chown(path, 0, 0)
    refused()
    os.chown(path, NOBODY, NOBODY)
    os.chown(store / "keys", 0, 0)
    refused()
    os.chown(store / "keys", NOBODY, NOBODY)
    assert as_nobody(lambda: vault.check_file(record)) == ""
