"""Packages and the Debian root of their tests, made once for all of them (one worker runs them)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.packages.machine import build, debian_root


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The Debian packages by name."""
    return build(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh Debian root, which machines share and do not change."""
    missing = [name for name in ("debootstrap", "unshare", "nsenter") if not shutil.which(name)]
    if (missing or os.geteuid() != 0) and os.environ.get("CI") != "true":
        pytest.skip(f"needs root, and 'apt-get install debootstrap util-linux' ({missing})")
    return debian_root(tmp_path_factory.mktemp("root"))
