"""Where a client's settings come from, and what commands such as `set-host` write.

Decides the order: flags and environment, then what commands wrote for one publisher
(`<root>/<publisher id>/client.toml`), then what they wrote for the machine (`<root>/client.toml`),
then the user's and the system's settings file. Which settings there are is
`muster.core.settings`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from muster.client.discovery import Address, left_out, parse_address, suffixes
from muster.client.messages import Plan
from muster.client.sites import SiteFile
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.settings import Role, Value, check, lookup, toml
from muster.system.config import Settings, load_settings
from muster.system.files import Lock, is_there, make_folder, remove_leftovers, write_atomic
from muster.system.paths import places
from muster.system.textfile import read_text

_LIMIT = 64 * 1024
_WRITTEN = ("host", "suffixes", "host_caching", "host_tls", "publisher_url")
"""Settings that commands write."""


def files(root: Path, publisher: str = "", environ: Mapping[str, str] | None = None) -> list[Path]:
    """The settings files of a client, the least important first."""
    paths = [*places(environ=environ).configs, written(root)]
    return [*paths, written(root, publisher)] if publisher else paths


def written(root: Path, publisher: str = "") -> Path:
    """The file that commands write: for one publisher, or for the machine."""
    return (root / publisher if publisher else root) / "client.toml"


def load(
    root: Path,
    publisher: str = "",
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """The settings of a client. Raises: `settings/…`, `file/toml`."""
    return load_settings(
        Role.CLIENT.value, files(root, publisher, environ), environ=environ, flags=flags
    )


def plan_for(root: Path, publisher: str, environ: Mapping[str, str] | None = None) -> Plan:
    """How hosts are found for a publisher. Raises: `settings/…`, `file/toml`."""
    from muster.net.resolvconf import system_suffixes

    settings = load(root, publisher, environ=environ)
    named = settings.text("host")
    host: Address | None = parse_address(named, settings.integer("port")) if named else None
    chosen = settings.texts("suffixes")
    system: tuple[str, ...] = () if chosen or host is not None else system_suffixes()
    return Plan(
        host,
        suffixes(chosen, system),
        settings.flag("host_caching"),
        settings.text("publisher_url"),
        left_out(chosen, system),
        chosen=bool(chosen),
        files=() if host is not None else _site_files(settings.text("site_folder"), environ),
    )


def _site_files(chosen: str, environ: Mapping[str, str] | None) -> tuple[SiteFile, ...]:
    folder = Path(chosen) if chosen else places(environ=environ).site_folder
    try:
        if not is_there(folder):  # most machines have none, and need not load what reads them
            return ()
    except MusterError:
        pass  # who reads the folder tells it
    from muster.client.site_folder import read_folder

    return read_folder(folder)


def change(root: Path, publisher: str, name: str, value: object | None) -> bool:
    """Write one setting for a publisher or ("") for the machine; None removes it.

    Returns:
        Whether anything changed.
    Raises: `settings/value`, `settings/unknown`, `file/…`.
    """
    if name not in _WRITTEN:
        raise error("settings/unknown", name=name, role="client", near=", ".join(_WRITTEN))
    path = written(root, publisher)
    make_folder(path.parent, 0o755)
    with Lock(path.with_name(f".{path.name}.lock")):
        remove_leftovers(path.parent)
        held = read_written(path)
        wanted = dict(held)
        if value is None:
            wanted.pop(name, None)
        else:
            wanted[name] = check(lookup("client", name), value)
        if wanted == held:
            return False
        write_atomic(path, _toml(wanted), 0o644)
    return True


def read_written(path: Path) -> dict[str, Value]:
    """The settings that commands wrote to a file; none where it is missing. Raises: `file/toml`."""
    import tomllib

    try:
        data = read_text(path, _LIMIT)
    except MusterError as fault:
        if fault.code == "file/missing":
            return {}
        if fault.code == "file/encoding":
            detail = f"{fault.params['detail']}; save it as UTF-8"
            raise error("file/toml", path=os.fspath(path), detail=detail) from None
        raise
    try:
        document: Mapping[str, object] = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as fault:
        detail = " ".join(str(fault).split())[:200]
        raise error("file/toml", path=os.fspath(path), detail=detail) from fault
    section = document.get("client", {})
    if not isinstance(section, dict):
        raise error("file/toml", path=os.fspath(path), detail="client is not a section")
    return {name: check(lookup("client", name), value) for name, value in section.items()}


def _toml(values: Mapping[str, Value]) -> bytes:
    lines = ["# Written by 'muster client' and 'muster slmgr'.", "[client]"]
    lines += [f"{name} = {toml(values[name])}" for name in sorted(values)]
    return ("\n".join(lines) + "\n").encode("utf-8")
