"""The vault: the folder of key files, each opened when somebody signs with it, and not before.

Decides which file holds which key and keeps what was opened in memory. Refuses to know what is
signed. Passphrases are asked for when the first file is opened; the file of a root may have a
passphrase of its own. Obeys docs/spec/03-trust-and-catalogue.md (roles) and `system.keyfile`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.lease.jws import MemorySigningKey, PublicKey, SigningKey
from muster.publisher.model import KeyFileRecord
from muster.system import files
from muster.system.keyfile import (
    DEFAULT_KDF,
    KDF,
    load_key,
    load_secret,
    read_header,
    save_key,
    save_secret,
)
from muster.system.private import owner_name

TAG_FILE = "tag.key"
ROOT, RESERVE = "root", "reserve"
_TAG_ROLE = "tag"


class Vault:
    """The key files of one publisher.

    Args:
        folder: where they are; made by `create_folder`.
        passphrase: asked when a working key or the tag key is opened or made.
        root_passphrase: asked when a root is opened or made.
        kdf: cost of the files that are made.
    """

    def __init__(
        self,
        folder: Path,
        passphrase: Callable[[], str],
        root_passphrase: Callable[[], str] | None = None,
        kdf: KDF = DEFAULT_KDF,
    ) -> None:
        self.folder = folder
        self._passphrase = passphrase
        self._root_passphrase = root_passphrase or passphrase
        self._kdf = kdf
        self._open: dict[str, SigningKey] = {}
        self._lock = threading.Lock()

    def create_folder(self) -> Path | None:
        """Make the folder, empty.

        Returns:
            Where the files of an `init` that did not end were moved to, or None. Nothing was ever
            signed for anybody with those, but no key is deleted.
        """
        moved: Path | None = None
        if self.folder.is_dir() and any(self.folder.iterdir()):
            moved = self._aside()
            self.folder.rename(moved)
        files.make_folder(self.folder, keep_owner=True)
        return moved

    def _aside(self) -> Path:
        number = 1
        while (free := self.folder.with_name(f"keys.unfinished-{number}")).exists():
            number += 1
        return free

    def _phrase(self, role: str) -> str:
        ask = self._root_passphrase if role in (ROOT, RESERVE) else self._passphrase
        return ask()

    def make_key(
        self, role: str, number: int, seed: bytes, now: int, path: Path | None = None
    ) -> tuple[KeyFileRecord, SigningKey]:
        """Seal a new signing key and keep it open; its record and itself.

        Args:
            role: root, reserve, catalogue or grant.
            number: of the role; is in the file's name.
            seed: 32 random bytes.
            now: Unix seconds.
            path: where the file is when not in this folder; the record then names no file.
        Raises: the errors of `system.keyfile.save_key`.
        """
        key = MemorySigningKey(seed)
        name = f"{role}-{number}-{key.public.kid[:8]}.key"
        save_key(path or self.folder / name, seed, self._phrase(role), role, self._kdf)
        if path is None:
            files.give_to_owner(self.folder / name, self.folder)
        with self._lock:
            self._open[key.public.kid] = key
        return KeyFileRecord(key.public.kid, role, number, "" if path else name, now), key

    def make_tag_key(self, secret: bytes) -> None:
        """Seal the 32 bytes that make the tags of product keys."""
        path = self.folder / TAG_FILE
        save_secret(path, secret, self._phrase(_TAG_ROLE), _TAG_ROLE, self._kdf)
        files.give_to_owner(path, self.folder)

    def tag_key(self) -> bytes:
        """The tag key; opened for issuing product keys only and not kept."""
        path = self.folder / TAG_FILE
        with _denied_as(path):
            return load_secret(path, self._phrase(_TAG_ROLE), _TAG_ROLE)

    def check_file(self, record: KeyFileRecord | None) -> None:
        """See that a key of the folder that is in memory could be opened again, at the next start.

        Raises: `publisher/key-away`, and as `system.keyfile.read_header`.
        """
        if record is None or not record.file:
            return
        path = self.folder / record.file
        try:
            with _denied_as(path):
                read_header(path)
        except MusterError as fault:
            if fault.code == "file/missing":
                raise error("publisher/key-away", role=record.role, kid=record.kid) from fault
            raise

    def roots(self) -> tuple[Path, ...]:
        """Files of the folder that are the key of a root, by what they say of themselves."""
        return tuple(path for path in sorted(self.folder.glob("*.key")) if _is_root(path))

    def is_open(self, kid: str) -> bool:
        """Whether the key is in memory already."""
        with self._lock:
            return kid in self._open

    def signing_key(
        self, record: KeyFileRecord | None, public: PublicKey, path: Path | None = None
    ) -> SigningKey:
        """Open a signing key.

        Args:
            record: where it is, or None when the tables do not know it.
            public: the public half that trust lists; a file that holds another key refuses.
            path: the file, where it is not in this folder.
        Raises: `publisher/key-away` (no file here and none named), `publisher/wrong-key`, and the
            errors of `system.keyfile.load_key`.
        """
        with self._lock:
            secret = self._open.get(public.kid)
        if secret is not None:
            return secret
        role = record.role if record else RESERVE
        source = path or (self.folder / record.file if record and record.file else None)
        if source is None:
            raise error("publisher/key-away", role=role, kid=public.kid)
        with _denied_as(source):
            if path is None and not source.exists():
                raise error("publisher/key-away", role=role, kid=public.kid)
            key = load_key(source, self._phrase(role), role)
        if key.public != public:
            raise error("publisher/wrong-key", path=str(source), role=role, kid=public.kid)
        with self._lock:
            self._open[public.kid] = key
        return key


@contextlib.contextmanager
def _denied_as(path: Path) -> Iterator[None]:
    """A key file that this user may not read is told with whose it should be."""
    try:
        yield
    except (MusterError, PermissionError) as fault:
        if isinstance(fault, MusterError) and fault.code != "file/denied":
            raise
        owner = owner_name(path.parent.parent)
        raise error(
            "keyfile/denied", path=str(path), folder=str(path.parent), owner=owner
        ) from fault


def _is_root(path: Path) -> bool:
    try:
        return read_header(path).role in (ROOT, RESERVE)
    except MusterError:
        return path.name.startswith((f"{ROOT}-", f"{RESERVE}-"))
