"""Packages and the Debian root of their tests, made once for all of them (one worker runs them)."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.packages.engine import BASE, Engine, recipe
from tests.packages.machine import OURS, Packages, build, debian_root


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Containers first: behind machines whose networks have names Podman is slow to start any."""
    here = [at for at, item in enumerate(items) if Path(__file__).parent in item.path.parents]
    ours = sorted((items[at] for at in here), key=lambda item: not _in_containers(item))
    for at, item in zip(here, ours, strict=True):
        items[at] = item


def _in_containers(item: pytest.Item) -> bool:
    return "images" in getattr(item, "fixturenames", ())


MEMORY = Path("/dev/shm")
ROOM = 6 * 1024**3
"""Bytes that roots, packages and images take at most."""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where roots, packages, images and machines are: in memory where there is room, for none of
    them has to outlive a power cut, and dpkg and Podman sync what they write."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM:
        with tempfile.TemporaryDirectory(dir=MEMORY, prefix="muster-packages-") as folder:
            Path(folder).chmod(0o755)
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("packages")


@pytest.fixture
def tmp_path(place: Path) -> Path:
    """A folder of one test, there too."""
    made = Path(tempfile.mkdtemp(dir=place, prefix="test-"))
    made.chmod(0o755)
    return made


@pytest.fixture(scope="session")
def built(place: Path) -> dict[tuple[str, str], Packages]:
    """The packages by kind and version."""
    (place / "built").mkdir()
    return build(place / "built")


@pytest.fixture(scope="session")
def packages(built: dict[tuple[str, str], Packages]) -> Packages:
    """The Debian packages by name."""
    return built["deb", OURS]


@pytest.fixture(scope="session")
def root(place: Path) -> Path:
    """A fresh Debian root, which machines share and do not change."""
    missing = [name for name in ("debootstrap", "unshare", "nsenter") if not shutil.which(name)]
    if (missing or os.geteuid() != 0) and os.environ.get("CI") != "true":
        pytest.skip(f"needs root, and 'apt-get install debootstrap util-linux' ({missing})")
    (place / "debian").mkdir()
    return debian_root(place / "debian")


@pytest.fixture(scope="session")
def images(root: Path, packages: dict[str, Path], place: Path) -> Iterator[Engine]:
    """Podman with the images of docs/images.md, built offline as that page says."""
    missing = [name for name in ("podman", "crun") if not shutil.which(name)]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"needs 'apt-get install podman crun' ({missing})")
    folder = place / "podman"
    folder.mkdir()
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
