"""One client process of the thousand draws: asks for its machines over HTTP and says what it got.

Reads JSON on standard input: `servers` (list of [host, port]), `requests` (installation IDs, each
asked for in this order), `start` (a file whose appearance is the starting shot), `first` (place of
the server to begin with) and `rows` (1 asks for each alone; more asks in batches of so many).
Says "ready", then one JSON list a line for each row: [installation ID, outcome, confirmation ID,
grant], where the outcome is "granted" or the code of the error. A server that is gone, or that
says 503, is left for the next one; whoever has no answer after the time limit ends with code 1.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any

_SECONDS = 240.0


class Asker:
    """Keeps one connection, and changes the server when it is lost."""

    def __init__(self, servers: list[tuple[str, int]], first: int) -> None:
        self._servers = servers
        self._place = first
        self._open: http.client.HTTPConnection | None = None
        self._end = time.monotonic() + _SECONDS

    def ask(self, path: str, message: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Ask until there is an answer that is no 503; gives status and body."""
        body = json.dumps({"v": 1, **message}).encode()
        while time.monotonic() < self._end:
            if self._open is None:
                host, port = self._servers[self._place % len(self._servers)]
                self._open = http.client.HTTPConnection(host, port, timeout=30)
            try:
                self._open.request("POST", path, body, {"Content-Type": "application/json"})
                answer = self._open.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                self._next()
                continue
            if answer.status == 503:
                assert answer.headers["Retry-After"]
                self._next()
                continue
            return answer.status, json.loads(content)
        raise SystemExit(1)

    def _next(self) -> None:
        assert self._open is not None
        self._open.close()
        self._open = None
        self._place += 1
        time.sleep(0.01)


def main(asked: dict[str, Any]) -> None:
    print("ready", flush=True)
    end = time.monotonic() + 60
    while not Path(asked["start"]).exists() and time.monotonic() < end:
        time.sleep(0.001)
    asker = Asker([(host, port) for host, port in asked["servers"]], asked["first"])
    requests, rows = asked["requests"], asked["rows"]
    for start in range(0, len(requests), rows):
        part = requests[start : start + rows]
        if rows == 1:
            status, found = asker.ask("/v1/activations", {"installation_id": part[0]})
            assert (status == 200) == ("grant" in found), found
            answers = [found]
        else:
            status, found = asker.ask("/v1/activations/batch", {"installation_ids": part})
            assert status == 200, found
            answers = found["answers"]
            assert len(answers) == len(part)
        for digits, answer in zip(part, answers, strict=True):
            outcome = answer.get("code", "granted")
            print(
                json.dumps(
                    [digits, outcome, answer.get("confirmation_id", ""), answer.get("grant", "")]
                ),
                flush=True,
            )


if __name__ == "__main__":
    main(json.load(sys.stdin))
