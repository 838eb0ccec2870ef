"""Which files of the folder are read, and who may write them (section 15.2)."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.client import site_folder
from muster.client.settings import plan_for
from muster.client.site_folder import MAX_FILES, read_folder
from muster.client.sites import SiteFile, judge
from muster.host.act.site import SiteWish, client_config
from muster.lease.site import read_site_file
from muster.testing.world import START, World

WORLD = World()
DATA = client_config(WORLD.host().opened, SiteWish("kms1.corp.test")).text.encode() + b"\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "site.d"
    path.mkdir(mode=0o755)
    put(path, "10-corp.muster")
    return path


def put(folder: Path, name: str, data: bytes = DATA, mode: int = 0o644) -> Path:
    path = folder / name
    path.write_bytes(data)
    path.chmod(mode)
    return path


def codes(folder: Path) -> list[str | None]:
    """What is wrong with each file, None for nothing."""
    return [None if file.fault is None else file.fault.code for file in read_folder(folder)]


def test_a_folder_that_is_missing_is_an_empty_one(tmp_path: Path) -> None:
    assert read_folder(tmp_path / "none") == ()
    (tmp_path / "file").write_bytes(b"")
    (found,) = codes(tmp_path / "file")
    assert found is not None


def test_files_are_read_by_name_and_others_passed_over(folder: Path) -> None:
    for name in ("2.muster", "é.muster", ".hidden.muster", "README", "x.muster.bak"):
        put(folder, name)
    (folder / "folder.muster").mkdir()
    files = read_folder(folder)
    assert [Path(file.path).name for file in files] == [
        "10-corp.muster",
        "2.muster",
        "folder.muster",
        "é.muster",
    ]
    assert [file.fault and file.fault.code for file in files] == [
        None,
        None,
        "file/not-regular",
        None,
    ]
    assert files[0] == SiteFile(str(folder / "10-corp.muster"), read_site_file(DATA))


def test_more_than_sixteen_are_told(folder: Path) -> None:
    for number in range(MAX_FILES):
        put(folder, f"{number + 20}.muster")
    assert codes(folder) == [None] * MAX_FILES + ["client/site-number"]


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o620])
def test_a_file_that_others_may_write_is_not_used(folder: Path, mode: int) -> None:
    put(folder, "20.muster", mode=mode)
    assert codes(folder) == [None, "client/site-rights"]
    (folder / "20.muster").chmod(0o644)
    folder.chmod(0o755 | (mode & 0o022))
    assert codes(folder) == ["client/site-rights"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_a_file_of_another_user_is_not_used(folder: Path) -> None:
    os.chown(put(folder, "20.muster"), 4242, 0)
    assert codes(folder) == [None, "client/site-rights"]
    os.chown(folder, 4242, 0)
    assert codes(folder) == ["client/site-rights"]


def test_links_are_followed_and_judged_where_they_lead(folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "..data"
    there.mkdir()
    put(there, "site.muster")
    (folder / "20.muster").symlink_to(there / "site.muster")
    (folder / "30.muster").symlink_to(there / "gone")
    assert codes(folder) == [None, None, "file/missing"]
    (there / "site.muster").chmod(0o666)
    assert codes(folder) == [None, "client/site-rights", "file/missing"]


@pytest.fixture
def read_only(folder: Path) -> Iterator[Path]:
    """The folder as it is mounted into a container: read-only, of somebody, with any rights."""
    made = subprocess.run(
        ["mount", "--bind", "-o", "ro", str(folder), str(folder)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("needs root, and the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_what_nobody_here_can_write_is_taken(folder: Path, request: pytest.FixtureRequest) -> None:
    put(folder, "20.muster", mode=0o666)
    for path in (folder, *folder.iterdir()):
        os.chown(path, 65_534, 65_534)
    folder.chmod(0o777)
    assert codes(folder) == ["client/site-rights"]
    request.getfixturevalue("read_only")
    assert codes(folder) == [None, None]


def test_a_device_or_pipe_keeps_nobody_waiting(folder: Path) -> None:
    os.mkfifo(folder / "20.muster", 0o644)
    (folder / "30.muster").symlink_to("/dev/zero")
    assert codes(folder) == [None, "file/not-regular", "file/not-regular"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "client/site-damaged"),
        (DATA[:-2], "client/site-damaged"),
        (b"{}", "client/site-damaged"),
        (WORLD.publisher.file().encode(), "client/site-damaged"),
        (DATA.replace(b'"v":1}', b'"v":2}'), "client/site-newer"),
        (DATA + b" " * 262_144, "file/too-large"),
        (b"\xef\xbb\xbf" + DATA, None),
        (b"\xff\xfe" + DATA.decode().encode("utf-16-le"), None),
        (DATA.replace(b"\n", b"\r\n"), None),
        (DATA.decode().encode("utf-16-le"), "file/encoding"),
    ],
    ids=[
        "empty",
        "cut",
        "no-site",
        "publisher",
        "later",
        "large",
        "mark",
        "utf-16",
        "crlf",
        "bare",
    ],
)
def test_what_a_file_is(folder: Path, data: bytes, code: str | None) -> None:
    put(folder, "20.muster", data)
    assert codes(folder) == [None, code]
    if code is not None:
        (_, file) = read_folder(folder)
        assert file.fault is not None
        assert str(folder / "20.muster") in file.fault.what


def test_the_setting_names_the_folder(folder: Path, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "MUSTER_CLIENT_SITE_FOLDER": str(folder)}
    plan = plan_for(tmp_path / "store", "", environ)
    assert [file.path for file in plan.files] == [str(folder / "10-corp.muster")]
    environ["MUSTER_CLIENT_HOST"] = "kms1.corp.test"
    assert plan_for(tmp_path / "store", "", environ).files == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_a_folder_that_this_user_may_not_look_into_is_told() -> None:
    with tempfile.TemporaryDirectory(prefix="muster-") as place:
        closed = Path(place) / "closed"
        (closed / "site.d").mkdir(parents=True)
        closed.chmod(0o700)
        Path(place).chmod(0o755)
        environ = {"HOME": "/", "MUSTER_CLIENT_SITE_FOLDER": str(closed / "site.d")}
        os.seteuid(65_534)
        try:
            (file,) = plan_for(Path(place) / "store", "", environ).files
        finally:
            os.seteuid(0)
    assert file.fault is not None
    assert file.fault.code == "file/denied"


def mangled(data: bytes, places: list[tuple[int, int, bytes]]) -> bytes:
    """A file in which bytes were replaced."""
    for place, length, text in places:
        start = place % (len(data) + 1)
        data = data[:start] + text + data[start + length :]
    return data


PIECES = st.binary(max_size=3) | st.sampled_from([b'"', b"[", b"}", b"\\u0000", b"[" * 900, b"0"])


@given(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 90), PIECES), max_size=4))
def test_no_file_raises_and_none_names_another_host(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, int, bytes]]
) -> None:
    """Whatever is in the folder: told, or what the host signed."""
    folder = tmp_path_factory.getbasetemp() / "mangled"
    folder.mkdir(exist_ok=True)
    put(folder, "10.muster", mangled(DATA, places))
    judged = judge(read_folder(folder), WORLD.publisher.trust, None, START)
    named = [address.text for site in judged.sites for _, address in site.hosts]
    assert named in ([], ["kms1.corp.test:16880"])
    assert all(fault.code.startswith(("client/site-", "file/")) for fault in judged.faults)
    assert len(judged.faults) + len(judged.sites) <= 1
    assert site_folder.SUFFIX == ".muster"
