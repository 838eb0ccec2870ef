"""Secrets are read only where nobody but their owner can read them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muster.core.errors import MusterError
from muster.system import private

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users")


def code_of(path: Path, folder: Path | None = None) -> str:
    """The code that a secret is refused with."""
    with pytest.raises(MusterError) as caught:
        private.read_private(path, 10, owner_of=folder)
    return caught.value.code


def test_private_files_only_for_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"s")
    for mode in (0o600, 0o400):
        path.chmod(mode)
        assert private.read_private(path, 10) == b"s"
    for mode in (0o640, 0o604, 0o620, 0o610, 0o601):
        path.chmod(mode)
        assert code_of(path) == "keyfile/rights"


@needs_root
def test_private_files_of_another_user(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"s")
    path.chmod(0o600)
    os.chown(path, NOBODY, NOBODY)
    assert code_of(path) == "keyfile/rights"
    # Root reads the secrets of a store's owner, and of nobody else.
    assert code_of(path, tmp_path) == "keyfile/rights"
    os.chown(tmp_path, NOBODY, NOBODY)
    assert private.read_private(path, 10, owner_of=tmp_path) == b"s"
    os.chown(path, NOBODY - 1, NOBODY)
    assert code_of(path, tmp_path) == "keyfile/rights"


@needs_root
def test_an_owner_is_named_as_chown_takes_it(tmp_path: Path) -> None:
    assert private.owner_name(tmp_path) == "root"
    os.chown(tmp_path, 54321, 0)
    assert private.owner_name(tmp_path) == "54321"
    assert private.owner_name(tmp_path / "none") == "OWNER"
