"""Who runs this program: what the kernel says, and never what the environment says."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from muster.core.audit import Actor
from muster.system.user import acting_user

OTHER = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, os.getuid()))
NOBODY = 4294967294
"""An id that has no name."""


def login(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "loginuid"
    path.write_text(text)
    return path


def test_no_variable_of_the_environment_names_anybody(tmp_path: Path) -> None:
    names = ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER", "HOME")
    program = "from muster.system.user import acting_user; print(acting_user().name)"
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | dict.fromkeys(names, "somebody-else"),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert found.stdout == f"user:{pwd.getpwuid(os.getuid()).pw_name}\n"


def test_the_user_of_the_process(tmp_path: Path) -> None:
    unset = login(tmp_path, "4294967295")
    assert acting_user({}, unset, OTHER.pw_uid) == Actor(f"user:{OTHER.pw_name}")
    assert acting_user({}, unset, 0) == Actor("user:root")
    assert acting_user({}, unset, NOBODY) == Actor(f"user:{NOBODY}")


def test_who_became_root_is_told_by_the_kernel(tmp_path: Path) -> None:
    logged_in = login(tmp_path, str(OTHER.pw_uid))
    forged = {"SUDO_UID": "0", "SUDO_USER": "root"}
    assert acting_user(forged, logged_in, 0) == Actor("user:root", {"sudo": OTHER.pw_name})
    assert acting_user({}, login(tmp_path, "0"), 0) == Actor("user:root")
    assert acting_user({}, login(tmp_path, str(NOBODY)), 0).detail == {"sudo": str(NOBODY)}


def test_without_a_login_root_says_who_it_was(tmp_path: Path) -> None:
    given = {"SUDO_UID": str(OTHER.pw_uid), "SUDO_USER": "somebody-else"}
    missing = tmp_path / "none"
    assert acting_user(given, missing, 0).detail == {"sudo": OTHER.pw_name}
    # Whoever is not root may have set the variable.
    assert acting_user(given, missing, OTHER.pw_uid) == Actor(f"user:{OTHER.pw_name}")


@pytest.mark.parametrize("text", ["", "x", "-1", "1" * 40, "\u0661", " ", "0"])
def test_ids_that_are_none(tmp_path: Path, text: str) -> None:
    assert acting_user({"SUDO_UID": text}, login(tmp_path, text), 0) == Actor("user:root")


def test_without_a_login_a_user_of_windows_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody logged in, the question fails here as there."""
    monkeypatch.setattr(sys, "platform", "win32")
    try:
        known = os.getlogin()
    except OSError:
        known = "unknown"
    assert acting_user() == Actor(f"user:{known}")
