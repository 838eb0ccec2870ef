"""`muster client product`."""

from __future__ import annotations

import pytest
from tests.cli.client.conftest import PRODUCT, Desk

pytestmark = pytest.mark.real


def test_descriptors_that_are_not_trusted(desk: Desk) -> None:
    desk.descriptor.chmod(0o666)
    add = ("product", "add", str(desk.descriptor))
    assert desk.error(*add, code=1) == "file/anchor"
    assert desk.data(*add, "--trust-file")["changed"] is True
    assert desk.error("product", "add", str(desk.store / "none"), code=3) == "file/missing"
    desk.descriptor.chmod(0o600)
    desk.descriptor.write_text("{}")
    assert desk.error(*add, code=1) == "descriptor/claims"


def test_products_are_listed_and_news_of_their_publisher_taken(ready: Desk) -> None:
    assert [one["product"] for one in ready.data("product", "list")["products"]] == [PRODUCT]
    file = ready.store.parent / "publisher.json"
    file.write_bytes(ready.served.publisher.file().encode())
    assert ready.data("catalogue", "import", str(file))["changed"]
    assert not ready.data("catalogue", "import", str(file))["changed"]


def test_a_store_that_is_damaged_is_told_and_begun_anew(ready: Desk) -> None:
    ready.client("activate")
    publisher = ready.served.publisher.publisher
    state = ready.store / publisher / "state.json"
    whole = state.read_bytes()
    state.write_bytes(whole[: len(whole) // 2])
    (shown,) = ready.data("status")["products"]
    assert [one["code"] for one in shown["warnings"]] == ["client/store-recovered"]
    state.with_name("state.json.bak").write_bytes(b"")
    (shown,) = ready.data("status")["products"]
    assert shown["licensed"] is False
    assert shown["why"]["code"] == "client/store-damaged"
    assert ready.error("activate", code=3) == "client/store-damaged"
    added = ready.data("product", "add", str(ready.descriptor))
    assert added["changed"] is True
    assert [one["code"] for one in added["warnings"]] == ["client/store-damaged"]
    assert state.with_name("state.json.damaged").exists()
    assert ready.data("activate")["changed"] is True
