"""Key files: sealed, private, never overwritten, bounded; damage and a wrong passphrase differ."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.lease import strict
from muster.system import keyfile
from muster.system.keyfile import Argon2id, Scrypt

QUICK = Argon2id(memory_kib=64, passes=1, lanes=1)
RAW = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sealed key."""
    found = tmp_path / "grant.key"
    keyfile.save_key(found, RAW, "correct horse", "grant", QUICK)
    return found


def fault_of(path: Path, passphrase: str = "correct horse", role: str | None = None) -> MusterError:
    with pytest.raises(MusterError) as caught:
        keyfile.load_key(path, passphrase, role)
    return caught.value


def rewrite(path: Path, members: dict[str, Any], *, mend: bool = True) -> None:
    """Write changed members; with `mend` as somebody would who knows the format."""
    if mend:
        members["sum"] = keyfile._sum(members)
    path.write_bytes(strict.canonical(members))


def members_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


@pytest.mark.parametrize("kdf", [QUICK, Scrypt(log_n=4), Scrypt(log_n=10, r=1, p=2)])
def test_round_trip(tmp_path: Path, kdf: keyfile.KDF) -> None:
    path = tmp_path / "root.key"
    keyfile.save_key(path, RAW, "pass", "root", kdf)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = keyfile.load_key(path, "pass", "root")
    key.public.verify(key.sign(b"data"), b"data")
    header = keyfile.read_header(path)
    assert (header.role, header.kdf, header.public) == ("root", kdf, key.public)
    assert RAW not in path.read_bytes()


def test_the_default_cost_is_rfc_9106s(tmp_path: Path) -> None:
    path = tmp_path / "k"
    keyfile.save_secret(path, b"tag" * 10, "pass", "tag")
    assert keyfile.read_header(path).kdf == Argon2id(memory_kib=65536, passes=3, lanes=4)
    assert keyfile.load_secret(path, "pass", "tag") == b"tag" * 10


def test_a_file_made_before_opens_for_ever(tmp_path: Path) -> None:
    """A file written by version 1; it must open in every later version."""
    path = tmp_path / "old.key"
    path.write_text(
        '{"kdf":{"lanes":1,"memory_kib":64,"name":"argon2id","passes":1,'
        '"salt":"YKcbvDISjwQ4EyCRvtZhfQ"},"nonce":"PpDap0wSFfCZe-34",'
        '"public":"gyClGXfYw4yopJJ8Zw31gh5El2GUXhXp77JqFQnSMOo","role":"grant",'
        '"sealed":"w2DSV5Zul7Y6AyAGgbkYs7sCDKiDPo95gzlVN89UPsaICyCJ4eu2EFFcTsKeqoN_",'
        '"sum":"Sj2w_eKeeRkhwpVeQW06rw","v":1}\n'
    )
    path.chmod(0o600)
    key = keyfile.load_key(path, "pass", "grant")
    assert key.public.kid == "mUgzPMSCUIl032h7VzIH1UI883RdYSKOolzbkUHAuUU"


def test_the_seal_is_plain_aes_gcm(path: Path) -> None:
    """Opened by hand, as the module's text says: another program can do it too."""
    members = members_of(path)
    key = QUICK.derive(b"correct horse", strict.b64url_decode(members["kdf"]["salt"], 16))
    sealed = strict.b64url_decode(members.pop("sealed"), 80)
    nonce = strict.b64url_decode(members["nonce"], 12)
    members.pop("sum")
    assert AESGCM(key).decrypt(nonce, sealed, strict.canonical(members)) == RAW


def test_wrong_passphrase(path: Path) -> None:
    assert fault_of(path, "correct horsE").code == "keyfile/passphrase"
    assert fault_of(path, "").code == "keyfile/no-passphrase"


def test_the_passphrase_is_normalised(tmp_path: Path) -> None:
    path = tmp_path / "k"
    keyfile.save_key(path, RAW, "Zu\u0308rich", "grant", QUICK)
    assert keyfile.load_key(path, "Z\u00fcrich").public == keyfile.read_header(path).public
    keyfile.save_key(tmp_path / "odd", RAW, "a\udc80b", "grant", QUICK)
    keyfile.load_key(tmp_path / "odd", "a\udc80b")


