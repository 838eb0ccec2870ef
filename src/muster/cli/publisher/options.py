"""Options, passphrases and the open store that commands of a publisher share.

Passphrases come from a file, from the environment or from a prompt, never from an argument:
everybody on a machine can read the arguments of its programs.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster.cli import compose
from muster.cli.options import Command
from muster.cli.output import MusterCommand, interactive
from muster.core.catalogue import error

if TYPE_CHECKING:
    from muster.publisher.office import Office
    from muster.system.keyfile import KDF

PASSPHRASE = "MUSTER_PASSPHRASE"  # noqa: S105 - the name of a variable
ROOT_PASSPHRASE = "MUSTER_ROOT_PASSPHRASE"  # noqa: S105 - the name of a variable
_PASSPHRASE_BYTES = 1024
_LEADING_DASH = re.compile(r"-[A-Za-z0-9_-]{21}")
FILE = click.Path(path_type=Path, dir_okay=False)


def passphrase_options(command: Command) -> Command:
    """Where the passphrases of key files come from; gives the command `phrases`."""

    @click.option(
        "--passphrase-file",
        type=FILE,
        help=f"File whose first line opens the key files; else {PASSPHRASE}, else a prompt.",
    )
    @click.option(
        "--root-passphrase-file",
        type=FILE,
        help=f"The same for the roots, if theirs is different; else {ROOT_PASSPHRASE}.",
    )
    @functools.wraps(command)
    def wrapped(
        *args: Any, passphrase_file: Path | None, root_passphrase_file: Path | None, **kwargs: Any
    ) -> Any:
        kwargs["phrases"] = Phrases(passphrase_file, root_passphrase_file)
        return command(*args, **kwargs)

    return wrapped


def kdf_options(command: Command) -> Command:
    """The cost of new key files; gives the command `kdf`."""

    @click.option(
        "--kdf",
        "kdf_name",
        type=click.Choice(["argon2id", "scrypt"]),
        default="argon2id",
        show_default=True,
        help="How the key of a key file is derived from the passphrase.",
    )
    @click.option("--kdf-memory", type=int, metavar="KIB", help="Argon2id: memory (65536).")
    @click.option("--kdf-passes", type=int, metavar="N", help="Argon2id: passes over it (3).")
    @click.option("--kdf-lanes", type=int, metavar="N", help="Argon2id: lanes (4).")
    @click.option("--kdf-log-n", type=int, metavar="N", help="scrypt: log2 of the cost (17).")
    @click.option("--kdf-r", type=int, metavar="N", help="scrypt: block size (8).")
    @click.option("--kdf-p", type=int, metavar="N", help="scrypt: parallel blocks (1).")
    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        numbers = {
            name: kwargs.pop(f"kdf_{name}")
            for name in ("memory", "passes", "lanes", "log_n", "r", "p")
        }
        kwargs["kdf"] = _kdf(kwargs.pop("kdf_name"), numbers)
        return command(*args, **kwargs)

    return wrapped


def _kdf(name: str, numbers: Mapping[str, int | None]) -> KDF:
    from muster.system.keyfile import Argon2id, Scrypt

    given = {key: value for key, value in numbers.items() if value is not None}
    own = ("memory", "passes", "lanes") if name == "argon2id" else ("log_n", "r", "p")
    for key in given:
        if key not in own:
            option = "--kdf-" + key.replace("_", "-")
            raise click.UsageError(f"{option} does not belong to --kdf {name}.")
    kdf: KDF
    if name == "argon2id":
        if "memory" in given:
            given["memory_kib"] = given.pop("memory")
        kdf = Argon2id(**given)
    else:
        kdf = Scrypt(**given)
    fault = kdf.faults()
    if fault:
        raise click.UsageError(f"The cost of key files: {fault}.")
    return kdf


class Phrases:
    """The passphrases of one command; each is asked for once, when it is needed."""

    def __init__(self, file: Path | None, root_file: Path | None) -> None:
        self._file = file
        self._root_file = root_file
        self._known: dict[str, str] = {}
        self.confirm = False

    def leave_environment(self, *, roots: bool) -> None:
        """Take passphrases out of the environment of a command that runs for long.

        Args:
            roots: whether it may need that of the roots; else it is forgotten.
        """
        from muster.system.environment import forget_variable

        work, root = forget_variable(PASSPHRASE), forget_variable(ROOT_PASSPHRASE)
        if work and self._file is None:
            self._known[PASSPHRASE] = work
        if root and roots and self._root_file is None:
            self._known[ROOT_PASSPHRASE] = root

    def work(self) -> str:
        """The passphrase of the working keys and the tag key."""
        if PASSPHRASE not in self._known:
            self._known[PASSPHRASE] = self._find(
                self._file, PASSPHRASE, "Passphrase of the key files"
            )
        return self._known[PASSPHRASE]

    def root(self) -> str:
        """The passphrase of the roots: their own where one is given, else the other."""
        if ROOT_PASSPHRASE not in self._known:
            if self._root_file is None and ROOT_PASSPHRASE not in os.environ:
                return self.work()
            self._known[ROOT_PASSPHRASE] = self._find(
                self._root_file, ROOT_PASSPHRASE, "Passphrase of the roots"
            )
        return self._known[ROOT_PASSPHRASE]

    def _find(self, file: Path | None, variable: str, text: str) -> str:
        if file is not None:
            return _read_passphrase(file)
        if os.environ.get(variable):
            return os.environ[variable]
        if interactive():
            passphrase = click.prompt(
                text, hide_input=True, confirmation_prompt=self.confirm, err=True
            )
            return str(passphrase)
        raise error("publisher/passphrase", variable=variable)


def _read_passphrase(path: Path) -> str:
    from muster.system.textfile import read_text_private

    data = read_text_private(path, _PASSPHRASE_BYTES)
    line = data.split(b"\n", 1)[0].rstrip(b"\r")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise error("publisher/passphrase-file", path=str(path), detail="not UTF-8") from None
    if not text:
        detail = "its first line is empty"
        raise error("publisher/passphrase-file", path=str(path), detail=detail)
    return text


def open_office(
    store: Path | None,
    phrases: Phrases | None = None,
    kdf: KDF | None = None,
    *,
    restored: Path | None = None,
) -> Office:
    return compose.publisher_office(
        store,
        phrases.work if phrases else _no_passphrase,
        phrases.root if phrases else _no_passphrase,
        kdf,
        restored=restored,
    )


def _no_passphrase() -> str:
    raise AssertionError("this command uses no key file")


class TokenCommand(MusterCommand):
    """A command whose argument may be a licence id, which may begin with a dash."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take licence ids for arguments, never for options."""
        known = {name for param in self.params for name in (*param.opts, *param.secondary_opts)}
        ids = [word for word in args if word not in known and _LEADING_DASH.fullmatch(word)]
        if ids and "--" not in args:
            args = [*(word for word in args if word not in ids), "--", *ids]
        return super().parse_args(ctx, args)
