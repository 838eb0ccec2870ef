"""Packages and the Debian root of their tests, made once for all of them (one worker runs them)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.packages.engine import BASE, Engine, recipe
from tests.packages.machine import OURS, Packages, build, debian_root


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Packages]:
    """The packages by kind and version."""
    return build(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def packages(built: dict[tuple[str, str], Packages]) -> Packages:
    """The Debian packages by name."""
    return built["deb", OURS]


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh Debian root, which machines share and do not change."""
    missing = [name for name in ("debootstrap", "unshare", "nsenter") if not shutil.which(name)]
    if (missing or os.geteuid() != 0) and os.environ.get("CI") != "true":
        pytest.skip(f"needs root, and 'apt-get install debootstrap util-linux' ({missing})")
    return debian_root(tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="session")
def images(
    root: Path, packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Podman with the images of docs/images.md, built offline as that page says."""
    missing = [name for name in ("podman", "crun") if not shutil.which(name)]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"needs 'apt-get install podman crun' ({missing})")
    folder = tmp_path_factory.mktemp("podman")
    (folder / "deploy").symlink_to(Path(__file__).resolve().parents[2] / "deploy")
    (folder / "dist").mkdir()
    for package in packages.values():
        shutil.copyfile(package, folder / "dist" / package.name)
    engine = Engine(folder / "engine")
    kept = "--exclude=./usr/share/doc --exclude=./usr/share/locale --exclude=./var/cache/apt"
    pack = f'tar -C "$ROOT" {kept} -c . | podman import --quiet - {BASE}'
    try:
        engine.run("sh", "-euc", pack, ROOT=str(root))
        engine.run("sh", "-euc", recipe("Build"), folder=folder)
        yield engine
    finally:
        engine.stop()