def test_never_overwritten_and_never_without_passphrase(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(MusterError) as caught:
        keyfile.save_key(path, RAW, "other", "grant", QUICK)
    assert caught.value.code == "keyfile/exists"
    assert path.read_bytes() == before
    with pytest.raises(MusterError) as caught:
        keyfile.save_key(path.with_name("new"), RAW, "", "grant", QUICK)
    assert caught.value.code == "keyfile/no-passphrase"
    assert not path.with_name("new").exists()


def test_a_file_cut_at_any_byte_is_damaged(path: Path) -> None:
    whole = path.read_bytes()
    for size in range(len(whole) - 1):  # the last byte is the line end
        path.write_bytes(whole[:size])
        assert fault_of(path).code in {"keyfile/malformed", "keyfile/damaged"}


def test_any_changed_byte_is_damage_not_a_wrong_passphrase(path: Path) -> None:
    whole = path.read_bytes()
    for place in range(len(whole) - 1):
        changed = bytearray(whole)
        changed[place] ^= 0x01
        path.write_bytes(bytes(changed))
        assert fault_of(path).code in {"keyfile/malformed", "keyfile/damaged", "keyfile/cost"}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("role", "root"),
        ("nonce", strict.b64url_encode(b"n" * 12)),
        ("public", strict.b64url_encode(b"p" * 32)),
        ("kdf", QUICK.members() | {"salt": strict.b64url_encode(b"s" * 16)}),
        ("kdf", Argon2id(64, 2, 1).members() | {"salt": strict.b64url_encode(b"s" * 16)}),
    ],
)
def test_members_cannot_be_exchanged(path: Path, member: str, value: Any) -> None:
    members = members_of(path)
    members[member] = value
    rewrite(path, members)
    assert fault_of(path).code == "keyfile/passphrase"


def test_role(path: Path) -> None:
    fault = fault_of(path, role="root")
    assert fault.code == "keyfile/role"
    assert "grant" in fault.what


def test_kinds_are_not_mixed(path: Path, tmp_path: Path) -> None:
    with pytest.raises(MusterError) as caught:
        keyfile.load_secret(path, "correct horse")
    assert caught.value.code == "keyfile/malformed"
    keyfile.save_secret(tmp_path / "tag", RAW, "pass", "tag", QUICK)
    assert fault_of(tmp_path / "tag", "pass").code == "keyfile/malformed"


BOMBS: list[dict[str, Any]] = [
    {"name": "argon2id", "memory_kib": 2**40, "passes": 1, "lanes": 1},
    {"name": "argon2id", "memory_kib": 1024 * 1024 + 1, "passes": 1, "lanes": 1},
    {"name": "argon2id", "memory_kib": 1024 * 1024, "passes": 9, "lanes": 1},
    {"name": "argon2id", "memory_kib": 64, "passes": 2**50, "lanes": 1},
    {"name": "argon2id", "memory_kib": 64, "passes": 1, "lanes": 2**31},
    {"name": "argon2id", "memory_kib": 0, "passes": 1, "lanes": 1},
    {"name": "argon2id", "memory_kib": 64, "passes": 0, "lanes": 1},
    {"name": "scrypt", "log_n": 63, "r": 8, "p": 1},
    {"name": "scrypt", "log_n": 10**15, "r": 8, "p": 1},
    {"name": "scrypt", "log_n": 23, "r": 8, "p": 1},
    {"name": "scrypt", "log_n": 14, "r": 2**40, "p": 1},
    {"name": "scrypt", "log_n": 14, "r": 8, "p": 2**40},
    {"name": "scrypt", "log_n": 0, "r": 8, "p": 1},
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_cost_is_bounded_before_the_work(path: Path, bomb: dict[str, Any]) -> None:
    members = members_of(path)
    members["kdf"] = bomb | {"salt": members["kdf"]["salt"]}
    rewrite(path, members)
    assert fault_of(path).code == "keyfile/cost"


@pytest.mark.parametrize("kdf", [Argon2id(memory_kib=2**30), Scrypt(log_n=40)])
def test_cost_is_bounded_when_sealing(tmp_path: Path, kdf: keyfile.KDF) -> None:
    with pytest.raises(MusterError) as caught:
        keyfile.save_key(tmp_path / "k", RAW, "pass", "grant", kdf)
    assert caught.value.code == "keyfile/cost"


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"more": 1},
        {"role": "Grant"},
        {"role": 5},
        {"kdf": "argon2id"},
        {"kdf": {"name": "pbkdf2", "salt": ""}},
        {"kdf": QUICK.members() | {"passes": True, "salt": "AAAAAAAAAAAAAAAAAAAAAA"}},
        {"kdf": QUICK.members() | {"extra": 1, "salt": "AAAAAAAAAAAAAAAAAAAAAA"}},
        {"kdf": QUICK.members()},
        {"nonce": "AA"},
        {"nonce": 7},
        {"sealed": "AA"},
        {"sealed": "A" * 4000},
        {"public": "AA"},
        {"public": None},
    ],
)
def test_other_forms_are_malformed(path: Path, change: dict[str, Any]) -> None:
    rewrite(path, members_of(path) | change)
    assert fault_of(path).code == "keyfile/malformed"


