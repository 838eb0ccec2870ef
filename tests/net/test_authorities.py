"""Certificates of authorities as people have them in files, and what cannot be passed on."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from muster.core.errors import MusterError
from muster.net.authorities import MAX_AUTHORITIES, read_authorities
from muster.testing.authority import Authority


@pytest.fixture
def pem(tmp_path: Path) -> bytes:
    Authority("Corp CA").write(tmp_path / "ca.pem")
    return (tmp_path / "ca.pem").read_bytes()


def test_all_certificates_of_a_file_each_once(pem: bytes, tmp_path: Path) -> None:
    Authority("Other CA").write(tmp_path / "other.pem")
    other = (tmp_path / "other.pem").read_bytes()
    text = b"# Corp CA\n" + pem + b"\n\n" + other.replace(b"\n", b"\r\n") + pem
    found = read_authorities(text, "ca.pem")
    assert found == tuple(ssl.PEM_cert_to_DER_cert(one.decode()) for one in (pem, other))


@pytest.mark.parametrize("what", ["none", "key", "rubbish", "cut", "many"])
def test_what_is_none_is_refused(pem: bytes, what: str, tmp_path: Path) -> None:
    data = {
        "none": b"",
        "key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "rubbish": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "cut": pem[:100] + pem[-28:],
        "many": b"",
    }[what]
    if what == "many":
        for number in range(MAX_AUTHORITIES + 1):
            Authority(f"CA {number}").write(tmp_path / "one.pem")
            data += (tmp_path / "one.pem").read_bytes()
    with pytest.raises(MusterError) as caught:
        read_authorities(data, "ca.pem")
    assert caught.value.code == "host/site-authority"
    assert "ca.pem" in caught.value.what
