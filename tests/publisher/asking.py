"""Hosts that ask a publisher for their activation."""

from __future__ import annotations

import pytest
from tests.publisher.conftest import Host, Shop

from muster.core.errors import MusterError
from muster.core.keys import ProductKey
from muster.publisher.activations import HostActivation
from muster.publisher.service import PublisherService


def issue(shop: Shop, group: str = "server-c", term: int = 0) -> ProductKey:
    return shop.admin().issue_host_keys(group, term=term)[0].key


def ask(service: PublisherService, host: Host) -> HostActivation:
    return service.activate_host(host.digits(), "http")


def refused(service: PublisherService, host: Host) -> str:
    with pytest.raises(MusterError) as caught:
        ask(service, host)
    return caught.value.code
