"""What an installation may lack: packages that only an extra of the wheel brings.

Decides how a missing one is told. Refuses to know which packages there are: whoever imports one
names the extra that brings it (`pyproject.toml`; docs/dependencies.md).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from muster.core.catalogue import error


@contextlib.contextmanager
def brought_by(extra: str, wanted: str) -> Iterator[None]:
    """Around an import: tells which extra to install where the package is missing.

    Args:
        extra: the extra of this machine's role, such as `client`.
        wanted: what cannot be done without it, as the beginning of a sentence.
    Raises: `command/extra`.
    """
    try:
        yield
    except ImportError as fault:
        detail = " ".join(str(fault).split())
        raise error("command/extra", wanted=wanted, detail=detail, extra=extra) from fault
