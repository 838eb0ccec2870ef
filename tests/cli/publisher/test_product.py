"""`muster publisher product` and `descriptor`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.publisher.conftest import CHEAP, Desk

from muster.lease.descriptor import read_descriptor


def test_products_and_descriptors(desk: Desk, tmp_path: Path) -> None:
    found = desk.data("product", "list")
    assert len(found["products"]) == 8
    assert "contoso-server-2008-datacenter" in desk.text("product", "list")
    shown = desk.data("product", "show", "contoso-desktop-7-enterprise")["product"]
    assert (shown["need"], shown["spans"]["lease"]) == (25, 180 * 86400)
    assert desk.refused("product", "show", "Nothing", code=2) == "publisher/product"
    out = tmp_path / "desktop.descriptor.json"
    words = ("descriptor", "contoso-desktop-7-enterprise", "--out", str(out))
    assert desk.data(*words) == {
        "changed": True,
        "file": str(out),
        "product": "contoso-desktop-7-enterprise",
        "trust": 1,
    }
    assert read_descriptor(out.read_bytes()).product.setup_key == shown["setup_key"]
    assert desk.data(*words)["changed"] is False
    desk.text("trust", "rotate", *CHEAP)
    assert desk.data(*words)["trust"] == 2
    assert desk.data(*words, "--trust-version", "1")["changed"] is True
    assert desk.refused(*words, "--trust-version", "9", code=2) == "publisher/no-trust"
