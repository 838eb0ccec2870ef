"""Who says which machine this is: root's files and the caller's arguments, never a variable."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.client.facade import system_client
from muster.core.errors import MusterError
from muster.system import paths
from muster.system.facts import facts_file, read_facts, read_facts_file, variable_facts
from muster.testing.tiny_publisher import TinyPublisher

NOBODY = 65534
NOW = 1_795_000_000
FACTS = {"system-uuid": "421f245c-7fa8-60fa-6af6-a46351ced0eb", "board-serial": "L1HF65E00X9"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="muster-whose-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def facts_of(folder: Path, owner: int) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "facts.json"
    path.write_bytes(facts_file(FACTS))
    path.chmod(0o644)
    for one in (path, folder):
        os.chown(one, owner, owner)
    return path


def code(call: object, *arguments: object, **named: object) -> str:
    with pytest.raises(MusterError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    return caught.value.code


@as_root
def test_a_variable_counts_only_for_a_file_of_roots(place: Path) -> None:
    mine = facts_of(place / "user", NOBODY)
    roots = facts_of(place / "root", 0)
    assert read_facts(environ={"MUSTER_FACTS": str(roots)}, root=place) == FACTS
    assert code(read_facts, environ={"MUSTER_FACTS": str(mine)}, root=place) == "facts/variable"
    assert variable_facts({}) is None
    # A file of root's in a user's folder can be exchanged by that user, and so can a link to it.
    moved = place / "user" / "of-root.json"
    shutil.copy(roots, moved)
    assert code(variable_facts, {"MUSTER_FACTS": str(moved)}) == "facts/variable"
    link = place / "user" / "link.json"
    link.symlink_to(roots)
    assert code(variable_facts, {"MUSTER_FACTS": str(link)}) == "facts/variable"


@as_root
def test_an_ordinary_users_variable_licenses_no_application(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The facade reads this machine whatever the variable says, also where root's file lies."""
    descriptor = TinyPublisher(now=NOW).descriptor("desktop-pro")
    monkeypatch.setenv("HOME", "/nonexistent")
    named = facts_of(place / "root", 0)
    system_client(store=place / "argument", facts=named).add_product(descriptor, identity="device")
    for number, path in enumerate((facts_of(place / "user", NOBODY), named)):
        store = place / f"store{number}"
        store.mkdir()
        os.chown(store, NOBODY, NOBODY)
        monkeypatch.setenv("MUSTER_FACTS", str(path))
        os.seteuid(NOBODY)
        try:
            client = system_client(store=store)
            found = code(client.add_product, descriptor, identity="device")
        finally:
            os.seteuid(0)
        assert found == "client/no-system-uuid", "the file of the variable was read"


@as_root
def test_a_named_file_may_be_the_callers_own(place: Path) -> None:
    mine = facts_of(place / "user", NOBODY)
    assert code(read_facts_file, mine) == "facts/rights", "root does not believe a user's file"
    os.seteuid(NOBODY)
    try:
        assert read_facts_file(mine) == FACTS
        assert code(read_facts_file, mine, root_only=True) == "facts/rights"
    finally:
        os.seteuid(0)


def test_a_variable_does_not_displace_the_systems_store(tmp_path: Path) -> None:
    system, other = tmp_path / "system", tmp_path / "other"
    rest = [tmp_path / name for name in ("user", "a", "b", "run")]
    where = paths.Places(system, *rest)
    assert paths.displaced_store({"MUSTER_STORE": str(other)}, where=where) is None, "there is none"
    system.mkdir()
    assert paths.displaced_store({"MUSTER_STORE": str(other)}, where=where) == system
    assert paths.displaced_store({"MUSTER_STORE": str(system)}, where=where) is None
    assert paths.displaced_store({}, where=where) is None


@as_root
def test_an_application_keeps_to_the_systems_store(place: Path) -> None:
    """In a mount namespace with a store of the system; commands say what the variable does."""
    descriptor = place / "descriptor.json"
    descriptor.write_bytes(TinyPublisher(now=NOW).descriptor("desktop-pro"))
    descriptor.chmod(0o644)
    script = (
        "mount -t tmpfs none /var/lib && mkdir /var/lib/muster && "
        f"{sys.executable} -m muster client product add $1 --store /var/lib/muster >&2 && "
        f'{sys.executable} -c "from muster.client import facade; import sys; '
        "print(facade.system_client().root, facade.licence(sys.argv[1]).state.value, "
        "facade.licence(sys.argv[1], store=sys.argv[2]).state.value); "
        "told = facade.licence(sys.argv[1]).warnings + "
        "facade.licence(sys.argv[1], store=sys.argv[2]).warnings; "
        'print(*(one.code for one in told))" $1 $2 && '
        f"{sys.executable} -m muster client status 2>&1 | grep -c MUSTER_STORE"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", str(descriptor), str(place / "other")],
        env={
            "MUSTER_STORE": str(place / "other"),
            "HOME": "/root",
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    used, warned, shown = done.stdout.splitlines()
    # In the system's store the product is set up, in the other one it is not.
    assert used == "/var/lib/muster 2 0", done.stderr
    assert (warned, shown) == ("client/store-variable", "1"), done.stderr
