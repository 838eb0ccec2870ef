"""What ends the sleep of a process: an instant of the wall clock, and a change in a folder. Linux.

Decides how the kernel is asked so that nothing wakes up in between: a timer of the wall clock that
also fires when somebody sets the clock or the machine was suspended (timerfd), and a watch on
folders (inotify). Each is a descriptor for `poll`. Refuses to know what is waited for.

Source: timerfd_create(2), inotify(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

_CLOCK_REALTIME = 0
_TIMER_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_ABSOLUTE, _CANCEL_ON_SET = 1, 2
_FAR = 1 << 40
"""An instant that does not come, so that a clock that is set is told all the same."""
_MOVED_TO, _CREATE, _DELETE = 0x80, 0x100, 0x200
_ONLY_FOLDER, _OVERFLOW, _IS_FOLDER = 0x01000000, 0x4000, 0x40000000
_EVENT = struct.Struct("iIII")


class _Span(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Span), ("value", _Span))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


class Alarm:
    """A timer of the wall clock; its descriptor can be read when it fired.

    An instant that passes while the machine is suspended fires when it wakes up.
    """

    def __init__(self) -> None:
        self._libc = _libc()
        self._handle = _checked(self._libc.timerfd_create(_CLOCK_REALTIME, _TIMER_FLAGS))
        self.set(None)

    def fileno(self) -> int:
        """The descriptor for `poll`."""
        return self._handle

    def set(self, instant: int | None) -> bool:
        """Fire at an instant, Unix seconds; at once where it has passed. None: at no instant.

        A clock that is set makes it fire in any case.

        Returns:
            Whether the clock was set since this alarm was, which is told once, here or by `read`.
        """
        seconds = _FAR if instant is None else max(instant, 1)
        wanted = _Setting(_Span(0, 0), _Span(min(seconds, _FAR), 0))
        flags = _ABSOLUTE | _CANCEL_ON_SET
        result = self._libc.timerfd_settime(self._handle, flags, ctypes.byref(wanted), None)
        if result < 0 and ctypes.get_errno() == errno.ECANCELED:
            return True  # it is armed all the same
        _checked(result)
        return False

    def read(self) -> bool:
        """Take note that it fired; whether that was because the clock was set."""
        try:
            os.read(self._handle, 8)
        except BlockingIOError:
            return False
        except OSError as fault:
            if fault.errno != errno.ECANCELED:
                raise
            return True
        return False

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._handle)


class FolderWatch:
    """Tells which names in some folders were put in place, made or removed."""

    def __init__(self) -> None:
        self._libc = _libc()
        self._handle = _checked(self._libc.inotify_init1(_TIMER_FLAGS))
        self._folders: dict[int, Path] = {}

    def fileno(self) -> int:
        """The descriptor for `poll`."""
        return self._handle

    def add(self, folder: Path) -> None:
        """Watch a folder; again is the same. Raises: OSError where it cannot be watched."""
        mask = _MOVED_TO | _CREATE | _DELETE | _ONLY_FOLDER
        number = _checked(self._libc.inotify_add_watch(self._handle, os.fsencode(folder), mask))
        self._folders[number] = folder

    def read(self) -> Iterator[tuple[Path, bool]]:
        """What changed since the last time: paths, and whether each is a folder.

        Where the kernel lost count, each watched folder is told as changed.
        """
        while True:
            try:
                data = os.read(self._handle, 65_536)
            except BlockingIOError:
                return
            at = 0
            while at + _EVENT.size <= len(data):
                number, mask, _, length = _EVENT.unpack_from(data, at)
                name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
                at += _EVENT.size + length
                if mask & _OVERFLOW:
                    yield from ((folder, True) for folder in self._folders.values())
                elif number in self._folders and name:
                    yield self._folders[number] / os.fsdecode(name), bool(mask & _IS_FOLDER)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._handle)
