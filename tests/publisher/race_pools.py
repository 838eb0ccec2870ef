"""One process of the race for a pool: 8 threads ask one after the other and print what they got.

The arguments are JSON on standard input: `store`, `start` (a file whose appearance is the starting
shot), `requests` (installation IDs), `now`, `passphrase`. Printed is a list of
[installation ID, "drawn" | "again" | code, confirmation ID].
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from muster.core.errors import MusterError
from muster.publisher.service import open_service
from muster.publisher.store import KEYS_FOLDER
from muster.publisher.vault import Vault
from muster.testing.clock import ManualClock


def main(store: Path, start: Path, requests: list[str], now: int, passphrase: str) -> None:
    service = open_service(store, Vault(store / KEYS_FOLDER, lambda: passphrase), ManualClock(now))
    service.open_grant_keys()

    def ask(digits: str) -> tuple[str, str, str]:
        (row,) = service.activate_batch([digits]).rows
        if isinstance(row, MusterError):
            return digits, row.code, ""
        return digits, "drawn" if row.drawn else "again", row.grant.confirmation

    print("ready", flush=True)
    end = time.monotonic() + 60
    while not start.exists() and time.monotonic() < end:
        time.sleep(0.001)
    with ThreadPoolExecutor(8) as pool:
        print(json.dumps(list(pool.map(ask, requests))), flush=True)
    service.close()


if __name__ == "__main__":
    arguments = json.loads(sys.stdin.read())
    main(
        Path(arguments["store"]),
        Path(arguments["start"]),
        arguments["requests"],
        arguments["now"],
        arguments["passphrase"],
    )
