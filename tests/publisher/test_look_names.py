"""What a publisher's list says of hosts: the name that a host gave itself, and the customer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from muster.cli import compose
from muster.cli.main import muster
from muster.core.products import day_of
from muster.lease.trust import GRANT_ROLE
from muster.net.serve import ThreadServer
from muster.publisher.act import clock
from muster.publisher.api import PublisherAPI
from muster.wire.exchange import RequestFile
from muster.wire.publisher import ConfirmRequest

from .conftest import PASSPHRASE, Host, Shop


def host(shop: Shop, customer: str = "") -> Host:
    (issued,) = shop.admin().issue_host_keys("server-b", customer=customer)
    return shop.host(issued.key)


def names(shop: Shop) -> list[str]:
    return [one.grant.name for one in shop.admin().hosts()]


def test_the_first_name_stays(shop: Shop) -> None:
    """Whoever heard an installation ID can repeat it, and renames nobody."""
    asking = host(shop)
    service, digits = shop.service(), asking.digits()
    first = service.activate_host(digits, "http", name="Main building")
    assert names(shop) == ["Main building"]
    again = service.activate_host(digits, "http", name="another")
    assert names(shop) == ["Main building"]
    assert again.grant.grant == first.grant.grant
    assert not again.drawn
    shop.admin().rotate((GRANT_ROLE,), withdraw=True, withdraw_retired=True)
    asking.trust = 2
    signed_anew = service.activate_host(asking.digits(), "http")
    assert signed_anew.grant.grant != first.grant.grant
    assert names(shop) == ["Main building"]


def test_a_host_that_was_activated_by_digits_can_be_named_later(shop: Shop) -> None:
    service, digits = shop.service(), host(shop).digits()
    service.activate_host(digits, "desk")
    assert names(shop) == [""]
    assert not service.activate_host(digits, "http", name="Annexe").drawn
    assert names(shop) == ["Annexe"]


def test_online_and_file_carry_the_name_and_the_list_shows_it_with_the_customer(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from muster.host.online import PublisherClient

    shop.clock.seconds = compose.clock().now()
    clock.confirm(shop.admin(), day_of(shop.clock.seconds))
    first, second = host(shop, "Fabrikam"), host(shop)
    with ThreadServer(PublisherAPI(shop.service()).router()) as server:
        PublisherClient(server.url).activate(first.digits(), 'Main "1"')
    file = tmp_path / "request"
    request = ConfirmRequest(second.digits(), "Annexe")
    file.write_bytes(RequestFile(shop.admin().publisher.id, request).encode())
    stores = tmp_path / "stores"
    shutil.copytree(shop.folder, stores / "publisher")
    monkeypatch.setenv("MUSTER_STORE", str(stores))
    monkeypatch.setenv("MUSTER_PASSPHRASE", PASSPHRASE)
    words = ["publisher", "host", "activate", "--request", str(file), "--reply"]
    done = CliRunner().invoke(muster, [*words, str(tmp_path / "reply")])
    assert done.exit_code == 0, done.output
    shown = CliRunner().invoke(muster, ["publisher", "host", "list"]).stdout
    assert '"Main \\"1\\""' in shown
    assert "Fabrikam" in shown
    assert '"Annexe"' in shown
