"""Files: written whole or not at all, read within bounds, locked, and trusted or not.

Decides how bytes reach the disk so that a crash at any point leaves the old file or the new one,
and whether a file may be an anchor of trust (docs/spec/09-files.md). It
refuses to know what the bytes mean.

Tried on Linux. On Windows locks go through `msvcrt`, folders are not synced and the ownership
rule of anchors is not checked (`read_anchor` then needs `trusted=True`); macOS takes the POSIX
way. Neither was tried.

Long, because which links, owners and rights are borne is decided in one place.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_POLL = 0.02
"""Seconds between two tries for a lock that another program holds."""
_LOCK_FLAGS = os.O_RDWR | _NOFOLLOW | _CLOEXEC | _NONBLOCK
_LINKS = 40
"""As many symbolic links as the kernel follows in one path."""


def translate(fault: OSError, path: str | os.PathLike[str]) -> MusterError:
    """The catalogue's word for an OSError about `path`; an error `file/…`."""
    name = os.fspath(path)
    match fault.errno:
        case errno.ENOENT:
            return error("file/missing", path=name)
        case errno.EACCES | errno.EPERM:
            return error("file/denied", path=name)
        case errno.EEXIST:
            return error("file/exists", path=name)
        case errno.EROFS:
            return error("file/read-only", path=name)
        case errno.ENOSPC | errno.EDQUOT:
            return error("file/full", path=name)
        case errno.EISDIR | errno.ENOTDIR | errno.ELOOP | errno.ENXIO:
            return error("file/not-regular", path=name)
        case _:
            return error("file/io", path=name, detail=fault.strerror or type(fault).__name__)


@contextlib.contextmanager
def _translated(path: str | os.PathLike[str]) -> Iterator[None]:
    """OSErrors about `path` in the catalogue's words."""
    try:
        yield
    except OSError as fault:
        raise translate(fault, path) from fault


def write_atomic(
    path: str | os.PathLike[str],
    data: bytes,
    mode: int = 0o600,
    *,
    keep_previous: bool = False,
    keep_owner: bool = False,
) -> None:
    """Replace the file at `path` by one that holds `data`, durably.

    The new bytes go to a temporary file in the same folder, which is synced before it takes the
    name; the folder is synced after. Whatever fails before the name changes leaves the old file
    untouched and removes the temporary one. A symbolic link at `path` is replaced, not followed.

    Args:
        path: the file; its folder must exist.
        data: the whole content.
        mode: rights of the new file, whatever the umask.
        keep_previous: leave the old file as `<name>.bak`.
        keep_owner: for files of a store: what root writes belongs to the folder's owner.
    Raises:
        `file/missing` (no such folder), `file/denied`, `file/read-only`, `file/full`,
        `file/not-regular` (a folder is there), `file/io`.
    """
    _write(Path(path), data, _Kind(mode, keep_previous, keep_owner=keep_owner))


