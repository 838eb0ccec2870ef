"""`muster client status` and slmgr's `/dlv` say which site file names the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.client.conftest import PRODUCT, Desk, desk

from muster.host.act.site import SiteWish, client_config

__all__ = ["desk"]


@pytest.fixture
def site(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site file that names the host of the desk; nothing else does."""
    folder = tmp_path / "site.d"
    folder.mkdir(mode=0o755)
    monkeypatch.setenv("MUSTER_CLIENT_SITE_FOLDER", str(folder))
    monkeypatch.setenv("MUSTER_CLIENT_NAMESERVER", "127.0.0.1:1")
    wish = SiteWish("kms1.corp.test", (desk.served.address.text,))
    path = folder / "10-corp.muster"
    path.write_text(client_config(desk.served.host.opened, wish).text, "utf-8")
    path.chmod(0o644)
    desk.client("product", "add", str(desk.descriptor))
    return path


def test_status_and_slmgr_name_the_file(desk: Desk, site: Path) -> None:
    assert f"by site file: {site} ({desk.served.address.text})" in desk.client("status")
    assert f"not asked yet (site files: {site})" in desk.type("slmgr", "/dlv").stdout
    (done,) = desk.data("activate")["products"]
    assert done["licensed"]
    assert f"named by {site}" in desk.client("status")
    assert f"KMS machine name from {site}" in desk.type("slmgr", "/dlv").stdout
    assert f"1. {desk.served.address.text}  site {site}" in desk.client("discover")


def test_a_file_that_does_not_count_is_said(desk: Desk, site: Path) -> None:
    site.chmod(0o666)
    text = desk.client("status")
    assert "client/site-rights" in text
    assert "by site file" not in text
    (row,) = desk.data("status")["products"]
    assert row["product"] == PRODUCT
    assert [one["code"] for one in row["site_errors"]] == ["client/site-rights"]
