"""One process of the race for the last host: 16 threads ask at once and print what they got.

    python race.py STORE START REQUESTS

STORE holds a publisher whose key files open with the tests' passphrase; START is a file whose
appearance is the starting shot; REQUESTS is a JSON list of installation IDs, one a thread.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from muster.core.clock import Uptime
from muster.core.errors import MusterError
from muster.publisher.service import open_service
from muster.publisher.store import KEYS_FOLDER
from muster.publisher.vault import Vault


class Clock:
    """The clock of the test that started us."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return time.monotonic()

    def uptime(self) -> Uptime:
        return Uptime("race", time.monotonic())


def main(store: Path, start: Path, requests: list[str], now: int, passphrase: str) -> None:
    service = open_service(store, Vault(store / KEYS_FOLDER, lambda: passphrase), Clock(now))
    service.open_grant_keys()
    together = threading.Barrier(len(requests) + 1)
    results: list[str] = []

    def ask(digits: str) -> None:
        together.wait()
        try:
            found = service.activate_host(digits, "http")
        except MusterError as fault:
            results.append(fault.code)
        else:
            results.append(found.answer.grant if found.drawn else f"again {found.answer.grant}")

    threads = [threading.Thread(target=ask, args=(one,)) for one in requests]
    for one in threads:
        one.start()
    print("ready", flush=True)
    end = time.monotonic() + 60
    while not start.exists() and time.monotonic() < end:
        time.sleep(0.001)
    together.wait()
    for one in threads:
        one.join()
    service.close()
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    arguments = json.loads(sys.stdin.read())
    main(
        Path(arguments["store"]),
        Path(arguments["start"]),
        arguments["requests"],
        arguments["now"],
        arguments["passphrase"],
    )
