"""Key files: one secret, sealed with a passphrase (docs/spec/09-files.md, section 9.3).

Decides how a signing key or another secret of at most 64 bytes is stored. It refuses to know
what the key may sign; the role in the file only tells a person and the caller which key it is.

The file is one JSON object (strict reading, 8 KiB):

```
{"v":1, "role":"grant", "public":"<base64url, only for signing keys>",
 "kdf":{"name":"argon2id","memory_kib":65536,"passes":3,"lanes":4,"salt":"<16 bytes>"},
 "nonce":"<12 bytes>", "sealed":"<secret and tag>", "sum":"<16 bytes>"}
```

The secret is sealed by AES-256-GCM under the key that the KDF makes of the passphrase (NFC,
UTF-8). Additional data is the JCS text of all members but `sealed` and `sum`, so that role,
public key and cost cannot be exchanged. `sum` is the first 16 bytes of SHA-256 over the JCS text
of all members but itself: it tells damage from a wrong passphrase before the work begins, and
protects nothing. Numbers of the KDF are bounded before the work begins, so that a forged file
cannot use up the memory. Argon2id is RFC 9106, scrypt RFC 7914.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InternalError, InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.lease import strict
from muster.lease.jws import MemorySigningKey, PublicKey
from muster.system import files
from muster.system.private import read_private

VERSION = 1
MAX_MEMORY_KIB = 1024 * 1024
"""1 GiB: no file makes us use more to open it."""
MAX_WORK_KIB = 8 * 1024 * 1024
"""Bound of memory times passes, which is time: some 10 seconds of one core."""
_FILE_LIMIT = 8192
_MEMBERS = {"v", "role", "kdf", "nonce", "sealed", "sum"}


@dataclass(frozen=True, slots=True)
class Argon2id:
    """Cost of Argon2id: memory in KiB, passes over it, lanes. The default is RFC 9106's second
    recommended choice."""

    memory_kib: int = 65536
    passes: int = 3
    lanes: int = 4

    @property
    def memory(self) -> int:
        """KiB of memory that one derivation uses."""
        return self.memory_kib

    def faults(self) -> str | None:
        """What makes the numbers unusable, or None."""
        if not 1 <= self.lanes <= 16:
            return "lanes are 1 to 16"
        if not 1 <= self.passes <= 64:
            return "passes are 1 to 64"
        if not 8 * self.lanes <= self.memory_kib <= MAX_MEMORY_KIB:
            return f"memory is {8 * self.lanes} to {MAX_MEMORY_KIB} KiB"
        if self.memory_kib * self.passes > MAX_WORK_KIB:
            return f"memory times passes is at most {MAX_WORK_KIB} KiB"
        return None

    def members(self) -> dict[str, int | str]:
        """The cost as members of the file."""
        return {
            "name": "argon2id",
            "memory_kib": self.memory_kib,
            "passes": self.passes,
            "lanes": self.lanes,
        }

    def derive(self, passphrase: bytes, salt: bytes) -> bytes:
        """32 bytes of key."""
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id as Primitive

        return Primitive(
            salt=salt,
            length=32,
            iterations=self.passes,
            lanes=self.lanes,
            memory_cost=self.memory_kib,
        ).derive(passphrase)


@dataclass(frozen=True, slots=True)
class Scrypt:
    """Cost of scrypt: n = 2^log_n, r, p; for machines without Argon2id."""

    log_n: int = 17
    r: int = 8
    p: int = 1

    @property
    def memory(self) -> int:
        """KiB of memory that one derivation uses."""
        return self.r << max(self.log_n, 3) >> 3

    def faults(self) -> str | None:
        """What makes the numbers unusable, or None."""
        if not (1 <= self.log_n <= 23 and 1 <= self.r <= 32 and 1 <= self.p <= 16):
            return "log_n is 1 to 23, r 1 to 32, p 1 to 16"
        if self.memory > MAX_MEMORY_KIB:
            return f"memory is at most {MAX_MEMORY_KIB} KiB"
        if self.memory * self.p > MAX_WORK_KIB:
            return f"memory times p is at most {MAX_WORK_KIB} KiB"
        return None

    def members(self) -> dict[str, int | str]:
        """The cost as members of the file."""
        return {"name": "scrypt", "log_n": self.log_n, "r": self.r, "p": self.p}

    def derive(self, passphrase: bytes, salt: bytes) -> bytes:
        """32 bytes of key."""
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt as Primitive

        return Primitive(salt=salt, length=32, n=1 << self.log_n, r=self.r, p=self.p).derive(
            passphrase
        )


KDF = Argon2id | Scrypt
DEFAULT_KDF = Argon2id()


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What a key file says without its passphrase; `public` is None for what signs nothing."""

    path: Path
    role: str
    kdf: KDF
    public: PublicKey | None


