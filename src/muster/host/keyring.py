"""The host signing keys: one Ed25519 pair per publisher, one file each (0600, not encrypted).

Decides where a key is and what its file looks like. A service must start by itself, so no
passphrase protects it; what a thief gains is bounded by the host's grant (SECURITY.md).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.errors import MusterError
from muster.core.identity import check_publisher_id
from muster.lease.jws import MemorySigningKey
from muster.lease.strict import b64url_decode, b64url_encode
from muster.system.files import make_folder, write_new
from muster.system.private import owner_name
from muster.system.textfile import read_text_private

_HEAD = "muster-host-signing-key-v1"
_LINE = re.compile(rf"{_HEAD} ([A-Za-z0-9_-]{{43}})\n?")
_LIMIT = 256


class KeyRing:
    """The signing keys in one folder, named `<publisher id>.key`.

    `new` is a folder for those that are added, where they wait until the restore that brings them
    is whole; None: they are put beside the others.
    """

    def __init__(
        self, folder: str | os.PathLike[str], new: str | os.PathLike[str] | None = None
    ) -> None:
        self._folder = Path(folder)
        self._new = None if new is None else Path(new)

    def path(self, publisher: str) -> Path:
        """The file of a publisher's key."""
        name = f"{check_publisher_id(publisher)}.key"
        if self._new is not None and (self._new / name).exists():
            return self._new / name
        return self._folder / name

    def state(self, publisher: str) -> object:
        """What changes when the file of a publisher's key does, or may be read or not."""
        try:
            info = self.path(publisher).stat()
        except OSError as fault:
            return fault.errno
        return (info.st_ino, info.st_mtime_ns, info.st_size, info.st_mode, info.st_uid)

    def load(self, publisher: str) -> MemorySigningKey | None:
        """The key for a publisher, or None where none was made.

        Raises: `host/signing-key` (damaged), `host/signing-key-denied` (this user may not read
            it), `keyfile/rights` (open to others), `file/…`.
        """
        path = self.path(publisher)
        try:
            data = read_text_private(path, _LIMIT, owner_of=self._folder.parent)
        except MusterError as fault:
            if fault.code == "file/missing":
                return None
            if fault.code == "file/denied":
                folder, owner = str(self._folder), owner_name(self._folder.parent)
                raise error(
                    "host/signing-key-denied", path=str(path), folder=folder, owner=owner
                ) from fault
            raise
        data = data.replace(b"\r\n", b"\n")
        match = _LINE.fullmatch(data.decode("ascii", errors="replace"))
        if match is None:
            raise error("host/signing-key", path=str(path), detail="it is not such a key")
        try:
            raw = b64url_decode(match[1], 32, "signing key")
        except MusterError:
            raise error("host/signing-key", path=str(path), detail="it is damaged") from None
        return MemorySigningKey(raw)

    def ensure(self, publisher: str, dice: Dice) -> MemorySigningKey:
        """The key for a publisher, made where there is none; never overwritten."""
        signing_key = self.load(publisher)
        if signing_key is not None:
            return signing_key
        key = MemorySigningKey.generate(dice.token(32))
        try:
            self.put(publisher, key.raw)
        except MusterError as fault:
            if fault.code != "file/exists":
                raise
            # Another command was faster; its key is the one.
            other = self.load(publisher)
            if other is None:
                raise
            return other
        return key

    def put(self, publisher: str, raw: bytes) -> None:
        """Keep a key in a new file. Raises: `file/exists` and other `file/…`."""
        path = self.path(publisher)
        if self._new is not None:
            path = self._new / path.name
        make_folder(path.parent, keep_owner=True)
        line = f"{_HEAD} {b64url_encode(raw)}\n"
        write_new(path, line.encode("ascii"), keep_owner=True)