def write_new(
    path: str | os.PathLike[str], data: bytes, mode: int = 0o600, *, keep_owner: bool = False
) -> None:
    """Like `write_atomic`, but only where nothing has the name yet.

    Of two writers at once exactly one succeeds.
    Raises: `file/exists`, and the errors of `write_atomic`.
    """
    _write(Path(path), data, _Kind(mode, fresh=True, keep_owner=keep_owner))


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a file is written: as in `write_atomic`, and `fresh` only where nothing has the name."""

    mode: int
    keep_previous: bool = False
    fresh: bool = False
    keep_owner: bool = False


def _write(target: Path, data: bytes, kind: _Kind) -> None:
    with _translated(target):
        if sys.platform == "win32":
            _write_by_path(target, data, fresh=kind.fresh)
            return
        folder = os.open(target.parent, os.O_RDONLY | _DIRECTORY | _CLOEXEC)
        try:
            _write_in_folder(folder, target.name, data, kind)
        finally:
            os.close(folder)


def _write_in_folder(folder: int, name: str, data: bytes, kind: _Kind) -> None:
    # Everything is relative to the open folder, so that nobody can exchange it on the way.
    temporary = f".{name}.{os.urandom(8).hex()}.tmp"
    handle = os.open(
        temporary,
        os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC,
        0o600,
        dir_fd=folder,
    )
    try:
        try:
            os.fchmod(handle, kind.mode)
            if kind.keep_owner:
                give_to_owner(handle, folder)
            _write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        if kind.keep_previous:
            _keep_previous(folder, name)
        if kind.fresh:
            # A link, unlike a rename, refuses where the name is taken.
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            os.unlink(temporary, dir_fd=folder)
        else:
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)


def _keep_previous(folder: int, name: str) -> None:
    # The link is made under a passing name and then renamed, so that a .bak is there at any time.
    passing = f".{name}.{os.urandom(8).hex()}.bak.tmp"
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(info.st_mode):
        return
    os.link(name, passing, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    try:
        os.replace(passing, f"{name}.bak", src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        # Renaming a link onto another link of the same file does nothing and leaves both names.
        with contextlib.suppress(OSError):
            os.unlink(passing, dir_fd=folder)


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _write_by_path(target: Path, data: bytes, *, fresh: bool) -> None:
    temporary = target.with_name(f".{target.name}.{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("xb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        if fresh:
            temporary.rename(target)  # on Windows this refuses where the name is taken
        else:
            temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def give_to_owner(what: int | str | os.PathLike[str], folder: int | str | os.PathLike[str]) -> None:
    """Give what root has made in a store to the owner of the folder it is in.

    Root administers and a user of its own serves, in either order: what root leaves in a store must
    stay that user's. Nothing happens for other users, and in root's own folders.

    Args:
        what: an open file, or a path whose last name is not followed.
        folder: whose owner it gets; open, or a path.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return
    info = os.stat(folder)  # noqa: PTH116 - an open folder, too
    if info.st_uid == 0:
        return
    if isinstance(what, int):
        os.fchown(what, info.st_uid, info.st_gid)
    else:
        os.chown(what, info.st_uid, info.st_gid, follow_symlinks=False)


def sweep(store: str | os.PathLike[str], before: float = math.inf) -> None:
    """Delete what a crash left in a store, in its folder and in those in it; as far as that goes.
    Otherwise as `remove_leftovers`."""
    with contextlib.suppress(OSError):
        for folder in (Path(store), *(one for one in Path(store).iterdir() if one.is_dir())):
            with contextlib.suppress(MusterError):
                remove_leftovers(folder, before)


def remove_leftovers(folder: str | os.PathLike[str], before: float = math.inf) -> int:
    """Delete temporary files that a crash in `write_atomic` left in `folder`; how many.

    Args:
        before: those alone that were last written before this instant (Unix seconds), for a caller
            that does not hold the lock of the folder: another writer's file looks the same.
    """
    removed = 0
    with _translated(folder):
        for entry in os.scandir(folder):
            name = entry.name
            if (
                name.startswith(".")
                and name.endswith(".tmp")
                and entry.is_file(follow_symlinks=False)
                and entry.stat(follow_symlinks=False).st_mtime < before
            ):
                Path(entry.path).unlink(missing_ok=True)
                removed += 1
    return removed


def make_folder(
    path: str | os.PathLike[str], mode: int = 0o700, *, keep_owner: bool = False
) -> None:
    """Make a folder and those above it; one that exists is left as it is.

    The last folder gets `mode` whatever the umask, as files do; those made above it are 0755, of
    which a umask takes rights only from users other than root [what root makes for all programs of
    a machine must be reached by them; a user's folders above a store are that user's own affair].
    With `keep_owner` the last one belongs to the owner of the one above it, if root makes it.
    Raises: `file/denied`, `file/read-only`, `file/full`, `file/not-regular`, `file/io`.
    """
    target = Path(path)
    with _translated(target):
        try:
            missing = [above for above in target.parents if not is_there(above)]
            for above in reversed(missing):
                with contextlib.suppress(FileExistsError):
                    above.mkdir(mode=0o755)
                    if sys.platform != "win32" and os.geteuid() == 0:
                        _set_mode(above, 0o755)
            target.mkdir(mode=mode)
            _set_mode(target, mode)
            if keep_owner:
                give_to_owner(target, target.parent)
        except FileExistsError:
            if not target.is_dir():
                raise error("file/not-regular", path=str(target)) from None


