"""`muster host client-config`: what an administrator prints, writes and passes on."""

from __future__ import annotations

import json

from tests.cli.host.conftest import Desk, active, desk, made

from muster.lease.site import read_site_file, verify_site
from muster.testing.authority import Authority

__all__ = ["active", "desk", "made"]

HOST = ("client-config", "--host", "kms1.corp.test:443")


def test_what_is_printed_is_the_file(active: Desk) -> None:
    printed = active.text(*HOST, "--suffix", "corp.test", "--tls", "--days", "30")
    (part,) = read_site_file(printed.encode())
    trust = active.publisher.trust
    site = verify_site(part, trust, active.publisher.catalogue, active.publisher.now).claims
    assert [(host.host, host.port, host.tls) for host in site.hosts] == [
        ("kms1.corp.test", 443, True)
    ]
    assert site.suffixes == ("corp.test",)
    data = active.data(*HOST)
    assert data["publishers"] == ["contoso"]
    assert json.loads(data["text"])["file"] == "muster-site"
    assert (data["tls"], data["file"], data["changed"]) == (False, None, True)


def test_a_file_and_its_authorities(active: Desk) -> None:
    Authority("Corp CA").write(active.folder / "ca.pem")
    path = active.folder / "site.muster"
    words = (*HOST, "--ca", str(active.folder / "ca.pem"), "--out", str(path))
    text = active.text(*words)
    assert "/etc/muster/site.d" in text
    assert path.stat().st_mode & 0o777 == 0o644
    assert active.data(*words)["authorities"] == 1
    (part,) = read_site_file(path.read_bytes())
    (authority,) = verify_site(part, active.publisher.trust, None, 0).claims.authorities
    assert authority.startswith(b"0\x82")


def test_what_cannot_be_signed_is_said(active: Desk) -> None:
    assert active.error("client-config", "--host", "localhost", code=2) == "host/site-name"
    (active.folder / "ca.pem").write_bytes(b"no certificate")
    words = (*HOST, "--ca", str(active.folder / "ca.pem"))
    assert active.error(*words, code=2) == "host/site-authority"
    assert active.type(*HOST, "--days", "0", code=2)


def test_who_is_not_activated_signs_nothing(made: Desk) -> None:
    assert made.error(*HOST, code=2) == "host/no-key"
