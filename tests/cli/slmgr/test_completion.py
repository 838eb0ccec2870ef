"""What shells complete after `muster slmgr`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.shells import SHELLS, completed, stores


@pytest.mark.parametrize("shell", SHELLS)
def test_words_and_products(shell: str, tmp_path: Path) -> None:
    machine = stores(tmp_path) / "clients" / "6"

    def offered(*words: str) -> set[str]:
        return completed(shell, tmp_path, "slmgr", *words, store=machine)

    assert offered("/dl") == {"/dli", "/dlv"}
    assert offered("--host", "/sprt", "") == set()
    both = {"contoso-office-2010", "contoso-server-2008-standard"}
    assert offered("/dlv", "") == both | {"All"}
