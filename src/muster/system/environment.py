"""Secrets that came by the environment, and are not to stay there.

Decides how a variable is forgotten: taken out of what child processes get, and overwritten where
the system shows it of this process (`/proc/PID/environ` is that memory). Refuses to know what it
was for.
"""

from __future__ import annotations

import contextlib
import os
import sys


def forget_variable(name: str) -> str | None:
    """The value of a variable, which is then gone from the environment; None where it is not set.

    On systems other than Linux the first memory of the environment is left as it is.
    """
    value = os.environ.get(name)
    if value is None:
        return None
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError, ImportError):
            _overwrite(name)
    del os.environ[name]
    return value


def _overwrite(name: str) -> None:
    import ctypes

    library = ctypes.CDLL(None)
    library.getenv.argtypes, library.getenv.restype = [ctypes.c_char_p], ctypes.c_void_p
    place = library.getenv(os.fsencode(name))
    if place:
        ctypes.memset(place, 0, len(ctypes.string_at(place)))
