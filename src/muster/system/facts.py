"""Reading the facts of this machine: from the facts file where there is one, else from Linux.

Decides where facts come from; which values are usable is `muster.core.facts`. The facts file is
the one channel for machines that are not asked themselves: simulated ones, containers, platforms
without a reader, and programs of ordinary users, who may not read what the privileged part read
at boot into `/run/muster` (docs/spec/01-identities.md, section 1.6).

Tried on Linux. Windows and macOS have no reader: there the facts file must say the facts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.lease import strict
from muster.system.files import is_there, make_folder, write_atomic
from muster.system.hardware import cleaned, read_hardware, text_of, virtual
from muster.system.paths import places
from muster.system.textfile import read_text_anchor

FACTS_VARIABLE = "MUSTER_FACTS"
"""Environment variable that names the facts file."""
_LIMIT = 64 * 1024
_LIMITS = strict.Limits(bytes=_LIMIT, levels=2, members=64, items=16)


def facts_path(environ: Mapping[str, str] | None = None) -> Path:
    """The facts file where none is named: that of `MUSTER_FACTS`, else the runtime folder's."""
    env = os.environ if environ is None else environ
    named = env.get(FACTS_VARIABLE)
    return Path(named) if named else places(environ=env).runtime / "facts.json"


def read_facts(
    path: str | os.PathLike[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path = Path("/"),
) -> dict[str, str]:
    """The facts of this machine by name, cleaned.

    Args:
        path: the facts file; it must exist. None: the file that `MUSTER_FACTS` names, which must
            exist too and belong to root; else the runtime folder's file where it exists, root's as
            well; else the hardware.
        environ: the environment; the process's own by default. Applications pass an empty one:
            a variable says nothing to them.
        root: where the file system of the machine begins; another one only in tests.
    Returns:
        Values in their one form (`muster.core.facts.clean`); no entry where a fact is absent.
    Raises:
        `facts/malformed`, `facts/rights`, `facts/variable`, and the errors `file/…` of reading:
        facts that this user may not see are not those of the hardware.
    """
    env = os.environ if environ is None else environ
    if path is not None:
        return read_facts_file(path)
    named = variable_facts(env)
    file = facts_path({}) if named is None else named
    if named is not None or is_there(file):
        return read_facts_file(file, root_only=True)
    return read_hardware(root)


def variable_facts(environ: Mapping[str, str] | None = None) -> Path | None:
    """The facts file that `MUSTER_FACTS` names, None where it names none.

    A variable is set by whoever starts a program, and must not say which machine this is: the
    file counts only where root owns it and its folders [with a variable and a copied store an
    unmodified program would be licensed anywhere]. Raises: `facts/variable`.
    """
    env = os.environ if environ is None else environ
    named = env.get(FACTS_VARIABLE)
    if not named:
        return None
    stranger = _not_roots(Path(named))
    if stranger:
        raise error("facts/variable", path=named, detail=f"{stranger} does not belong to root")
    return Path(named)


def _not_roots(path: Path) -> str:
    """The first of a file and its folders that does not belong to root, "" where all do.

    What is missing or hidden is told by whoever reads the file.
    """
    whole = Path.cwd() / path
    for part in {*whole.parents, whole, *whole.resolve().parents, whole.resolve()}:
        try:
            if part.stat().st_uid != 0 or part.lstat().st_uid != 0:
                return str(part)
        except OSError:
            continue
    return ""


def read_facts_file(path: str | os.PathLike[str], *, root_only: bool = False) -> dict[str, str]:
    """The facts that a facts file says.

    The file and the folders above it must belong to root or to this process's user, and group and
    world must not be able to change them [whoever writes the facts says which machine this is].

    Args:
        path: the file.
        root_only: the caller did not choose the file, so that only root may own it.
    Raises: `facts/rights`, `facts/malformed`, `file/encoding`, `file/missing`, `file/denied`,
        `file/too-large`.
    """
    named = os.fspath(path)
    stranger = _not_roots(Path(path)) if root_only else ""
    if stranger:
        raise error("facts/rights", path=named, detail=f"{stranger} does not belong to root")
    try:
        data = read_text_anchor(path, _LIMIT)
    except MusterError as fault:
        if fault.code != "file/anchor":
            raise
        raise error("facts/rights", path=named, detail=fault.params["detail"]) from None
    try:
        value = strict.read(data, _LIMITS, "facts file")
    except MusterError as fault:
        raise error("facts/malformed", path=named, detail=fault.params["detail"]) from None
    facts = value.get("facts")
    if value.get("v") != 1 or not isinstance(facts, dict):
        raise error("facts/malformed", path=named, detail='it has no "v": 1 and "facts"')
    if not all(isinstance(fact, str) for fact in facts.values()):
        raise error("facts/malformed", path=named, detail="a fact is not a text")
    return cleaned(facts)


def facts_file(facts: Mapping[str, str]) -> bytes:
    """The bytes of a facts file."""
    return strict.canonical({"v": 1, "facts": dict(facts)}) + b"\n"


def write_facts_file(path: str | os.PathLike[str], facts: Mapping[str, str]) -> None:
    """Write a facts file that every user of the machine may read. Raises: `file/…`."""
    make_folder(Path(path).parent, 0o755)
    write_atomic(path, facts_file(facts), 0o644)


def boot_id(root: Path = Path("/")) -> str:
    """A text that is the same until the machine restarts, "" where the system has none."""
    return text_of(root / "proc/sys/kernel/random/boot_id")


def uptime(root: Path = Path("/")) -> int | None:
    """Whole seconds since the machine started, None where the system does not tell."""
    match = re.match(r"([0-9]{1,12})(?:\.[0-9]+)?\s", text_of(root / "proc/uptime") + " ")
    return int(match[1]) if match else None


__all__ = [
    "boot_id",
    "facts_file",
    "facts_path",
    "read_facts",
    "read_facts_file",
    "read_hardware",
    "uptime",
    "variable_facts",
    "virtual",
    "write_facts_file",
]
