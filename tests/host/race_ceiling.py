"""One process of the race for seats: 5 connections ask for its machines and print the answers.

The arguments are JSON on standard input: `ports` of the hosts, `start` (a file whose appearance is
the starting shot), `requests` (pairs of a machine's number and a request). Printed is a list of
[number, status, body].
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from tests.host.processes import exchange

CONNECTIONS = 5


async def ask(ports: list[int], requests: list[tuple[int, str]]) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []

    async def one(place: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[place % len(ports)])
        for number, request in requests[place::CONNECTIONS]:
            status, body = await exchange(reader, writer, request.encode())
            found.append((number, status, body.decode()))
        writer.close()

    await asyncio.gather(*(one(place) for place in range(CONNECTIONS)))
    return found


def main() -> None:
    given = json.loads(sys.stdin.read())
    print("ready", flush=True)
    end = time.monotonic() + 60
    while not Path(given["start"]).exists() and time.monotonic() < end:
        time.sleep(0.001)
    print(json.dumps(asyncio.run(ask(given["ports"], given["requests"]))), flush=True)


if __name__ == "__main__":
    main()
