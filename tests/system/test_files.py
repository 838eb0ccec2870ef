"""Files: whole or not at all, bounded, locked, anchors only in safe places."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mounts import file_system

from muster.core.errors import MusterError
from muster.system import files

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="needs root: mounts, other users")
NOBODY = 65534


def code_of(call: object, *args: object, **kwargs: object) -> str:
    """The code that a call refuses with."""
    with pytest.raises(MusterError) as caught:
        call(*args, **kwargs)  # type: ignore[operator]
    return caught.value.code


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    with file_system(tmp_path / "tiny", "64k") as folder:
        yield folder


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_write_replaces_and_sets_the_mode_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o777)
    try:
        files.write_atomic(tmp_path / "a", b"one")
        files.write_atomic(tmp_path / "b", b"", 0o644)
    finally:
        os.umask(old)
    assert (tmp_path / "a").read_bytes() == b"one"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o644
    files.write_atomic(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert names(tmp_path) == ["a", "b"]


def test_keep_previous_keeps_one_and_works_for_equal_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write_atomic(path, b"1", keep_previous=True)
    assert names(tmp_path) == ["a"]
    for now, before in ((b"2", b"1"), (b"3", b"2"), (b"3", b"3")):
        files.write_atomic(path, now, keep_previous=True)
        assert path.read_bytes() == now
        assert (tmp_path / "a.bak").read_bytes() == before
    # Two names of one file: renaming one onto the other does nothing by itself.
    (tmp_path / "a.bak").unlink()
    os.link(path, tmp_path / "a.bak")
    files.write_atomic(path, b"4", keep_previous=True)
    assert (tmp_path / "a.bak").read_bytes() == b"3"
    assert names(tmp_path) == ["a", "a.bak"]


def test_write_new_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "key"
    files.write_new(path, b"first")
    assert code_of(files.write_new, path, b"second") == "file/exists"
    assert path.read_bytes() == b"first"
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert code_of(files.write_new, tmp_path / "dangling", b"x") == "file/exists"
    assert names(tmp_path) == ["dangling", "key"]


def test_write_new_has_one_winner(tmp_path: Path) -> None:
    path = tmp_path / "key"
    start = threading.Barrier(8)
    results: list[str] = []

    def write(number: int) -> None:
        start.wait()
        try:
            files.write_new(path, b"%d" % number)
            results.append("won")
        except MusterError as fault:
            results.append(fault.code)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(results) == ["file/exists"] * 7 + ["won"]
    assert names(tmp_path) == ["key"]


def test_a_link_at_the_target_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    link = tmp_path / "link"
    link.symlink_to(victim)
    files.write_atomic(link, b"new", keep_previous=True)
    assert victim.read_bytes() == b"precious"
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"
    assert names(tmp_path) == ["link", "victim"]


def test_write_says_what_is_wrong(tmp_path: Path) -> None:
    assert code_of(files.write_atomic, tmp_path / "no" / "a", b"") == "file/missing"
    (tmp_path / "plain").write_bytes(b"")
    assert code_of(files.write_atomic, tmp_path / "plain" / "a", b"") == "file/not-regular"
    (tmp_path / "folder").mkdir()
    assert code_of(files.write_atomic, tmp_path / "folder", b"") == "file/not-regular"
    assert names(tmp_path) == ["folder", "plain"]


@needs_root
def test_full_disk_leaves_the_old_file(tiny: Path) -> None:
    path = tiny / "state"
    files.write_atomic(path, b"old" * 100)
    for keep in (False, True):
        assert code_of(files.write_atomic, path, b"n" * 200_000, keep_previous=keep) == "file/full"
        assert path.read_bytes() == b"old" * 100
        assert names(tiny) == ["state"]
    files.write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


@needs_root
def test_read_only_file_system(tiny: Path) -> None:
    path = tiny / "state"
    files.write_atomic(path, b"old")
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    assert code_of(files.write_atomic, path, b"new") == "file/read-only"
    assert code_of(files.Lock(tiny / "lock").__enter__) == "file/read-only"
    assert files.read_bounded(path, 10) == b"old"


def as_nobody(work: str, folder: Path) -> str:
    """Run lines of Python as another user; what they print."""
    program = f"""
import os
from pathlib import Path
from muster.core.errors import MusterError
from muster.system import files
os.setgid({NOBODY}); os.setuid({NOBODY})
folder = Path({str(folder)!r})
try:
    {work}
    print("done")
