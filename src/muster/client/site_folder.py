"""The folder of site files: which files are read, and whether others may write them.

Decides what is read of `/etc/muster/site.d` and what is wrong with a file before anything in it is
judged. Refuses to know publishers and signatures (`muster.client.sites`). Nothing here raises: a
machine must not lose its licence over a file. Obeys docs/spec/15-site-files.md, section 15.2.
"""

from __future__ import annotations

import os
from pathlib import Path

from muster.client.sites import SiteFile, told
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.lease.site import read_site_file
from muster.lease.strict import SITE_FILE
from muster.system.private import GuardedFolder
from muster.system.textfile import plain

MAX_FILES = 16
"""Files that are read at most."""
SUFFIX = ".muster"


def read_folder(folder: Path) -> tuple[SiteFile, ...]:
    """All site files of a folder, in the order of their names; none where it is missing."""
    try:
        with GuardedFolder(folder) as guarded:
            names = sorted(filter(_is_site, guarded.names()), key=os.fsencode)
            files = [_read(guarded, folder / name) for name in names[:MAX_FILES]]
    except MusterError as fault:
        return () if fault.code == "file/missing" else (SiteFile(str(folder), (), fault),)
    if len(names) > MAX_FILES:
        params = {"folder": str(folder), "number": len(names), "limit": MAX_FILES}
        files.append(SiteFile(str(folder), (), error("client/site-number", **params)))
    return tuple(files)


def _is_site(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")


def _read(guarded: GuardedFolder, path: Path) -> SiteFile:
    limit = SITE_FILE.bytes
    try:
        data = plain(guarded.read(path.name, 2 * limit + 4), path, limit)
        return SiteFile(str(path), read_site_file(data))
    except MusterError as fault:
        if fault.code.startswith("licence/"):
            fault = told(str(path), fault)
        return SiteFile(str(path), (), fault)
