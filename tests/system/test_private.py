"""Secrets are read only where nobody but their owner can read them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
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


def read_as(user: int, groups: list[int], path: Path) -> str:
    """What a process of that user reads, or the code that it is refused with."""
    script = (
        "import os, sys; from muster.core.errors import MusterError\n"
        "from muster.system.private import read_private\n"
        f"os.setgroups({groups[1:]}); os.setgid({groups[0]}); os.setuid({user})\n"
        "try: print(read_private(sys.argv[1], 10).decode())\n"
        "except MusterError as fault: print(fault.code)\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@needs_root
def test_what_root_gives_to_a_group_is_read_by_its_members() -> None:
    """Kubernetes mounts a secret as root's, readable by the group of the pod."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        given_by_root(Path(folder) / "secret")


def given_by_root(path: Path) -> None:
    """Try a secret that root owns with modes and readers."""
    path.write_bytes(b"s")
    os.chown(path, 0, 16882)
    path.chmod(0o440)
    assert read_as(16882, [16882], path) == "s"
    assert read_as(16882, [100, 16882], path) == "s"
    assert code_of(path) == "keyfile/rights"
    for mode in (0o444, 0o460, 0o450, 0o441):
        path.chmod(mode)
        assert read_as(16882, [16882], path) == "keyfile/rights"
    # Whose owner is not root, that owner alone may read it.
    path.chmod(0o440)
    os.chown(path, 16882, 16882)
    assert read_as(16882, [16882], path) == "keyfile/rights"


@needs_root
def test_an_owner_is_named_as_chown_takes_it(tmp_path: Path) -> None:
    assert private.owner_name(tmp_path) == "root"
    os.chown(tmp_path, 54321, 0)
    assert private.owner_name(tmp_path) == "54321"
    assert private.owner_name(tmp_path / "none") == "OWNER"