except MusterError as fault:
    print(fault.code)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def open_tmp(tmp_path: Path) -> Path:
    """A temporary folder that other users can enter."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path("/tmp") or folder == Path("/"):
            break
        folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path


@needs_root
def test_a_folder_that_others_own_refuses(open_tmp: Path) -> None:
    folder = open_tmp / "folder"
    folder.mkdir(mode=0o755)
    (folder / "a").write_bytes(b"old")
    assert as_nobody("files.write_atomic(folder / 'a', b'new')", folder) == "file/denied"
    (folder / "a").chmod(0o600)
    assert as_nobody("files.read_bounded(folder / 'a', 9)", folder) == "file/denied"
    assert as_nobody("files.Lock(folder / 'lock').__enter__()", folder) == "file/denied"
    assert (folder / "a").read_bytes() == b"old"


def test_a_kill_at_any_point_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """A child writes two contents in turn and is killed; what is there is always one of them."""
    path = tmp_path / "state"
    contents = {b"a" * 50_000, b"b" * 70_000}
    program = f"""
from pathlib import Path
from muster.system import files
path = Path({str(path)!r})
while True:
    files.write_atomic(path, b"a" * 50_000, keep_previous=True)
    print("x", flush=True)
    files.write_atomic(path, b"b" * 70_000, keep_previous=True)
"""
    for delay in range(12):
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert child.stdout is not None
        for _ in range(1 + delay % 4):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert path.read_bytes() in contents
        backup = tmp_path / "state.bak"
        if backup.exists():
            assert backup.read_bytes() in contents
    files.remove_leftovers(tmp_path)
    assert set(names(tmp_path)) <= {"state", "state.bak"}


def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".state.0123.tmp", ".other.tmp", "state", ".hidden", "x.tmp"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".folder.tmp").mkdir()
    (tmp_path / ".link.tmp").symlink_to(tmp_path / "state")
    assert files.remove_leftovers(tmp_path) == 2
    assert names(tmp_path) == [".folder.tmp", ".hidden", ".link.tmp", "state", "x.tmp"]


def test_read_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100)
    assert files.read_bounded(path, 100) == b"x" * 100
    assert code_of(files.read_bounded, path, 99) == "file/too-large"
    assert code_of(files.read_bounded, "/dev/zero", 10) == "file/not-regular"
    assert code_of(files.read_bounded, tmp_path, 10) == "file/not-regular"
    assert code_of(files.read_bounded, tmp_path / "no", 10) == "file/missing"
    assert code_of(files.read_bounded, path / "no", 10) == "file/not-regular"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert code_of(files.read_bounded, fifo, 10) == "file/not-regular"
    link = tmp_path / "link"
    link.symlink_to(path)
    assert files.read_bounded(link, 100) == b"x" * 100
    assert code_of(files.read_bounded, link, 100, follow=False) == "file/not-regular"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert code_of(files.read_bounded, loop, 100) == "file/not-regular"


def test_a_file_that_grows_is_still_bounded(tmp_path: Path) -> None:
    # /proc files say size 0 and have content: the size is never believed.
    assert files.read_bounded("/proc/self/status", 1 << 16)
    assert code_of(files.read_bounded, "/proc/self/status", 10) == "file/too-large"


def test_make_folder(tmp_path: Path) -> None:
    files.make_folder(tmp_path / "a" / "b", 0o700)
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    files.make_folder(tmp_path / "a" / "b")
    (tmp_path / "plain").write_bytes(b"")
    assert code_of(files.make_folder, tmp_path / "plain") == "file/not-regular"
    assert code_of(files.make_folder, tmp_path / "plain" / "c") == "file/not-regular"


def test_every_os_error_has_a_row() -> None:
    expected = {
        errno.ENOENT: "file/missing",
        errno.EACCES: "file/denied",
        errno.EPERM: "file/denied",
        errno.EROFS: "file/read-only",
        errno.ENOSPC: "file/full",
        errno.EDQUOT: "file/full",
        errno.EEXIST: "file/exists",
        errno.ELOOP: "file/not-regular",
        errno.EIO: "file/io",
        errno.ESTALE: "file/io",
    }
    for number, code in expected.items():
        fault = files.translate(OSError(number, os.strerror(number)), "/x")
        assert fault.code == code
        assert "/x" in fault.what
    assert files.translate(OSError("odd"), Path("/x")).code == "file/io"


def test_lock_excludes_threads_and_is_freed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    inside = 0
    seen: list[int] = []

    def work() -> None:
        nonlocal inside
        for _ in range(20):
            with files.Lock(path, timeout=30):
                inside += 1
                seen.append(inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert set(seen) == {1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lock_says_busy_and_is_not_reentrant(tmp_path: Path) -> None:
    lock = files.Lock(tmp_path / "lock")
    with lock:
        assert code_of(files.Lock(tmp_path / "lock", timeout=0).__enter__) == "file/busy"
        shared = files.Lock(tmp_path / "lock", timeout=0, shared=True)
        assert code_of(shared.__enter__) == "file/busy"
        with pytest.raises(RuntimeError):
            lock.__enter__()
    with files.Lock(tmp_path / "lock", shared=True), files.Lock(tmp_path / "lock", shared=True):
        assert code_of(files.Lock(tmp_path / "lock", timeout=0).__enter__) == "file/busy"
    with lock:
        pass


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = f"""
import shutil
import signal
from muster.system import files
lock = files.Lock({str(path)!r}).__enter__()
print("held", flush=True)
signal.pause()
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    assert code_of(files.Lock(path, timeout=0).__enter__) == "file/busy"
    child.kill()
    child.wait()
    child.stdout.close()
    with files.Lock(path, timeout=10):
        pass


