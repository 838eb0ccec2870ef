"""Where things are on each platform.

Decides the folders of stores, settings and volatile facts for Linux, Windows and macOS. It looks
at the environment that it is given and at which folders exist, and changes nothing. Linux is
tried; Windows and macOS follow their conventions and were not tried.

A store is one folder under a root, by role: machines keep `<root>/<publisher id>`, a host keeps
`<root>/host`, a publisher `<root>/publisher`, a manager `<root>/manager` (a publisher id has 16
characters, so that no name is taken twice).
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from muster.core.catalogue import error
from muster.core.values import dataclass
from muster.system.files import is_folder

STORE_VARIABLE = "MUSTER_STORE"
"""Environment variable that names another root for stores."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one platform and one user.

    `system_store` and `user_store` are roots; `system_config` and `user_config` are TOML files;
    `runtime` holds facts that do not outlive a boot. Those of the user are None where the user has
    no home folder, as in a container that runs under a user id that nobody knows.
    """

    system_store: Path
    user_store: Path | None
    system_config: Path
    user_config: Path | None
    runtime: Path

    @property
    def site_folder(self) -> Path:
        """The folder of site files (docs/spec/15-site-files.md)."""
        return self.system_config.parent / "site.d"

    @property
    def configs(self) -> tuple[Path, ...]:
        """The settings files, the least important first."""
        return tuple(path for path in (self.system_config, self.user_config) if path is not None)


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
    user = _home(env) if home is None else home
    if platform == "win32":
        programs = Path(env.get("PROGRAMDATA") or "C:/ProgramData") / "Muster"
        local = _below(_absolute(env.get("LOCALAPPDATA"), user, "AppData", "Local"), "Muster")
        return Places(
            system_store=programs / "store",
            user_store=_below(local, "store"),
            system_config=programs / "muster.toml",
            user_config=_below(local, "muster.toml"),
            runtime=programs / "run",
        )
    if platform == "darwin":
        shared = Path("/Library/Application Support/Muster")
        own = _below(user, "Library", "Application Support", "Muster")
        return Places(
            system_store=shared / "store",
            user_store=_below(own, "store"),
            system_config=shared / "muster.toml",
            user_config=_below(own, "muster.toml"),
            runtime=Path("/var/run/muster"),
        )
    return Places(
        system_store=Path("/var/lib/muster"),
        user_store=_below(_absolute(env.get("XDG_STATE_HOME"), user, ".local", "state"), "muster"),
        system_config=Path("/etc/muster/muster.toml"),
        user_config=_below(
            _absolute(env.get("XDG_CONFIG_HOME"), user, ".config"), "muster", "muster.toml"
        ),
        runtime=Path("/run/muster"),
    )


def _absolute(value: str | None, home: Path | None, *default: str) -> Path | None:
    # The XDG rules: a relative path in the variable is ignored.
    if value and Path(value).is_absolute():
        return Path(value)
    return _below(home, *default)


def _below(folder: Path | None, *names: str) -> Path | None:
    return None if folder is None else folder.joinpath(*names)


def _home(env: Mapping[str, str]) -> Path | None:
    """The user's folder: HOME, else what the system says of the user; None where neither is one.

    A relative HOME is none [the store would follow the working directory], nor is a device, a
    file, or a folder that this user may not enter [nothing of this user can be there, and paths
    that are named must be enough]. One that is not there yet may be made.
    """
    named = env.get("USERPROFILE" if sys.platform == "win32" else "HOME", "")
    if named:
        return Path(named) if Path(named).is_absolute() and _may_be_entered(named) else None
    try:
        import pwd

        path = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (KeyError, ImportError, OSError):
        return None
    return path if path.is_absolute() else None


def _may_be_entered(folder: str) -> bool:
    try:
        is_folder = stat.S_ISDIR(Path(folder).stat().st_mode)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return is_folder and os.access(folder, os.X_OK)


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
    Raises: `file/no-home` where only a user's root is left and there is no home folder.
    """
    env = os.environ if environ is None else environ
    if chosen:
        return Path(chosen)
    if env.get(STORE_VARIABLE):
        return Path(env[STORE_VARIABLE])
    known = places(environ=env) if where is None else where
    may = _privileged() if privileged is None else privileged
    if may or is_folder(known.system_store):
        return known.system_store
    if known.user_store is None:
        raise error("file/no-home", variable=STORE_VARIABLE)
    return known.user_store


def displaced_store(
    environ: Mapping[str, str] | None = None, *, where: Places | None = None
) -> Path | None:
    """The system's root of stores, where it exists and `MUSTER_STORE` names another one."""
    env = os.environ if environ is None else environ
    if not env.get(STORE_VARIABLE):
        return None
    known = places(environ=env, home=Path("/")) if where is None else where
    named = Path.cwd() / env[STORE_VARIABLE]
    if not is_folder(known.system_store) or named.resolve() == known.system_store.resolve():
        return None
    return known.system_store


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


def manager_store(root: Path) -> Path:
    """The store of a manager."""
    return root / "manager"
