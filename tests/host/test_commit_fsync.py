"""The page cache survives a kill, a power cut it does not: so the system calls are watched.

strace records what the real host process writes, syncs and sends. For each request: the first
write of its machine id to the database's log, then a sync of that file which began after the write
and was completed, and only then the first byte of the reply. The same check must fail when the
kernel never gets these calls; otherwise it would prove nothing.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.host.conftest import Machine
from tests.host.processes import HostProcess, crowd, http_request, prepare

CALLS = "fsync,fdatasync,write,writev,sendto,sendmsg,pwrite64,pwritev,recvfrom"
CROWD, EACH = 20, 5
SWITCHES = {"MUSTER_TEST_NO_SYNC": "1", "MUSTER_TEST": "1", "MUSTER_DEBUG": "1"}
"""A host that serves people obeys no switch of tests."""
_LINE = re.compile(r"(\d+) +(.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>,? ?")
_CALL = re.compile(r"(\w+)\((\d+)<([^>]*)>(.*)")
_CMID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Call:
    """One system call on a file: which, on what, its text, and when it began and ended."""

    name: str
    fd: int
    file: str
    text: str
    began: int
    ended: int

    @property
    def failed(self) -> bool:
        """Whether it did nothing: the kernel refused it, or it never got the call."""
        return " = -1 " in self.text[-120:] or self.text.endswith("(INJECTED)")


def calls(trace: str) -> list[Call]:
    """The calls of a trace in the order in which they began; interrupted lines are joined."""
    pending: dict[str, tuple[int, str]] = {}
    found: list[Call] = []
    for place, line in enumerate(trace.splitlines()):
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        pid, text = match.groups()
        began = place
        if text.endswith("<unfinished ...>"):
            pending[pid] = (place, text.removesuffix("<unfinished ...>"))
            continue
        if text.startswith("<... "):
            if pid not in pending:
                continue
            began, head = pending.pop(pid)
            text = head.rstrip() + _RESUMED.sub("", text, count=1)
        call = _CALL.match(text)
        if call is not None:
            name, fd, file, rest = call.groups()
            found.append(Call(name, int(fd), file, rest, began, place))
    return sorted(found, key=lambda one: one.began)


@dataclass
class Verdict:
    """Replies that were checked, and those that left before their sync."""

    replies: int = 0
    syncs: int = 0
    early: list[str] = field(default_factory=list)


def judge(trace: str, database: str) -> Verdict:
    """Check each reply of a trace against the writes and syncs of the database's files."""
    verdict = Verdict()
    written: dict[str, tuple[str, int]] = {}
    synced: dict[str, list[tuple[int, int]]] = {}
    asked: dict[int, str] = {}
    for call in calls(trace):
        if call.failed:
            continue
        if call.name in ("fsync", "fdatasync") and call.file.startswith(database):
            synced.setdefault(call.file, []).append((call.began, call.ended))
            verdict.syncs += 1
        elif call.name in ("pwrite64", "pwritev", "write") and call.file.startswith(database):
            for cmid in _CMID.findall(call.text):
                written.setdefault(cmid, (call.file, call.ended))
        elif call.name == "recvfrom" and "POST /v1/activate" in call.text:
            (cmid,) = set(_CMID.findall(call.text))
            asked[call.fd] = cmid
        elif call.name in ("sendto", "sendmsg", "write", "writev") and '"HTTP/1.1 ' in call.text:
            cmid = asked.pop(call.fd)
            if '"HTTP/1.1 428 ' in call.text:
                continue  # a challenge tells of nothing that is kept
            verdict.replies += 1
            file, end = written.get(cmid, ("", 0))
            durable = any(
                end <= began and ended <= call.began for began, ended in synced.get(file, ())
            )
            if not durable:
                verdict.early.append(cmid)
    return verdict


def watched(root: Path, more: Sequence[str] = ()) -> Verdict:
    """Run a crowd against a host under strace and judge the trace; `more` options of strace."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    if subprocess.run(
        [strace, "-o", "/dev/null", "true"], check=False, capture_output=True
    ).returncode:
        pytest.skip("this system does not let us trace")
    publisher = prepare(root)
    trace = root / "trace"
    before = [strace, "-f", "-y", "-s", "20000", "-e", f"trace={CALLS}", "-o", str(trace), *more]
    statuses: list[int] = []
    with HostProcess(root, before, SWITCHES) as host:
        asyncio.run(
            crowd(
                host.port,
                CROWD,
                lambda number, challenge: http_request(publisher, Machine(number), challenge),
                lambda _number, status, _body: statuses.append(status),
                EACH,
            )
        )
        children = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children")
        (child,) = children.read_text().split()
        os.kill(int(child), signal.SIGTERM)
        host.process.wait(60)
    assert len(statuses) == CROWD * EACH
    assert set(statuses) == {200, 409}
    return judge(trace.read_text(errors="replace"), str(root / "host" / "host.db"))


@pytest.mark.real
@pytest.mark.timeout(300)
def test_each_reply_follows_the_sync_of_its_own_write(tmp_path: Path) -> None:
    verdict = watched(tmp_path)
    assert verdict.replies == CROWD * EACH
    assert not verdict.early
    # Group commit: fewer syncs than requests.
    assert 0 < verdict.syncs < CROWD * EACH


@pytest.mark.real
@pytest.mark.timeout(300)
def test_the_same_check_fails_when_syncing_is_off(tmp_path: Path) -> None:
    verdict = watched(tmp_path, ["-e", "inject=fsync,fdatasync:retval=0"])
    assert verdict.replies == CROWD * EACH
    assert len(verdict.early) == CROWD * EACH


def test_the_judge_itself() -> None:
    """Traces by hand: a good one, one without sync, one whose sync began too early."""
    cmid = "0b5d3a1e-0000-4000-8000-000000000001"
    log = "/s/host.db-wal"
    ask = f'7 recvfrom(9<TCP:[1]>, "POST /v1/activate {cmid}", 99) = 20'
    write = f'8 pwrite64(5<{log}>, "..{cmid}..", 4096, 32) = 4096'
    sync = f"8 fdatasync(5<{log}>) = 0"
    reply = '7 sendto(9<TCP:[1]>, "HTTP/1.1 409", 12, 0) = 12'
    half = (f"8 fdatasync(5<{log}> <unfinished ...>", "8 <... fdatasync resumed>) = 0")

    def early(*lines: str) -> int:
        return len(judge("\n".join(lines), "/s/host.db").early)

    assert early(ask, write, sync, reply) == 0
    assert early(ask, write, *half, reply) == 0
    assert early(ask, write, reply, sync) == 1
    assert early(ask, sync, write, reply) == 1
    assert early(ask, half[0], write, half[1], reply) == 1
    assert early(ask, write, half[0], reply, half[1]) == 1
    assert early(ask, write, f"8 fdatasync(5<{log}>) = -1 EIO (Input/output error)", reply) == 1
    assert early(ask, write, "8 fdatasync(6</s/other>) = 0", reply) == 1
    assert early(ask, sync, reply) == 1
