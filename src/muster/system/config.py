"""Settings of a process: files below environment below flags, by the one table.

Decides which value wins and remembers where it came from, so that a message can name the place
to fix. What a setting may be is `muster.core.settings`. Nothing is read twice: a service that is
to see changed settings is restarted.

A settings file is TOML, at most 256 KiB: settings of all roles at the top, those of one role in
its section. Files are given least important first; a missing one is no error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from muster.core import settings as table
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.settings import Role, Setting, Value
from muster.system.textfile import read_text

_LIMIT = 256 * 1024


class Settings(Mapping[str, Value]):
    """The settings that one role reads, by name: its own and those of all roles.

    A setting of the role hides one of all roles with the same name.
    """

    def __init__(self, role: str) -> None:
        self._values: dict[str, Value] = {}
        self._sources: dict[str, str] = {}
        self._table: dict[str, Setting] = {}
        for part in (Role.COMMON, Role(role)):
            for setting in table.of_role(part):
                self._table[setting.name] = setting
                self._values[setting.name] = setting.default
                self._sources[setting.name] = "default"

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def text(self, name: str) -> str:
        """A setting that is a text."""
        value = self._values[name]
        if not isinstance(value, str):
            raise TypeError(f"{name} is not a text")
        return value

    def integer(self, name: str) -> int:
        """A setting that is a whole number."""
        value = self._values[name]
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} is not a whole number")
        return value

    def flag(self, name: str) -> bool:
        """A setting that is true or false."""
        value = self._values[name]
        if not isinstance(value, bool):
            raise TypeError(f"{name} is not true or false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A setting that is a list."""
        value = self._values[name]
        if not isinstance(value, tuple):
            raise TypeError(f"{name} is not a list")
        return value

    def source(self, name: str) -> str:
        """Where the value comes from: `default`, a path, `$VARIABLE` or `--flag`."""
        return self._sources[name]

    def warnings(self) -> tuple[str, ...]:
        """What to warn of, one sentence for each setting that is out of the ordinary."""
        texts = []
        for name, setting in self._table.items():
            text = table.warning(setting, self._values[name])
            if text is not None:
                texts.append(f"{setting.full_name} = {self._values[name]}: {text}")
        return tuple(texts)

    def _set(self, setting: Setting, value: Value, source: str) -> None:
        if self._table.get(setting.name) is setting:
            self._values[setting.name] = value
            self._sources[setting.name] = source


def load_settings(
    role: str,
    files: Sequence[str | os.PathLike[str]] = (),
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """The settings of one role.

    Args:
        role: host, client or publisher.
        files: settings files, the least important first. The sections of other roles are checked
            too: a mistake in them is found by whichever program starts first.
        environ: the environment; the process's own by default.
        flags: values from the command line by name; None stands for "not given".
    Raises:
        `settings/unknown`, `settings/value` naming the setting; `file/toml` and the errors of
        reading a file other than `file/missing`.
    """
    env = os.environ if environ is None else environ
    settings = Settings(role)
    for path in files:
        for setting, value in _read_file(Path(path)):
            settings._set(setting, value, os.fspath(path))
    for setting in tuple(settings._table.values()):
        text = env.get(setting.env)
        if text is not None:
            settings._set(setting, table.parse(setting, text), f"${setting.env}")
    for name, given in (flags or {}).items():
        if given is None:
            continue
        chosen = settings._table.get(name.replace("-", "_")) or table.lookup(role, name)
        value = table.parse(chosen, given) if isinstance(given, str) else table.check(chosen, given)
        settings._set(chosen, value, chosen.flag)
    return settings


def _read_file(path: Path) -> Iterator[tuple[Setting, Value]]:
    import tomllib

    try:
        data = read_text(path, _LIMIT)
    except MusterError as fault:
        if fault.code == "file/missing":
            return
        if fault.code == "file/encoding":
            detail = f"{fault.params['detail']}; save it as UTF-8"
            raise error("file/toml", path=os.fspath(path), detail=detail) from None
        raise
    try:
        document: Mapping[str, object] = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as fault:
        raise error("file/toml", path=str(path), detail="it is not UTF-8") from fault
    except (ValueError, RecursionError) as fault:
        # Not only what is no TOML: a number of thousands of digits is a ValueError of its own.
        detail = " ".join(str(fault).split())[:200]
        raise error("file/toml", path=str(path), detail=detail) from fault
    sections = {role.value for role in Role} - {Role.COMMON.value}
    for name, value in document.items():
        if name in sections and isinstance(value, dict):
            for inner, given in value.items():
                setting = table.lookup(name, inner)
                yield setting, table.check(setting, given)
        else:
            setting = table.lookup(Role.COMMON, name)
            yield setting, table.check(setting, value)