def test_lock_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    assert code_of(files.Lock(tmp_path / "lock").__enter__) == "file/not-regular"
    assert not (tmp_path / "elsewhere").exists()


# Anchors. Temporary folders of pytest belong to this user; /tmp above them is sticky.


def anchor(folder: Path) -> Path:
    path = folder / "product.muster"
    path.write_bytes(b"descriptor")
    path.chmod(0o644)
    return path


def detail_of(path: Path) -> str:
    with pytest.raises(MusterError) as caught:
        files.check_anchor(path)
    assert caught.value.code == "file/anchor"
    assert "root" in caught.value.why
    return str(caught.value.params["detail"])


def test_anchor_in_a_safe_place(tmp_path: Path) -> None:
    path = anchor(tmp_path)
    files.check_anchor(path)
    assert files.read_anchor(path, 100) == b"descriptor"
    assert code_of(files.read_anchor, path, 5) == "file/too-large"


def test_anchor_by_relative_path_and_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anchor(tmp_path)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    files.check_anchor("product.muster")
    files.check_anchor(Path("sub") / ".." / "product.muster")
    assert code_of(files.check_anchor, "nothing") == "file/missing"


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o620, 0o602])
def test_anchor_that_others_may_write(tmp_path: Path, mode: int) -> None:
    path = anchor(tmp_path)
    path.chmod(mode)
    assert "may write" in detail_of(path)
    assert files.read_anchor(path, 100, trusted=True) == b"descriptor"


@pytest.mark.parametrize(("mode", "good"), [(0o775, False), (0o757, False), (0o1777, True)])
def test_anchor_in_a_folder_that_others_may_write(tmp_path: Path, mode: int, good: bool) -> None:
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    path = anchor(folder)
    (tmp_path / "deep").chmod(mode)
    if good:
        files.check_anchor(path)
    else:
        assert "may write to the folder" in detail_of(path)


