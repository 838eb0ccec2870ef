"""`muster doctor` with real programs: a publisher, DNS, hosts, and what stands in the zone."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli import printed

from muster.testing.nanodns import NanoDNS
from muster.testing.site import HOST_NAME, ZONE, Machine, Site

pytestmark = [pytest.mark.xdist_group("doctor"), pytest.mark.real, pytest.mark.timeout(240)]
PRODUCT = "contoso-server-2008-standard"
GENERAL = f"_muster._tcp.{ZONE}."
LABEL = f"_contoso._sub._muster._tcp.{ZONE}."


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with an activated host that publishes itself."""
    with Site(tmp_path_factory.mktemp("site"), small_dns=True) as found:
        found.start_publisher()
        found.start_dns()
        found.start_host(found.host_key("server-c"))
        found.wait_for_records(LABEL.rstrip("."))
        # The site's host is told its zone by options of 'serve', which the doctor does not see.
        found.muster("host", "set", "--store", str(found.host_store), "dns-zone", ZONE)
        found.muster("host", "set", "--store", str(found.host_store), "dns-target", HOST_NAME)
        yield found


@pytest.fixture(scope="module")
def machine(site: Site) -> Machine:
    """A machine with one product, licensed with four others."""
    machines = [site.machine(f"server-{number}") for number in range(5)]
    for one in (*machines, *machines):
        client = one.client(site.nameserver)
        client.add_product(site.descriptor(PRODUCT).read_bytes())
        client.activate()
    return machines[0]


def zone(site: Site) -> NanoDNS:
    dns = site._dns
    assert isinstance(dns, NanoDNS)
    return dns


def doctor(site: Site, store: Path, *words: str, dns: str = "") -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [
            sys.executable, "-m", "muster", "doctor", "--json", "--store", str(store),
            "--facts", str(site.hardware(store.name)), "--dns-server", dns or site.nameserver,
            *words,
        ],
        capture_output=True,
        check=False,
        timeout=60,
    )  # fmt: skip
    assert done.stderr == b""
    assert printed.judge(("doctor",), done.stdout.decode()) in {"doctor", "error"}
    return done.returncode, json.loads(done.stdout)


def failures(found: dict[str, Any], mark: str = "fail") -> list[tuple[str, str | None, str | None]]:
    return [
        (one["topic"], one["host"], one["code"])
        for report in found["reports"]
        for one in report["checks"]
        if one["mark"] == mark
    ]


def test_a_healthy_machine_and_a_healthy_host(site: Site, machine: Machine) -> None:
    code, found = doctor(site, machine.store)
    assert (code, found["healthy"], failures(found)) == (0, True, [])
    assert [one["role"] for one in found["reports"]] == ["client"]
    code, found = doctor(site, site.host_store)
    assert [one["role"] for one in found["reports"]] == ["host"]
    assert (code, failures(found), failures(found, "unknown")) == (0, [], [])


def test_people_read_one_thing_to_mend(site: Site, machine: Machine) -> None:
    lines = site.text(
        "doctor", "--store", str(machine.store), "--facts", str(machine.facts),
        "--dns-server", site.nameserver,
    )  # fmt: skip
    assert lines[0].startswith("contoso (")
    assert lines[-1] == "Nothing needs fixing."


def test_a_record_of_a_dead_host(site: Site, machine: Machine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    zone(site).add(f"dead.{ZONE}.", "A", "127.0.0.1")
    zone(site).add(LABEL, "SRV", f"9 0 {port} dead.{ZONE}.")
    try:
        for store in (machine.store, site.host_store):
            code, found = doctor(site, store)
            assert code == 1
            assert failures(found) == [("reachability", f"dead.{ZONE}:{port}", "net/refused")]
            (report,) = found["reports"]
            assert report["next_fix"]["host"] == f"dead.{ZONE}:{port}"
    finally:
        _remove(zone(site), f"dead.{ZONE}.")


def _remove(dns: NanoDNS, target: str) -> None:
    """Take the records out that point to a name."""
    for name in (LABEL, GENERAL):
        kept = [one for one in dns.records(name, "SRV") if not one.endswith(f" {target}")]
        dns.remove(name, "SRV")
        for one in kept:
            dns.add(name, "SRV", one)


def test_no_records_and_no_dns(site: Site, machine: Machine) -> None:
    with NanoDNS(ZONE, keys=[site.tsig]) as empty:
        for store, code_of in ((machine.store, "client/no-records"), (site.host_store, None)):
            code, found = doctor(site, store, dns=empty.server)
            assert code == 1
            assert failures(found)[0] == ("records", None, code_of)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        code, found = doctor(site, machine.store, dns=where)
    assert code == 3
    assert {one[0] for one in failures(found, "unknown")} == {"records"}


def test_a_host_of_a_stranger_under_our_label(site: Site, machine: Machine, tmp_path: Path) -> None:
    with Site(tmp_path, small_dns=True) as other:
        made = other.muster(
            "publisher", "init", "--store", str(other.publisher_store), "--label", "fabrikam",
            "--name", "Fabrikam", "--reserve-root", str(tmp_path / "reserve.key"), "--sample",
        )  # fmt: skip
        known = tmp_path / "fabrikam.publisher.json"
        other.muster("publisher", "export", "--store", str(other.publisher_store), str(known))
        other.muster("host", "init", "--store", str(other.host_store), "--publisher", str(known))
        ready = other.start(
            "serve", "host", "serve", "--store", str(other.host_store), "--port", "0",
            "--bind", "127.0.0.1", "--no-dns",
        )  # fmt: skip
        assert made["label"] == "fabrikam"
        name = f"theirs.{ZONE}"
        zone(site).add(f"{name}.", "A", "127.0.0.1")
        zone(site).add(LABEL, "SRV", f"5 0 {ready['port']} {name}.")
        try:
            code, found = doctor(site, machine.store)
        finally:
            _remove(zone(site), f"{name}.")
    assert code == 1
    assert failures(found) == [("grant", f"{name}:{ready['port']}", "host/not-served")]


def test_nothing_is_set_up(site: Site, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "muster", "doctor", "--store", str(tmp_path), "--json"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "client/no-product"


def test_a_revoked_host_is_named_from_the_machine_and_from_itself(
    site: Site, machine: Machine
) -> None:
    """Last: this host serves nobody afterwards."""
    store = str(site.publisher_store)
    (known,) = site.muster("publisher", "host", "list", "--store", store).rows("hosts")
    site.muster("publisher", "host", "revoke", "--store", store, known.text("hardware"))
    # The host goes on with its old catalogue until it hears; the publisher tells.
    code, found = doctor(site, site.host_store)
    assert code == 1
    assert ("grant", None, "host/grant-revoked") in failures(found)

    client = machine.store / "client.toml"
    client.write_text(f'{client.read_text()}publisher_url = "{site.publisher_url}"\n')
    code, found = doctor(site, machine.store)
    assert code == 1
    port = site.host_address.rpartition(":")[2]
    assert failures(found) == [("grant", f"{HOST_NAME}:{port}", "host/grant-revoked")]
    (report,) = found["reports"]
    assert f"{HOST_NAME}:{port}" in report["next_fix"]["what"]
