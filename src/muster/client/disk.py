"""The disk of this machine, as a store asks it: a thin hand over `muster.system.files`.

Obeys docs/client.md, "The store".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from muster.system import files


class SystemDisk:
    """Keeps the protocol `muster.client.store.Disk`.

    Args:
        lock_timeout: seconds to wait for another process.
        trust_anchors: take descriptors whatever the rights of their files; only for whoever was
            told so.
    """

    def __init__(self, lock_timeout: float = 30.0, *, trust_anchors: bool = False) -> None:
        self._lock_timeout = lock_timeout
        self._trust_anchors = trust_anchors

    def read(self, path: Path, limit: int) -> bytes:
        """The bytes of a plain file."""
        return files.read_bounded(path, limit)

    def read_anchor(self, path: Path, limit: int) -> bytes:
        """The bytes of a file that only root and this user could write."""
        return files.read_anchor(path, limit, trusted=self._trust_anchors)

    def write(self, path: Path, data: bytes, mode: int, *, keep_previous: bool) -> None:
        """Replace a file whole and durably."""
        files.write_atomic(path, data, mode, keep_previous=keep_previous, keep_owner=True)

    def move(self, path: Path, target: Path) -> None:
        """Rename a file over another one."""
        try:
            path.replace(target)
        except OSError as fault:
            raise files.translate(fault, path) from fault

    def remove(self, path: Path) -> None:
        """Remove a file where it is."""
        try:
            path.unlink(missing_ok=True)
        except OSError as fault:
            raise files.translate(fault, path) from fault

    def make_folder(self, path: Path, mode: int) -> None:
        """Make a folder where it is missing."""
        files.make_folder(path, mode, keep_owner=True)

    def names(self, path: Path) -> list[str]:
        """Sorted names in a folder, none where it is missing."""
        try:
            return sorted(entry.name for entry in path.iterdir())
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise files.translate(fault, path) from fault

    @contextlib.contextmanager
    def lock(self, path: Path) -> Iterator[None]:
        """Hold a lock against other processes; sweeps the folder first, and those in it."""
        with files.Lock(path, timeout=self._lock_timeout):
            files.sweep(path.parent)
            yield