def test_huge_and_strange_files(path: Path) -> None:
    path.write_bytes(b" " * 10_000)
    assert fault_of(path).code == "file/too-large"
    path.unlink()
    assert fault_of(path).code == "file/missing"
    path.mkdir()
    assert fault_of(path).code == "file/not-regular"


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o606])
def test_a_key_that_others_can_read_refuses(path: Path, mode: int) -> None:
    path.chmod(mode)
    fault = fault_of(path)
    assert fault.code == "keyfile/rights"
    assert "chmod 600" in fault.fix
    with pytest.raises(MusterError):
        keyfile.read_header(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another owner")
def test_a_key_of_another_user_refuses(path: Path) -> None:
    os.chown(path, 65534, 65534)
    assert fault_of(path).code == "keyfile/rights"


def test_too_little_memory_is_said(tmp_path: Path) -> None:
    """A machine with less memory than the key asks for, within what is allowed."""
    path = tmp_path / "big.key"
    keyfile.save_key(path, RAW, "pass", "root", QUICK)
    members = members_of(path)
    members["kdf"] |= {"memory_kib": 900_000}
    rewrite(path, members)
    program = f"""
import resource
from muster.core.errors import MusterError
from muster.system import keyfile
resource.setrlimit(resource.RLIMIT_AS, (500_000_000, 500_000_000))
try:
    keyfile.load_key({str(path)!r}, "pass")
except MusterError as fault:
    print(fault.code)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "keyfile/memory\n"


def test_public_and_private_must_fit(path: Path) -> None:
    """A file whose maker lies about the public key, with the right passphrase."""
    members = members_of(path)
    members["public"] = strict.b64url_encode(b"p" * 32)
    bound = {name: value for name, value in members.items() if name not in ("sealed", "sum")}
    key = QUICK.derive(b"correct horse", strict.b64url_decode(members["kdf"]["salt"], 16))
    nonce = strict.b64url_decode(members["nonce"], 12)
    members["sealed"] = strict.b64url_encode(
        AESGCM(key).encrypt(nonce, RAW, strict.canonical(bound))
    )
    rewrite(path, members)
    assert fault_of(path).code == "keyfile/malformed"


@pytest.mark.parametrize(("raw", "role"), [(b"", "tag"), (b"x" * 65, "tag"), (b"x", "No Role")])
def test_what_is_no_secret_is_a_bug(tmp_path: Path, raw: bytes, role: str) -> None:
    with pytest.raises(ValueError, match="role"):
        keyfile.save_secret(tmp_path / "k", raw, "pass", role, QUICK)


@given(st.binary(max_size=600))
def test_any_bytes_are_refused_by_the_catalogue(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.key"
    path.write_bytes(data)
    path.chmod(0o600)
    assert fault_of(path).code == "keyfile/malformed"
