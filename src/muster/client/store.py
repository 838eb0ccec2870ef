"""A machine's store: one folder for each publisher, tamper-evident and written whole.

Decides how files are stored and which generation of one is read; their JSON is that of
`muster.client.store_codec`. It is called tamper-evident, never sealed: with no secret in
the client nothing is. A sum in the head of each file finds cuts and rot; whatever could license
anybody is signed and goes through the verifier each time it is read. Refuses to know what is
licensed (`muster.client.judge`). Obeys docs/client.md, "The store".

Files of `<root>/<publisher id>/`:

| file | what | rights |
|---|---|---|
| `state.json` | identity, products, timers, marks, licences | everybody may read |
| `trust.json` | trust objects above the descriptor's | everybody may read |
| `catalogue.json` | the newest catalogue | everybody may read |
| `secrets.json` | seeds of the machine key | owner only |
| `proofs.json` | proof keys of installed keys, for installation IDs | owner only |
| `anchors/<product>.json` | descriptors that were added | everybody may read |
| `lock` | held by whoever writes | owner only |

Each of the first four keeps its previous generation as `.bak`; what was forgotten of a key stays
forgotten. A file that cannot be read is
replaced by that one, with a warning; before something new is written the damaged file is kept
with the ending `.damaged`. Writers write trust and catalogue first and `state.json` last;
readers read `state.json` first: so a reader never sees marks above what it can find.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from muster.client import store_codec as codec
from muster.client.model import Memory
from muster.client.requests import Secrets
from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import check_publisher_id
from muster.core.values import dataclass
from muster.lease import strict
from muster.lease.claims import Claims

VERSION = 1
"""Version of the files that this program writes and reads."""
STATE, TRUST, CATALOGUE, SECRETS, PROOFS = "state", "trust", "catalogue", "secrets", "proofs"
ANCHOR_LIMIT = strict.DESCRIPTOR.bytes
"""Bytes of a descriptor."""

_MIB = 1024 * 1024
_LIMITS = {
    STATE: strict.Limits(16 * _MIB, 6, 1_048_576, 4_096),
    TRUST: strict.Limits(64 * _MIB, 3, 64, 65_536),
    CATALOGUE: strict.Limits(10 * _MIB, 2, 64, 16),
    SECRETS: strict.Limits(_MIB, 3, 8_192, 16),
    PROOFS: strict.Limits(_MIB, 3, 8_192, 16),
}
_HEAD = 512
_HEAD_LIMITS = strict.Limits(_HEAD, 1, 8, 1)
_MODES = {STATE: 0o644, TRUST: 0o644, CATALOGUE: 0o644, SECRETS: 0o600, PROOFS: 0o600}
_DAMAGED = "client/store-damaged"


class Disk(Protocol):
    """What a store asks of a disk; `muster.client.disk` has the real one."""

    def read(self, path: Path, limit: int) -> bytes:
        """The bytes of a plain file. Raises: `file/…`."""

    def read_anchor(self, path: Path, limit: int) -> bytes:
        """The bytes of a file that only root and this user could write. Raises: `file/…`."""

    def write(self, path: Path, data: bytes, mode: int, *, keep_previous: bool) -> None:
        """Replace a file whole and durably. Raises: `file/…`."""

    def move(self, path: Path, target: Path) -> None:
        """Rename a file over another one. Raises: `file/…`."""

    def remove(self, path: Path) -> None:
        """Remove a file where it is. Raises: `file/…`."""

    def make_folder(self, path: Path, mode: int) -> None:
        """Make a folder where it is missing. Raises: `file/…`."""

    def names(self, path: Path) -> list[str]:
        """Sorted names in a folder, none where it is missing. Raises: `file/…`."""

    def lock(self, path: Path) -> contextlib.AbstractContextManager[object]:
        """Hold a lock against other processes, after what a killed one left beside it, and in the
        folders beside it, was removed. Raises: `file/busy`."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a store holds and what reading it had to tell. `generation` of `state.json`."""

    memory: Memory
    generation: int
    warnings: tuple[MusterError, ...]


class _StoredFile:
    """One file as read: its body, and whether a damaged file is in its place."""

    __slots__ = ("body", "damaged", "generation")

    def __init__(self) -> None:
        self.body: bytes | None = None
        self.generation = 0
        self.damaged = ""