def save_key(
    path: str | os.PathLike[str],
    raw: bytes,
    passphrase: str,
    role: str,
    kdf: KDF = DEFAULT_KDF,
    *,
    random: bytes | None = None,
) -> None:
    """Seal an Ed25519 private key of 32 bytes into a new file, mode 0600.

    Raises: `keyfile/exists`, `keyfile/no-passphrase`, and the errors of writing a file.
    """
    public = MemorySigningKey(raw).public.raw
    _save(Path(path), raw, passphrase, role, kdf, public=public, random=random)


def save_secret(
    path: str | os.PathLike[str],
    raw: bytes,
    passphrase: str,
    role: str,
    kdf: KDF = DEFAULT_KDF,
    *,
    random: bytes | None = None,
) -> None:
    """Seal a secret of 1 to 64 bytes that signs nothing (a tag key); otherwise as `save_key`."""
    _save(Path(path), raw, passphrase, role, kdf, public=None, random=random)


def load_key(
    path: str | os.PathLike[str], passphrase: str, role: str | None = None
) -> MemorySigningKey:
    """Open a signing key.

    Args:
        path: the file; nobody but its owner may read it, and the owner is this user or root.
        passphrase: what it was sealed with.
        role: the role that it must have, or None for any.
    Raises:
        `keyfile/rights`, `keyfile/malformed`, `keyfile/damaged`, `keyfile/cost`,
        `keyfile/role`, `keyfile/passphrase`, `keyfile/memory`, `keyfile/no-passphrase`, and the
        errors of reading a file.
    """
    source = Path(path)
    return _signing_key(source, *_open(source, passphrase, role))


def seal_key(
    where: str | os.PathLike[str], raw: bytes, passphrase: str, role: str, kdf: KDF = DEFAULT_KDF
) -> bytes:
    """The text of a key file, to be kept inside the file `where`. Raises: as `save_key`."""
    public = MemorySigningKey(raw).public.raw
    return _seal(Path(where), raw, passphrase, role, kdf, public=public, random=None)


def unseal_key(
    where: str | os.PathLike[str], data: bytes, passphrase: str, role: str
) -> MemorySigningKey:
    """Open the text of a key file that is kept inside the file `where`. Raises: as `load_key`."""
    source = Path(where)
    return _signing_key(source, *_unseal(source, data, passphrase, role))


def _signing_key(source: Path, key_file: KeyFile, raw: bytes) -> MemorySigningKey:
    if key_file.public is None or len(raw) != 32:
        raise error("keyfile/malformed", path=str(source), detail="it holds no signing key")
    key = MemorySigningKey(raw)
    if key.public != key_file.public:
        raise error(
            "keyfile/malformed", path=str(source), detail="public and private key do not fit"
        )
    return key


def load_secret(path: str | os.PathLike[str], passphrase: str, role: str | None = None) -> bytes:
    """Open a secret that signs nothing. Raises: as `load_key`."""
    source = Path(path)
    key_file, raw = _open(source, passphrase, role)
    if key_file.public is not None:
        raise error("keyfile/malformed", path=str(source), detail="it holds a signing key")
    return raw


def read_header(path: str | os.PathLike[str]) -> KeyFile:
    """What the file says without its passphrase; not proved until it is opened.

    Raises: as `load_key`, but for the passphrase.
    """
    data = read_private(path, _FILE_LIMIT, owner_of=Path(path).parent)
    return _parse(Path(path), data).header


@dataclass(frozen=True, slots=True)
class _Parsed:
    header: KeyFile
    salt: bytes
    nonce: bytes
    sealed: bytes
    bound: bytes


def _save(
    path: Path,
    raw: bytes,
    passphrase: str,
    role: str,
    kdf: KDF,
    *,
    public: bytes | None,
    random: bytes | None,
) -> None:
    data = _seal(path, raw, passphrase, role, kdf, public=public, random=random)
    try:
        files.write_new(path, data, 0o600)
    except MusterError as fault_of_file:
        if fault_of_file.code == "file/exists":
            raise error("keyfile/exists", path=str(path)) from fault_of_file
        raise