def _set_mode(folder: Path, mode: int) -> None:
    """Give a folder that was made just now its rights, and nothing that was put in its place."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY | _DIRECTORY | _NOFOLLOW | _CLOEXEC)
    try:
        os.fchmod(handle, mode)
    finally:
        os.close(handle)


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether anything has this name; a symbolic link is followed.

    `Path.exists` and its like raise PermissionError, or do not, by the version of Python.
    Raises: `file/denied` where this user may not look; `file/io`.
    """
    with _translated(path):
        try:
            os.stat(path)  # noqa: PTH116 - any kind of path
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return False
        return True


def closed_folder(path: str | os.PathLike[str]) -> Path | None:
    """The folder itself, or the first above it, that not everybody may enter; None where all may,
    or where that cannot be seen."""
    whole = Path(path).absolute()
    for folder in (*reversed(whole.parents), whole):
        try:
            if not folder.stat().st_mode & 0o001:
                return folder
        except OSError:
            return None
    return None


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether this is a folder, as far as this user may look; never raises."""
    return os.path.isdir(path)  # noqa: PTH112 - `Path.is_dir` raises where this user may not look


def read_bounded(path: str | os.PathLike[str], limit: int, *, follow: bool = True) -> bytes:
    """The bytes of a plain file of at most `limit` bytes.

    A pipe, device or folder refuses without waiting. With `follow=False` a symbolic link in the
    last place refuses too.
    Raises: `file/missing`, `file/denied`, `file/not-regular`, `file/too-large`, `file/io`.
    """
    with _translated(path):
        handle = open_plain(path, follow=follow)
        try:
            return read_handle(handle, path, limit)
        finally:
            os.close(handle)


def open_plain(path: str | os.PathLike[str], *, follow: bool, folder: int | None = None) -> int:
    """A plain file, open to be read; a pipe, device or folder refuses. Raises: OSError,
    `file/not-regular`. `folder`: the open folder that it is in, where it is named by that."""
    flags = os.O_RDONLY | _CLOEXEC | _NONBLOCK | (0 if follow else _NOFOLLOW)
    if sys.platform == "win32":
        flags |= os.O_BINARY
    handle = os.open(path, flags, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise error("file/not-regular", path=os.fspath(path))
    return handle


def read_handle(handle: int, path: str | os.PathLike[str], limit: int) -> bytes:
    """What an open file holds. Raises: OSError, `file/too-large`."""
    pieces: list[bytes] = []
    wanted = limit + 1
    while wanted > 0:
        piece = os.read(handle, min(wanted, 1 << 20))
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        wanted -= len(piece)
    raise error("file/too-large", path=os.fspath(path), limit=limit)


def open_lock(path: str | os.PathLike[str]) -> int:
    """A lock file, open; made where it is missing. Raises: the errors of opening a file."""
    with _translated(path):
        try:
            return os.open(path, _LOCK_FLAGS)
        except FileNotFoundError:
            handle = os.open(path, _LOCK_FLAGS | os.O_CREAT, 0o600)
        give_to_owner(handle, Path(path).parent)
        return handle


class Lock:
    """A lock between processes and threads on the file at `path`, which is made where missing.

    ```
    with Lock(store / "lock"):
        ...
    ```
    The kernel frees it when the process ends, however it ends. The file is never deleted: a
    second one of the same name would be a second lock. Not reentrant.

    Args:
        path: the lock file; its folder must exist.
        timeout: seconds to wait for another holder.
        shared: many readers at once, or one writer.
    Raises:
        `file/busy` when the wait was in vain, and the errors of opening a file.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, timeout: float = 10.0, shared: bool = False
    ) -> None:
        self._path = Path(path)
        self._timeout = timeout
        self._shared = shared
        self._handle: int | None = None

    def __enter__(self) -> Lock:
        if self._handle is not None:
            raise RuntimeError("this lock is already held by its owner")
        handle = open_lock(self._path)
        try:
            self._wait(handle)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return self

    def _wait(self, handle: int) -> None:
        end = time.monotonic() + self._timeout
        while True:
            with _translated(self._path):
                if try_lock(handle, shared=self._shared):
                    return
            if time.monotonic() >= end:
                raise error("file/busy", path=str(self._path), seconds=f"{self._timeout:g}")
            time.sleep(_POLL)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            unlock(handle)
            os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def try_lock(handle: int, *, shared: bool = False) -> bool:  # noqa: ARG001 - no shared locks here
        try:
            os.lseek(handle, 0, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as fault:
            if fault.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

    def unlock(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(handle: int, *, shared: bool = False) -> bool:
        """Take the lock of an open file where nobody holds it; whether that was so."""
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(handle: int) -> None:
        """Free the lock of an open file."""
        fcntl.flock(handle, fcntl.LOCK_UN)


def check_anchor(path: str | os.PathLike[str]) -> None:
    """Check that nobody but root and this process's user can change what `path` names.

    The file must be a plain file, not writable by group or world; it, every folder above it and
    every symbolic link on the way must belong to root or to this process's user. A folder that
    group or world may write must have the sticky bit, as /tmp has [else others rename files in
    it].
    Raises: `file/anchor` naming the first thing that is wrong; `file/missing`, `file/denied`.
    """
    _walk_anchor(path)


def read_anchor(path: str | os.PathLike[str], limit: int, *, trusted: bool = False) -> bytes:
    """Read a file that must be an anchor; the file read is the file that was checked.

    Args:
        path: the file.
        limit: bytes.
        trusted: the caller was told to trust the file whatever its rights.
    Raises: as `check_anchor` and `read_bounded`.
    """
    if trusted:
        return read_bounded(path, limit)
    checked = _walk_anchor(path)
    with _translated(path):
        handle = open_plain(path, follow=True)
        try:
            opened = os.fstat(handle)
            if (opened.st_dev, opened.st_ino) != (checked.st_dev, checked.st_ino):
                raise error(
                    "file/anchor", path=os.fspath(path), detail="it was exchanged while it was read"
                )
            return read_handle(handle, path, limit)
        finally:
            os.close(handle)


def _walk_anchor(path: str | os.PathLike[str]) -> os.stat_result:
    named = os.fspath(path)
    if sys.platform == "win32":
        raise error(
            "file/anchor", path=named, detail="rights of files are not checked on this platform"
        )
    pending = list(reversed((Path.cwd() / named).parts[1:]))
    at = Path("/")
    links = 0
    with _translated(path):
        info = at.lstat()
        _check_owner(named, at, info)
        while pending:
            _check_folder(named, at, info)
            part = pending.pop()
            if part == "..":
                at = at.parent
                info = at.lstat()
                continue
            step = at / part
            info = step.lstat()
            _check_owner(named, step, info)
            if stat.S_ISLNK(info.st_mode):
                links += 1
                if links > _LINKS:
                    raise error("file/anchor", path=named, detail="it has too many links")
                target = step.readlink()
                if target.is_absolute():
                    at = Path("/")
                pending.extend(p for p in reversed(target.parts) if p != "/")
                info = at.lstat()
                continue
            at = step
    if not stat.S_ISREG(info.st_mode):
        raise error("file/anchor", path=named, detail=f"{at} is not a plain file")
    if info.st_mode & 0o022:
        raise error("file/anchor", path=named, detail=f"group or world may write {at}")
    return info


def _check_owner(named: str, at: Path, info: os.stat_result) -> None:
    if info.st_uid not in (0, os.geteuid()):
        raise error(
            "file/anchor",
            path=named,
            detail=f"{at} belongs to the user number {info.st_uid}, neither root nor this user",
        )


def _check_folder(named: str, at: Path, info: os.stat_result) -> None:
    if not stat.S_ISDIR(info.st_mode):
        raise error("file/anchor", path=named, detail=f"{at} is not a folder")
    if info.st_mode & 0o022 and not info.st_mode & stat.S_ISVTX:
        raise error(
            "file/anchor", path=named, detail=f"group or others may write to the folder {at}"
        )
