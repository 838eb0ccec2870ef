"""The bounds of connections: what anybody on the machine may open, send and keep waiting."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from tests.agent.conftest import Machine, answer, ended, request

from muster.agent import responder
from muster.agent.api import AgentAPI
from muster.client.agent import Sockets
from muster.client.stores import Parts
from muster.wire import agent as wire

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("agent-responder")]


def test_many_questions_on_one_connection(licensed: Machine) -> None:
    with licensed.open() as sock:
        for _ in range(3):
            sock.sendall(request("GET", "/v1/agent"))
            assert answer(sock)[1]["running"]
        # Refused, and the connection stays.
        sock.sendall(request("GET", "/v1/none"))
        assert answer(sock)[0] == 404
        sock.sendall(request("GET", "/v1/agent", b"", "Connection: close"))
        assert answer(sock)[0] == 200
        assert sock.recv(1) == b""


def test_what_is_too_long_or_no_http_is_refused_and_ended(licensed: Machine) -> None:
    head = f"POST /v1/verify HTTP/1.1\r\nHost: a\r\nContent-Length: {wire.BODY_LIMIT + 1}\r\n\r\n"
    chunks = "POST /v1/verify HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n"
    for sent, code in (
        (head.encode(), "wire/too-large"),
        (chunks.encode() + b"x" * 0x20000, "wire/too-large"),
        (b"\x16\x03\x01\x00\x05hello", "wire/bad-request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "wire/bad-request"),
        (b"GET /" + b"x" * 20_000, "wire/head-too-large"),
    ):
        with licensed.open() as sock:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(sent)
            assert answer(sock)[1]["code"] == code
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(1) == b""


def test_a_body_in_chunks(licensed: Machine) -> None:
    body = licensed.descriptor
    head = b"POST /v1/verify HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with licensed.open() as sock:
        sock.sendall(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert answer(sock)[1]["licensed"]


def test_one_user_takes_some_connections_and_root_has_its_own(licensed: Machine) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(responder.OF_ONE_USER):
            sock = held.enter_context(licensed.open())
            sock.sendall(request("GET", "/v1/agent"))
            assert answer(sock)[0] == 200
        with licensed.open() as sock:
            status, told = answer(sock)
            assert (status, told["code"]) == (503, "agent/busy")
        assert licensed.ask("GET", "/v1/agent", as_root=True)[0] == 200
    while licensed.ask("GET", "/v1/status")[0] == 503:
        pass  # until it has noticed that the others went away
    assert licensed.product()["licensed"]


def test_a_responder_that_dies_is_replaced(licensed: Machine) -> None:
    assert licensed.product()["licensed"]
    for pid in licensed.children():
        with contextlib.suppress(ProcessLookupError):  # a task of its own ends by itself
            os.kill(pid, signal.SIGKILL)
        ended(pid)
    assert licensed.product()["licensed"]


def test_a_responder_ends_when_nobody_asks(tmp_path: Path) -> None:
    limits = responder.Limits(idle_seconds=0.05)
    with socket.socket(socket.AF_UNIX) as everybody, socket.socket(socket.AF_UNIX) as for_root:
        for sock, name in ((everybody, "a"), (for_root, "b")):
            sock.bind(str(tmp_path / name))
            sock.listen()
            sock.setblocking(False)
        keeper, line = socket.socketpair()
        with keeper, line:
            talking = responder.KeeperLine(line)
            api = AgentAPI(unused_parts, Sockets(tmp_path), talking, time.monotonic)
            responder.Responder(everybody, for_root, api, os.geteuid(), limits).run(talking)
            assert not talking.closed


def test_who_is_slow_is_told_and_ended(tmp_path: Path) -> None:
    limits = responder.Limits(request_seconds=0.1, idle_seconds=0.3)
    with socket.socket(socket.AF_UNIX) as everybody, socket.socket(socket.AF_UNIX) as for_root:
        for sock, name in ((everybody, "a"), (for_root, "b")):
            sock.bind(str(tmp_path / name))
            sock.listen()
            sock.setblocking(False)
        keeper, line = socket.socketpair()
        talking = responder.KeeperLine(line)
        api = AgentAPI(unused_parts, Sockets(tmp_path), talking, time.monotonic)
        answering = responder.Responder(everybody, for_root, api, os.geteuid(), limits)
        thread = threading.Thread(target=lambda: answering.run(talking))
        with (
            keeper,
            line,
            socket.socket(socket.AF_UNIX) as slow,
            socket.socket(socket.AF_UNIX) as silent,
        ):
            silent.connect(str(tmp_path / "a"))
            slow.connect(str(tmp_path / "a"))
            thread.start()
            slow.sendall(b"GET /v1/agent HTTP/1.1\r\nHost:")
            assert answer(slow)[1]["code"] == "wire/slow"
            # Who says nothing at all is ended without a word.
            silent.settimeout(60)
            assert silent.recv(1) == b""
            thread.join(60)
            assert not thread.is_alive()


def unused_parts() -> Parts:
    raise AssertionError
