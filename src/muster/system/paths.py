"""Where things lie on each platform.

Decides the folders of stores, settings and volatile facts for Linux, Windows and macOS. It looks
at the environment that it is given and at which folders exist, and changes nothing. Linux is
tried; Windows and macOS follow their conventions and were not tried.

A store is one folder under a root, by role: machines keep `<root>/<publisher id>`, a host keeps
`<root>/host`, a publisher `<root>/publisher` (a publisher id has 16 characters, so that no name
is taken twice).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STORE_VARIABLE = "MUSTER_STORE"
"""Environment variable that names another root for stores."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one platform and one user.

    `system_store` and `user_store` are roots; `system_config` and `user_config` are TOML files;
    `runtime` holds facts that do not outlive a boot.
    """

    system_store: Path
    user_store: Path
    system_config: Path
    user_config: Path
    runtime: Path


def places(
    platform: str = sys.platform,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> Places:
    """The folders of a platform.

    Args:
        platform: as `sys.platform`; what is neither win32 nor darwin is treated as Linux.
        environ: the environment; the process's own by default.
        home: the user's folder; the process's own by default.
    """
    env = os.environ if environ is None else environ
    user = Path.home() if home is None else home
    if platform == "win32":
        programs = Path(env.get("PROGRAMDATA") or "C:/ProgramData") / "Muster"
        local = Path(env.get("LOCALAPPDATA") or user / "AppData" / "Local") / "Muster"
        return Places(
            system_store=programs / "store",
            user_store=local / "store",
            system_config=programs / "muster.toml",
            user_config=local / "muster.toml",
            runtime=programs / "run",
        )
    if platform == "darwin":
        shared = Path("/Library/Application Support/Muster")
        own = user / "Library" / "Application Support" / "Muster"
        return Places(
            system_store=shared / "store",
            user_store=own / "store",
            system_config=shared / "muster.toml",
            user_config=own / "muster.toml",
            runtime=Path("/var/run/muster"),
        )
    return Places(
        system_store=Path("/var/lib/muster"),
        user_store=_absolute(env.get("XDG_STATE_HOME"), user / ".local" / "state") / "muster",
        system_config=Path("/etc/muster/muster.toml"),
        user_config=_absolute(env.get("XDG_CONFIG_HOME"), user / ".config")
        / "muster"
        / "muster.toml",
        runtime=Path("/run/muster"),
    )


def _absolute(value: str | None, default: Path) -> Path:
    # The XDG rules: a relative path in the variable is ignored.
    return Path(value) if value and Path(value).is_absolute() else default


def store_root(
    chosen: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    where: Places | None = None,
    privileged: bool | None = None,
) -> Path:
    """The root of stores.

    First what was chosen (`--store`), then `MUSTER_STORE`, then the system's root where somebody
    installed it or where this user may, and a user's own root only where there is no system one
    [five users must not count as five machines].

    Args:
        chosen: the flag, or None.
        environ: the environment; the process's own by default.
        where: the folders; this platform's by default.
        privileged: whether this user may make the system's root; asked of the system by default.
    """
    env = os.environ if environ is None else environ
    if chosen:
        return Path(chosen)
    if env.get(STORE_VARIABLE):
        return Path(env[STORE_VARIABLE])
    found = places(environ=env) if where is None else where
    may = _privileged() if privileged is None else privileged
    if may or found.system_store.is_dir():
        return found.system_store
    return found.user_store


def _privileged() -> bool:
    if sys.platform == "win32":
        import ctypes

        return bool(ctypes.windll.shell32.IsUserAnAdmin())
    return os.geteuid() == 0


def client_store(root: Path, publisher: str) -> Path:
    """The store of a machine for one publisher; `publisher` is a checked publisher id."""
    return root / publisher


def host_store(root: Path) -> Path:
    """The store of a host."""
    return root / "host"


def publisher_store(root: Path) -> Path:
    """The store of a publisher."""
    return root / "publisher"
