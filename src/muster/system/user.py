"""Who runs this program, for audit logs.

Decides by what the kernel says: the user id of the process, and for root the login user id that
PAM set when somebody came in, which stays the same through `sudo` and `su`. No variable of the
environment names anybody; `SUDO_UID` is looked at only for root, who alone can have set it, and
only where the kernel knows no login.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from muster.core.audit import Actor

LOGIN_UID = Path("/proc/self/loginuid")
_NO_LOGIN = 2**32 - 1


def acting_user(
    environ: Mapping[str, str] | None = None, login_uid: Path = LOGIN_UID, uid: int | None = None
) -> Actor:
    """Who acts: `user:NAME` of the process, and as detail `sudo`, who became root.

    Args:
        environ: the environment; the process's own by default.
        login_uid: the file in which Linux says who logged in.
        uid: the user id of the process; the process's own by default.
    Returns:
        A user without a name is `user:` and the number.
    """
    if sys.platform == "win32":
        try:
            return Actor(f"user:{os.getlogin()}")
        except OSError:  # a service may have no name to be told
            return Actor("user:unknown")
    own = os.getuid() if uid is None else uid
    before = _login(login_uid)
    if before is None and own == 0:
        before = _number((os.environ if environ is None else environ).get("SUDO_UID", ""))
    detail = {"sudo": user_name(before)} if own == 0 and before else {}
    return Actor(f"user:{user_name(own)}", detail)


def _login(path: Path) -> int | None:
    try:
        uid = _number(path.read_text("ascii").strip())
    except (OSError, UnicodeError):
        return None
    return None if uid == _NO_LOGIN else uid


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def user_name(uid: int) -> str:
    """The name of a user; the number where there is none. Raises: ImportError on Windows."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)
