"""How much of the house one wish or one question walks through."""

from __future__ import annotations

import pytest
from tests.cli.host.conftest import Desk as HostDesk
from tests.cli.host.conftest import active, desk, made
from tests.cli.publisher.conftest import Desk as PublisherDesk
from tests.cli.publisher.conftest import desk as publisher_desk
from tests.cli.publisher.conftest import empty
from tests.house.test_picture import named
from tests.house.tracer import touched
from tests.worlds.conftest import Scene, scene

__all__ = ["active", "desk", "empty", "made", "publisher_desk", "scene"]

MOST_MODULES = {"": 58, "client/": 23}
MOST_FUNCTIONS = {"": 410, "client/": 150}
"""Of ours, and of these of the client's own rooms, by a machine that is activated by a host over
HTTP (ADR 0019); a few more than it mostly is, since what a log and a lock need differs from run to
run."""
MOST_STATES = {"host status": 1, "key revoke": 3}
"""Snapshots and transactions of a database by a command."""


@pytest.mark.real
def test_an_activation_walks_through_few_modules_and_functions(scene: Scene) -> None:
    client = scene.machine("pc").client
    with touched() as found:
        (done,) = client.activate(None)
    assert done.renewed
    walk = {f"{file}:{name}" for file, name in named() if file.startswith("client/")}
    assert walk <= found.functions, "CONTRIBUTING.md walks where no activation goes"
    for rooms, most in MOST_MODULES.items():
        touched_there = sorted(one for one in found.modules if one.startswith(rooms))
        assert len(touched_there) <= most, touched_there
    for rooms, most in MOST_FUNCTIONS.items():
        touched_there = sorted(one for one in found.functions if one.startswith(rooms))
        assert len(touched_there) <= most, touched_there


@pytest.mark.real
def test_an_activation_reads_each_document_once(scene: Scene) -> None:
    """Of the descriptor, the catalogue that the host names, and the answer; nothing of the store is
    read again once it is locked, and no product key is parsed twice."""
    client = scene.machine("pc").client
    with touched() as found:
        (done,) = client.activate(None)
    assert done.renewed
    for reader in (
        "client/store.py:Store.load",
        "lease/descriptor.py:read_descriptor",
        "lease/trust.py:anchor",
        "lease/catalogue.py:read_catalogue",
        "lease/bundle.py:bundle_of",
        "lease/verify.py:verify_lease",
        "lease/grant.py:read_claims",
        "lease/lease.py:read_claims",
    ):
        assert found.calls[reader] == 1, reader
    keys = [one.setup_key for one in scene.contoso.products if one.setup_key]
    # Once out of the catalogue each, and once out of the descriptor.
    assert found.calls["core/keys.py:parse_product_key"] == len(keys) + 1


def test_a_status_looks_at_few_states_of_the_database(active: HostDesk) -> None:
    with touched() as found:
        active.data("status")
    assert 1 <= len(found.states) <= MOST_STATES["host status"]


def test_a_revocation_takes_few_states_of_the_database(publisher_desk: PublisherDesk) -> None:
    key = publisher_desk.data("key", "issue", "--kind", "host", "--group", "server-c")["keys"][0]
    with touched() as found:
        publisher_desk.data("key", "revoke", key["id"])
    assert 1 <= len(found.states) <= MOST_STATES["key revoke"]
