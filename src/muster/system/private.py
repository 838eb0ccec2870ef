"""Secrets in files: written as new ones, read, and whose they are.

Decides whether a file is private enough for a secret that is in it (docs/spec/09-files.md, section
9.3). Refuses to know what the bytes mean.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from muster.core.catalogue import error
from muster.system.files import open_plain, read_handle, translate
from muster.system.user import user_name

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)


@contextlib.contextmanager
def new_file(path: str | os.PathLike[str], mode: int = 0o600) -> Iterator[BinaryIO]:
    """A new file to write piece by piece: it has its name, durably, when the block ends, and is
    nowhere when that raises.

    It is opened once, under a temporary name in the folder as it was opened, so that nobody who may
    write there leads it elsewhere or reads it. Raises: as `write_new`; an OSError of the block is
    taken for one of this file.
    """
    target = Path(path)
    try:
        folder = os.open(target.parent, os.O_RDONLY | _DIRECTORY | _CLOEXEC)
        try:
            if os.access(target.name, os.F_OK, dir_fd=folder, follow_symlinks=False):
                raise FileExistsError(errno.EEXIST, "taken")
            with _new_in_folder(folder, target.name, mode) as stream:
                yield stream
        finally:
            os.close(folder)
    except OSError as fault:
        raise translate(fault, target) from fault


@contextlib.contextmanager
def _new_in_folder(folder: int, name: str, mode: int) -> Iterator[BinaryIO]:
    temporary = f".{name}.{os.urandom(8).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC
    handle = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(handle, mode)
            yield stream
            stream.flush()
            os.fsync(handle)
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
    os.fsync(folder)


def read_private(
    path: str | os.PathLike[str],
    limit: int,
    *,
    owner_of: str | os.PathLike[str] | None = None,
) -> bytes:
    """Read a secret, which must be where only its owner, who is root or this user, can read it.

    Root may also read one of the owner of a store; `owner_of` is its folder. A user who is not root
    may read one that root gave to one of his groups to read: so do the secrets of Kubernetes come.
    Raises: `keyfile/rights` naming what is wrong, and the errors of `read_bounded`.
    """
    named = os.fspath(path)
    try:
        handle = open_plain(path, follow=True)
        try:
            if sys.platform != "win32":
                info = os.fstat(handle)
                if info.st_mode & (0o037 if _given_by_root(info) else 0o077):
                    mode = f"its mode is {info.st_mode & 0o777:04o}"
                    raise error("keyfile/rights", path=named, detail=mode)
                if info.st_uid not in (0, os.geteuid(), _owner_for_root(owner_of)):
                    owner = f"it belongs to the user number {info.st_uid}"
                    raise error("keyfile/rights", path=named, detail=owner)
            return read_handle(handle, path, limit)
        finally:
            os.close(handle)
    except OSError as fault:
        raise translate(fault, path) from fault


def _given_by_root(info: os.stat_result) -> bool:
    """Whether root owns a file, and this user reads it as a member of its group."""
    if info.st_uid != 0 or os.geteuid() == 0:
        return False
    return info.st_gid in {os.getegid(), *os.getgroups()}


def _owner_for_root(folder: str | os.PathLike[str] | None) -> int:
    return 0 if folder is None or os.geteuid() != 0 else Path(folder).stat().st_uid


def owner_name(path: str | os.PathLike[str]) -> str:
    """The user to whom something belongs, as `chown` takes it."""
    try:
        return user_name(Path(path).stat().st_uid)
    except (ImportError, OSError):
        return "OWNER"


class GuardedFolder:
    """A folder whose files anybody may read, and nobody but root and this user may write.

    ```
    with GuardedFolder(path) as folder:
        for name in folder.names(): ...
    ```
    What is on a file system that is mounted read-only is taken whoever owns it: in a container the
    owner is somebody that is not known there, and nobody in it can write.
    Raises: `client/site-rights`, the errors of opening a folder.
    Source: docs/spec/15-site-files.md, section 15.2.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._handle = -1

    def __enter__(self) -> GuardedFolder:
        """Open it and judge its rights."""
        try:
            self._handle = os.open(self._path, os.O_RDONLY | _DIRECTORY | _CLOEXEC)
            try:
                _check_guarded(self._handle, self._path)
            except BaseException:
                os.close(self._handle)
                raise
        except OSError as fault:
            raise translate(fault, self._path) from fault
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        os.close(self._handle)

    def names(self) -> list[str]:
        """The names of everything in it, in any order."""
        try:
            return os.listdir(self._handle)  # noqa: PTH208 - of the folder that was judged
        except OSError as fault:
            raise translate(fault, self._path) from fault

    def read(self, name: str, limit: int) -> bytes:
        """What a plain file in it holds; links are followed. Raises: `file/…` as well."""
        path = self._path / name
        try:
            handle = open_plain(name, follow=True, folder=self._handle)
            try:
                _check_guarded(handle, path)
                return read_handle(handle, path, limit)
            finally:
                os.close(handle)
        except OSError as fault:
            raise translate(fault, path) from fault


def _check_guarded(handle: int, path: Path) -> None:
    info = os.fstat(handle)
    if os.fstatvfs(handle).f_flag & os.ST_RDONLY:
        return
    if info.st_uid not in (0, os.geteuid()):
        detail = f"it belongs to the user number {info.st_uid}"
    elif info.st_mode & 0o022:
        detail = f"its mode is {info.st_mode & 0o7777:04o}"
    else:
        return
    raise error("client/site-rights", path=os.fspath(path), detail=detail)