@needs_root
def test_anchor_of_another_user_at_any_step(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = anchor(folder)
    for step in (path, folder):
        os.chown(step, NOBODY, NOBODY)
        assert "belongs to the user number 65534" in detail_of(path)
        os.chown(step, 0, 0)
    files.check_anchor(path)


@needs_root
def test_anchor_of_root_is_good_for_everybody_and_that_of_others_is_not(open_tmp: Path) -> None:
    # The folders above must belong to root or to the user: pytest's belong to root here.
    path = anchor(open_tmp)
    assert as_nobody("files.check_anchor(folder / 'product.muster')", open_tmp) == "done"
    os.chown(path, 1, 1)
    assert as_nobody("files.check_anchor(folder / 'product.muster')", open_tmp) == "file/anchor"
    os.chown(path, NOBODY, NOBODY)
    assert as_nobody("files.check_anchor(folder / 'product.muster')", open_tmp) == "done"


def test_anchor_through_links(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    path = anchor(real)
    (tmp_path / "file-link").symlink_to(path)
    (tmp_path / "folder-link").symlink_to("real")
    (tmp_path / "up").symlink_to("../" + tmp_path.name + "/real")
    for one in ("file-link", "folder-link/product.muster", "up/product.muster"):
        files.check_anchor(tmp_path / one)
        assert files.read_anchor(tmp_path / one, 100) == b"descriptor"
    path.chmod(0o666)
    assert "may write" in detail_of(tmp_path / "file-link")
    path.chmod(0o644)
    real.chmod(0o777)
    assert "may write to the folder" in detail_of(tmp_path / "folder-link" / "product.muster")


@needs_root
def test_anchor_through_the_link_of_another_user(tmp_path: Path) -> None:
    path = anchor(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(path)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    assert "belongs to the user number" in detail_of(link)


def test_anchor_through_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert detail_of(tmp_path / "a") == "it has too many links"


def test_anchor_that_is_no_file(tmp_path: Path) -> None:
    assert "is not a plain file" in detail_of(tmp_path)
    os.mkfifo(tmp_path / "fifo", 0o600)
    assert "is not a plain file" in detail_of(tmp_path / "fifo")
    path = anchor(tmp_path)
    assert "is not a folder" in detail_of(path / "more")


@given(st.binary(max_size=4096))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "round"
    files.write_atomic(path, data)
    assert files.read_bounded(path, 4096) == data


def test_the_file_is_synced_before_its_name_and_the_folder_after(tmp_path: Path) -> None:
    """What survives a power cut is decided by the order of these calls."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: 'apt-get install strace' brings it")
    program = f"from muster.system import files; files.write_atomic({str(tmp_path / 'a')!r}, b'x')"
    trace = tmp_path / "trace"
    subprocess.run(
        ["strace", "-o", str(trace), "-e", "trace=openat,fsync,fdatasync,rename,renameat,renameat2",
         sys.executable, "-c", program],
        check=True,
    )  # fmt: skip
    calls = trace.read_text().splitlines()
    start = next(n for n, line in enumerate(calls) if ".tmp" in line)
    order = [line.partition("(")[0] for line in calls[start:] if not line.startswith("+++")]
    assert order[:4] == ["openat", "fsync", "renameat", "fsync"] or order[:4] == [
        "openat",
        "fsync",
        "renameat2",
        "fsync",
    ]


@pytest.mark.parametrize(
    ("call", "fault", "code"),
    [
        ("fsync", "EIO", "file/io"),
        ("fsync", "ENOSPC", "file/full"),
        ("write", "ENOSPC", "file/full"),
        ("write", "EDQUOT", "file/full"),
        ("fchmod", "EPERM", "file/denied"),
        ("link,linkat", "EPERM", "file/denied"),
        ("rename,renameat,renameat2", "EROFS", "file/read-only"),
    ],
)
def test_a_system_call_that_fails_leaves_the_old_file(
    tmp_path: Path, call: str, fault: str, code: str
) -> None:
    """The kernel is made to refuse the first call of a kind, as a bad or full disk does."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: 'apt-get install strace' brings it")
    path = tmp_path / "state"
    files.write_atomic(path, b"old")
    codes = ["", "file/io", "file/full", "file/denied", "file/read-only"]
    program = f"""
import os
from muster.core.errors import MusterError
from muster.system import files
try:
    files.write_atomic({str(path)!r}, b"new", keep_previous=True)
except MusterError as fault:
    os._exit({codes!r}.index(fault.code))
"""
    done = subprocess.run(
        ["strace", "-qq", "-o", os.devnull, "-e", f"trace={call}",
         "-e", f"inject={call}:error={fault}:when=1", sys.executable, "-c", program],
        check=False,
    )  # fmt: skip
    assert codes[done.returncode] == code
    assert path.read_bytes() == b"old"
    # The old file may have been linked to its .bak already; nothing else is left.
    assert set(names(tmp_path)) <= {"state", "state.bak"}


def test_whether_something_is_there(tmp_path: Path) -> None:
    assert files.is_there(tmp_path)
    assert files.is_folder(tmp_path)
    (tmp_path / "link").symlink_to("nothing")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    for name in ("nothing", "link", "file/below", "a\0b"):
        assert not files.is_there(tmp_path / name), name
        assert not files.is_folder(tmp_path / name), name
    with pytest.raises(MusterError) as refused:
        files.is_there(tmp_path / "loop")
    assert refused.value.code == "file/not-regular"


def test_a_closed_folder_is_the_first_that_not_everybody_may_enter(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    for folder in (tmp_path, *tmp_path.parents[:2], inner.parent, inner):
        folder.chmod(0o755)
    assert files.closed_folder(inner) is None
    inner.chmod(0o750)
    assert files.closed_folder(inner) == inner
    inner.parent.chmod(0o700)
    assert files.closed_folder(inner) == inner.parent
    assert files.closed_folder(tmp_path / "missing") is None


def test_no_umask_makes_folders_that_all_may_write(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.make_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/c")]
    assert modes == [0o755, 0o755, 0o700]


@pytest.mark.parametrize("mask", [0o027, 0o077, 0o777])
def test_no_umask_takes_from_a_folder_what_it_is_made_with(tmp_path: Path, mask: int) -> None:
    """Root sets a machine up with any umask; its programs read what is for all of them."""
    if os.geteuid() != 0:
        pytest.skip("only root makes folders for other users")
    before = os.umask(mask)
    try:
        files.make_folder(tmp_path / "a" / "b" / "c", 0o755)
        files.make_folder(tmp_path / "a" / "d")
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/c", "a/d")]
    assert modes == [0o755, 0o755, 0o755, 0o700]
