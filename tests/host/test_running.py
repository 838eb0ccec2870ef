"""What a running host says of itself: log, status and readiness tell the same, and nothing is told
of a host that does not run."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.host.processes import FACTS, HostProcess, eventually, prepare

from muster.cli import compose
from muster.core.errors import MusterError
from muster.core.facts import clean_facts
from muster.core.records import encode
from muster.host import look, running
from muster.host.act import activate, enrol
from muster.host.results import HostStatus
from muster.net.http import HTTPClient
from muster.testing.tiny_publisher import TinyPublisher

NOBODY = 65534
ANYWHERE = {"MUSTER_HOST_OPERATION_ADDRESS": "127.0.0.1:0"}
AS_NOBODY = (sys.executable, str(Path(__file__).with_name("as_user.py")), str(NOBODY))
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users")
pytestmark = pytest.mark.real


def status(root: Path) -> HostStatus:
    with compose.look_at_host(root) as opened:
        return look.status(opened)


def readyz(host: HostProcess) -> dict[str, Any]:
    answer = HTTPClient(timeout=30).request("GET", f"http://{host.ready['operation']}/readyz")
    told = json.loads(answer.body)
    assert isinstance(told, dict)
    return {**told, "http": answer.status}


def codes(root: Path) -> list[str]:
    process = status(root).process
    assert process is not None
    return [problem.code for problem in process.problems]


def test_status_is_the_word_of_the_process(tmp_path: Path) -> None:
    prepare(tmp_path)
    before = status(tmp_path)
    assert (before.process, before.listening) == (None, None)
    assert [(one.able, one.serving) for one in before.publishers] == [(True, False)]
    with HostProcess(tmp_path, environ=ANYWHERE) as host:
        told = status(tmp_path)
        assert told.process is not None
        assert told.listening is not None
        assert (told.process.pid, told.process.answers, told.process.ready) == (
            host.process.pid,
            True,
            True,
        )
        assert told.listening.port == host.port
        assert told.process.operation == host.ready["operation"]
        assert told.process.dns is not None
        assert eventually(lambda: not dns_of(tmp_path).enabled)
        assert [one.serving for one in told.publishers] == [True]
        host.kill()
        # The lock is free and the address is gone, although nobody could clear up.
        after = status(tmp_path)
        assert (after.process, after.listening) == (None, None)
    with HostProcess(tmp_path, environ=ANYWHERE) as host:
        assert host.terminate() == 0
    assert status(tmp_path).process is None
    assert not (tmp_path / "host" / "serve.sock").exists()


def dns_of(root: Path) -> running.DNSPublishing:
    process = status(root).process
    assert process is not None
    assert process.dns is not None
    return process.dns


def test_members_that_a_newer_version_added_are_passed_over() -> None:
    process = running.HostProcess(1, 2, answers=True, dns=running.DNSPublishing(True, "", ()))
    members = {**encode(process), "later": {"x": 1}}
    assert running.read_process(members) == process
    with pytest.raises((TypeError, ValueError, KeyError)):
        running.read_process({"pid": 1})


def install_again(root: Path, publisher: TinyPublisher) -> None:
    text = TinyPublisher("contoso", now=compose.clock().now()).host_key("server").text
    with compose.open_host(root) as opened:
        enrol.install_key(opened, text, clean_facts(FACTS))
        answer = publisher.reply(look.key_request(opened).file)  # type: ignore[union-attr]
        activate.apply_reply(opened, answer)


@pytest.mark.parametrize("loss", ["folder", "file", "damage"])
def test_a_lost_signing_key_is_mended_by_what_status_advises(
    tmp_path: Path, loss: str, capfd: pytest.CaptureFixture[str]
) -> None:
    publisher = prepare(tmp_path)
    folder = tmp_path / "host" / "keys"
    path = folder / f"{publisher.publisher}.key"
    with HostProcess(tmp_path, environ=ANYWHERE) as host:
        if loss == "folder":
            shutil.rmtree(folder)
        elif loss == "file":
            path.unlink()
        else:
            path.write_bytes(b"rubbish")
        # It goes on with the key that it has, and says what is wrong wherever it is asked.
        assert eventually(lambda: codes(tmp_path) == ["host/signing-key"])
        told = readyz(host)
        assert (told["http"], [one["code"] for one in told["problems"]]) == (
            200,
            ["host/signing-key"],
        )
        assert status(tmp_path).publishers[0].faults[0].code == "host/signing-key"
        assert host.terminate() == 0
    assert "host/signing-key: " in capfd.readouterr().err
    # After a restart there is no key: not ready, and no activation is drawn for what is lost.
    with HostProcess(tmp_path, environ=ANYWHERE) as host:
        told = readyz(host)
        assert (told["http"], [one["code"] for one in told["problems"]]) == (
            503,
            ["host/signing-key"],
        )
        with compose.open_host(tmp_path) as opened, pytest.raises(MusterError) as caught:
            look.key_request(opened)
        assert caught.value.code == "host/signing-key"
        # As the advice says: remove what is left, install the key again, activate.
        assert "install-key KEY" in caught.value.fix
        path.unlink(missing_ok=True)
        install_again(tmp_path, publisher)
        assert eventually(lambda: readyz(host)["http"] == 200)
        assert codes(tmp_path) == []
        assert [one.serving for one in status(tmp_path).publishers] == [True]


def owners(folder: Path) -> set[tuple[str, int]]:
    return {(path.name, path.stat().st_uid) for path in folder.rglob("*")}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach; pytest closes those of its own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@needs_root
def test_root_administers_and_another_user_serves(
    open_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = open_folder / "store"
    root.mkdir()
    os.chown(root, NOBODY, NOBODY)
    publisher = prepare(root)
    with HostProcess(root, AS_NOBODY, environ=ANYWHERE) as host:
        assert readyz(host)["http"] == 200
        # Root asks and administers beside it, and leaves nothing of its own.
        told = status(root)
        assert told.process is not None
        assert told.process.ready
        assert told.publishers[0].faults == ()
        with compose.open_host(root) as opened:
            text = publisher.host_key("office").text
            enrol.install_key(opened, text, clean_facts(FACTS))
        assert {uid for _, uid in owners(root)} == {NOBODY}
        assert host.terminate() == 0
    # A store where root did so before it knew better: the advice mends it while the host runs.
    keys = root / "host" / "keys"
    os.chown(keys, 0, 0)
    with HostProcess(root, AS_NOBODY, environ=ANYWHERE) as host:
        told_by_http = readyz(host)
        assert told_by_http["http"] == 503
        assert [one["code"] for one in told_by_http["problems"]] == ["host/signing-key-denied"]
        assert codes(root) == ["host/signing-key-denied"]
        assert f"chown -R nobody {keys}" in told_by_http["problems"][0]["fix"]
        for path in (keys, *keys.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        assert eventually(lambda: readyz(host)["http"] == 200)
        assert codes(root) == []
    assert "host/signing-key-denied: " in capfd.readouterr().err