class Store:
    """The folder of one publisher.

    Args:
        root: the root of stores (`muster.system.paths.store_root`).
        publisher: a publisher id.
        disk: where the folder is.
    """

    def __init__(self, root: Path, publisher: str, disk: Disk) -> None:
        self.folder = root / check_publisher_id(publisher)
        self.publisher = publisher
        self._disk = disk

    def exists(self) -> bool:
        """Whether anything was ever added here."""
        return bool(self._disk.names(self.folder))

    def lock(self) -> contextlib.AbstractContextManager[object]:
        """Hold the folder for reading, changing and writing it. Raises: `file/busy`."""
        self._disk.make_folder(self.folder, 0o755)
        return self._disk.lock(self.folder / "lock")

    # Reading.

    def load(self) -> Loaded | None:
        """Read the whole folder, or None where nothing was ever written.

        Nothing read here is believed: `muster.client.judge` verifies it.
        Raises:
            `client/store-damaged`: `state.json` and its previous generation cannot be read, or it
            is gone though products were added; `client/store-newer`; `file/denied`, `file/io`.
        """
        state = self._stored_file(STATE)
        warnings: list[MusterError] = []
        if state.body is None:
            if state.damaged or self.products():
                detail = state.damaged or "it is missing"
                raise error(_DAMAGED, where=str(self._path(STATE)), detail=detail)
            return None
        if state.damaged:
            warnings.append(self._recovered(STATE, state.damaged))
        trust = self._optional(TRUST, warnings)
        catalogue = self._optional(CATALOGUE, warnings)
        value = self._read(STATE, state.body)
        memory = codec.read_memory(self.publisher, value, trust, catalogue)
        return Loaded(memory, state.generation, tuple(warnings))

    def generation(self) -> int:
        """The generation of `state.json`, 0 where it is missing or damaged. Raises: `file/…`."""
        return self._stored_file(STATE).generation

    def secrets(self) -> Secrets:
        """Seeds of machine keys; none where the file is missing or damaged."""
        stored = self._stored_file(SECRETS)
        if stored.body is None:
            return Secrets()
        return codec.read_secrets(self._read(SECRETS, stored.body))

    def proofs(self) -> dict[str, bytes]:
        """The proof keys by key id; none where the file is missing or damaged.

        Raises: `file/denied` where this user does not own the store; `file/io`.
        """
        stored = self._stored_file(PROOFS)
        if stored.body is None:
            return {}
        claims = self._read(PROOFS, stored.body).object("proofs")
        try:
            return {key: codec.bytes32(claims, key) for key in claims.value}
        except MusterError:
            return {}

    def _optional(self, name: str, warnings: list[MusterError]) -> Claims | None:
        stored = self._stored_file(name)
        if stored.damaged and stored.body is None:
            where = str(self._path(name))
            warnings.append(error("client/store-lost", where=where, detail=stored.damaged))
        elif stored.damaged:
            warnings.append(self._recovered(name, stored.damaged))
        return None if stored.body is None else self._read(name, stored.body)

    def _recovered(self, name: str, detail: str) -> MusterError:
        return error("client/store-recovered", where=str(self._path(name)), detail=detail)

    def _stored_file(self, name: str) -> _StoredFile:
        """The newest generation of a file that can be read; a newer version of it refuses."""
        stored = _StoredFile()
        for path in (self._path(name), self._backup(name)):
            try:
                data = self._disk.read(path, _LIMITS[name].bytes + _HEAD)
                stored.generation, stored.body = self._open(name, path, data)
            except MusterError as fault:
                if fault.code in ("file/too-large", "file/not-regular", _DAMAGED):
                    stored.damaged = stored.damaged or str(fault.params.get("detail", fault.what))
                    continue
                if fault.code == "file/missing":
                    continue
                raise
            if path != self._path(name) and not stored.damaged:
                stored.damaged = "it is missing"
            return stored
        return stored

    def _open(self, name: str, path: Path, data: bytes) -> tuple[int, bytes]:
        """Generation and body of a file whose sum holds and whose form is right."""
        head, mark, body = data.partition(b"\n")
        where = str(path)
        if not mark:
            raise error(_DAMAGED, where=where, detail="it is cut")
        try:
            fields = Claims(strict.read(head, _HEAD_LIMITS, "head"), "head", _DAMAGED)
            version = fields.integer("v", 1)
            generation = fields.integer("generation")
            if version == VERSION and fields.value.get("sum") != _sum(name, generation, body):
                raise error(_DAMAGED, where=where, detail="its sum is not right")
            if fields.value.get("file") != f"muster-client-{name}":
                raise error(_DAMAGED, where=where, detail="it is another file")
        except MusterError as fault:
            detail = str(fault.params.get("detail", fault.what))
            raise error(_DAMAGED, where=where, detail=detail) from None
        if version > VERSION:
            raise error("client/store-newer", where=where, v=version)
        self._read(name, body)
        return generation, body

    def _read(self, name: str, body: bytes) -> Claims:
        where = str(self._path(name))
        try:
            return Claims(strict.read(body, _LIMITS[name], name), where, _DAMAGED)
        except MusterError as fault:
            detail = str(fault.params.get("detail", fault.what))
            raise error(_DAMAGED, where=where, detail=detail) from None

    # Writing.

    def save(
        self,
        memory: Memory,
        secrets: Secrets | None = None,
        proofs: Mapping[str, bytes] | None = None,
    ) -> None:
        """Write what changed; only for a holder of the lock.

        `secrets` are new ones, `proofs` new proof keys; of the old ones those stay that are still
        of use.
        Raises: `file/full` and the other errors `file/…`; what was there before stands then.
        """
        if memory.publisher != self.publisher:
            raise ValueError("a store holds the memory of its own publisher")
        self._disk.make_folder(self.folder, 0o755)
        self._put(TRUST, {"trust": list(memory.trust)} if memory.trust else None)
        self._put(CATALOGUE, {"catalogue": memory.catalogue} if memory.catalogue else None)
        self._put_secrets(secrets or Secrets())
        self._put_proofs(memory, proofs or {})
        self._put(STATE, codec.state_to_dict(memory))

    def _put_secrets(self, fresh: Secrets) -> None:
        if not fresh.seeds:
            return
        held = kept = self.known_secrets()
        for cmid, seed in fresh.seeds.items():
            kept = kept.with_seed(cmid, seed)
        if kept != held:
            self._put(SECRETS, codec.secrets_to_dict(kept))

    def _put_proofs(self, memory: Memory, fresh: Mapping[str, bytes]) -> None:
        installed = {record.key for record in memory.products.values() if record.key}
        held = self.proofs()
        kept = {key: proof for key, proof in held.items() if key in installed} | dict(fresh)
        if kept != held:
            encoded = {key: strict.b64url_encode(proof) for key, proof in kept.items()}
            self._put(PROOFS, {"proofs": encoded} if encoded else None)

    def known_secrets(self) -> Secrets:
        """As `secrets`; a damaged file is none."""
        try:
            return self.secrets()
        except MusterError as fault:
            if fault.code in (_DAMAGED, "licence/malformed"):
                return Secrets()
            raise

    def _put(self, name: str, value: Mapping[str, Any] | None) -> None:
        """Write one file if its body changed, as the next generation; None removes it."""
        path = self._path(name)
        stored = self._stored_file(name)
        if value is None:
            if stored.body is not None or stored.damaged:
                self._set_aside(name, stored)
                self._disk.remove(path)
                self._disk.remove(self._backup(name))
            return
        body = strict.canonical(value)
        if body == stored.body and not stored.damaged:
            return
        generation = stored.generation + 1
        head: strict.JSONObject = {
            "file": f"muster-client-{name}",
            "generation": generation,
            "sum": _sum(name, generation, body),
            "v": VERSION,
        }
        self._set_aside(name, stored)
        data = strict.canonical(head) + b"\n" + body
        keep = name != PROOFS and not stored.damaged
        self._disk.write(path, data, _MODES[name], keep_previous=keep)

    def _set_aside(self, name: str, stored: _StoredFile) -> None:
        """Keep a damaged file under another name, so that the good generation stays the .bak."""
        if stored.damaged:
            path = self._path(name)
            with contextlib.suppress(MusterError):
                self._disk.move(path, path.with_name(path.name + ".damaged"))

    def reset(self) -> None:
        """Keep whatever is in the way with the ending .damaged; only for `product add`."""
        for name in (STATE, TRUST, CATALOGUE, SECRETS, PROOFS):
            stored = self._stored_file(name)
            if stored.damaged and stored.body is None:
                self._set_aside(name, stored)
                backup = self._backup(name)
                with contextlib.suppress(MusterError):
                    self._disk.move(backup, backup.with_name(backup.name + ".damaged"))

    # Descriptors that were added.

    def products(self) -> list[str]:
        """The products whose descriptors were added."""
        return [
            name.removesuffix(".json")
            for name in self._disk.names(self.folder / "anchors")
            if name.endswith(".json") and not name.startswith(".")
        ]

    def anchor(self, product: str) -> bytes:
        """The descriptor of an added product. Raises: `client/not-added`, `file/anchor`, …"""
        if not grammar.NAME.fullmatch(product):
            raise error("client/not-added", product=ascii(product)[1:-1][:64])
        try:
            return self._disk.read_anchor(self._anchor(product), ANCHOR_LIMIT)
        except MusterError as fault:
            if fault.code != "file/missing":
                raise
            raise error("client/not-added", product=product) from None

    def add_anchor(self, product: str, descriptor: bytes) -> None:
        """Keep the descriptor of a product."""
        self._disk.make_folder(self.folder, 0o755)
        self._disk.make_folder(self.folder / "anchors", 0o755)
        self._disk.write(self._anchor(product), descriptor, 0o644, keep_previous=False)

    def remove_anchor(self, product: str) -> None:
        """Forget the descriptor of a product."""
        self._disk.remove(self._anchor(product))

    def _anchor(self, product: str) -> Path:
        return self.folder / "anchors" / f"{product}.json"

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _backup(self, name: str) -> Path:
        return self.folder / f"{name}.json.bak"


def publishers(root: Path, disk: Disk) -> list[str]:
    """The publishers that have a folder with products under a root."""
    return [
        name
        for name in disk.names(root)
        if grammar.PUBLISHER_ID.fullmatch(name) and "anchors" in disk.names(root / name)
    ]


def _sum(name: str, generation: int, body: bytes) -> str:
    head = f"muster-client-{name}/{VERSION}/{generation}/".encode("ascii")
    return hashlib.sha256(head + body).hexdigest()
