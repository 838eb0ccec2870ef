"""A burst of connections beyond the descriptors of a server is told once, and costs nobody."""

from __future__ import annotations

import contextlib
import http.client
import re
import resource
import socket
from pathlib import Path

import pytest
from tests.net.processes import start

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit"),
]

BURST = 1500


@pytest.mark.parametrize("role", ["host", "publisher"])
def test_a_burst_beyond_the_descriptors_writes_no_flood(
    role: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(start(role, tmp_path))
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (40, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * BURST), hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        socks = []
        for _ in range(BURST):
            sock = socket.socket()
            stack.callback(sock.close)
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", server.port))
            socks.append(sock)
        for sock in socks:
            sock.close()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
        server.process.terminate()
        assert server.process.wait(60) == 0
    told = capfd.readouterr().err
    # Each listener says so once: the one for machines, and the one for administrators.
    assert 1 <= len(re.findall("no connection can be taken", told)) <= 2, told[-2000:]
    assert "Traceback" not in told
    assert len(told.splitlines()) < 50
