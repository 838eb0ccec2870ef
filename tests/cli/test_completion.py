"""What shells complete beside commands and options."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.shells import SHELLS, completed, stores


@pytest.mark.parametrize("shell", SHELLS)
def test_settings_and_products(shell: str, tmp_path: Path) -> None:
    made = stores(tmp_path)

    def offered(*words: str, store: Path = made) -> set[str]:
        return completed(shell, tmp_path, *words, store=store)

    assert offered("host", "se") == {"serve", "set"}
    assert offered("host", "set", "news") == {"news-interval"}
    assert offered("host", "set", "publish-dns", "") == {"true", "false"}
    both = {"contoso-office-2010", "contoso-server-2008-standard"}
    machine = made / "clients" / "6"
    assert offered("client", "activate", "--product", "contoso-", store=machine) == both
    assert offered("publisher", "product", "show", "contoso-v") == {"contoso-visio-2010"}


def test_whoever_completes_is_never_told_of_errors(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    for words in (("client", "activate", "--product", ""), ("publisher", "product", "show", "")):
        assert completed("bash", tmp_path, *words, store=store) == set()
    assert list(store.iterdir()) == []