def _seal(
    path: Path,
    raw: bytes,
    passphrase: str,
    role: str,
    kdf: KDF,
    *,
    public: bytes | None,
    random: bytes | None,
) -> bytes:
    if not grammar.KEY_FILE_ROLE.fullmatch(role) or not 1 <= len(raw) <= 64:
        raise ValueError("a role is [a-z][a-z0-9-]*, a secret has 1 to 64 bytes")
    fault = kdf.faults()
    if fault:
        raise error("keyfile/cost", path=str(path), detail=fault)
    from muster.system.entropy import SystemDice

    chance = SystemDice().token(28) if random is None else random
    salt, nonce = chance[:16], chance[16:28]
    members: dict[str, strict.JSONValue] = {
        "v": VERSION,
        "role": role,
        "kdf": {**kdf.members(), "salt": strict.b64url_encode(salt)},
        "nonce": strict.b64url_encode(nonce),
    }
    if public is not None:
        members["public"] = strict.b64url_encode(public)
    key = _derive(path, kdf, passphrase, salt)
    sealed = AESGCM(key).encrypt(nonce, raw, strict.canonical(members))
    members["sealed"] = strict.b64url_encode(sealed)
    members["sum"] = _sum(members)
    return strict.canonical(members) + b"\n"


def _open(path: Path, passphrase: str, role: str | None) -> tuple[KeyFile, bytes]:
    return _unseal(path, read_private(path, _FILE_LIMIT, owner_of=path.parent), passphrase, role)


def _unseal(path: Path, data: bytes, passphrase: str, role: str | None) -> tuple[KeyFile, bytes]:
    parsed = _parse(path, data)
    header = parsed.header
    if role is not None and header.role != role:
        raise error("keyfile/role", path=str(path), found=header.role, wanted=role)
    key = _derive(path, header.kdf, passphrase, parsed.salt)
    try:
        return header, AESGCM(key).decrypt(parsed.nonce, parsed.sealed, parsed.bound)
    except InvalidTag:
        raise error("keyfile/passphrase", path=str(path)) from None


def _parse(path: Path, data: bytes) -> _Parsed:
    try:
        members = strict.read(data, strict.Limits(_FILE_LIMIT, 2, 16, 1))
        if members.get("v") != VERSION or isinstance(members.get("v"), bool):
            raise ValueError("it has another version; update this program")
        if members.keys() - {"public"} != _MEMBERS:
            raise ValueError("members are missing or unknown")
        if members["sum"] != _sum(members):
            raise error("keyfile/damaged", path=str(path))
        role = members["role"]
        if not isinstance(role, str) or not grammar.KEY_FILE_ROLE.fullmatch(role):
            raise ValueError("the role has another form")
        kdf, salt = _read_kdf(path, members["kdf"])
        public = _bytes(members, "public", 32, 32) if "public" in members else None
        return _Parsed(
            header=KeyFile(path, role, kdf, PublicKey(public) if public is not None else None),
            salt=salt,
            nonce=_bytes(members, "nonce", 12, 12),
            sealed=_bytes(members, "sealed", 17, 80),
            bound=strict.canonical(
                {name: value for name, value in members.items() if name not in ("sealed", "sum")}
            ),
        )
    except ValueError as fault:
        raise error("keyfile/malformed", path=str(path), detail=str(fault)) from None
    except MusterError as fault:
        if fault.code.startswith("keyfile/"):
            raise
        detail = str(fault.params.get("detail", fault.what))
        raise error("keyfile/malformed", path=str(path), detail=detail) from None


def _read_kdf(path: Path, members: object) -> tuple[KDF, bytes]:
    if not isinstance(members, dict):
        raise ValueError("kdf is not an object")
    kdf: KDF
    match members:
        case {
            "name": "argon2id",
            "memory_kib": int(memory),
            "passes": int(passes),
            "lanes": int(lanes),
        }:
            kdf = Argon2id(memory, passes, lanes)
        case {"name": "scrypt", "log_n": int(log_n), "r": int(r), "p": int(p)}:
            kdf = Scrypt(log_n, r, p)
        case _:
            raise ValueError("its key derivation is not known")
    if members.keys() != kdf.members().keys() | {"salt"} or any(
        isinstance(value, bool) for value in members.values()
    ):
        raise ValueError("its key derivation is not known")
    fault = kdf.faults()
    if fault:
        raise error("keyfile/cost", path=str(path), detail=fault)
    return kdf, _bytes(members, "salt", 16, 16)


def _bytes(members: Mapping[str, object], name: str, low: int, high: int) -> bytes:
    value = members.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a string")
    data = strict.b64url_decode(value, high)
    if len(data) < low:
        raise ValueError(f"{name} is too short")
    return data


def _sum(members: strict.JSONObject) -> str:
    text = strict.canonical({name: value for name, value in members.items() if name != "sum"})
    return strict.b64url_encode(hashlib.sha256(text).digest()[:16])


def _derive(path: Path, kdf: KDF, passphrase: str, salt: bytes) -> bytes:
    if not passphrase:
        raise error("keyfile/no-passphrase")
    data = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    try:
        return kdf.derive(data, salt)
    except (MemoryError, InternalError):  # cryptography before 48 says the second
        raise error("keyfile/memory", path=str(path), memory=kdf.memory) from None
