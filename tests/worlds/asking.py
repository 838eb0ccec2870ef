"""People who ask a publisher again and again: reads JSON on standard input, writes what came.

`url` of the publisher, `requests` (installation IDs, asked for until they are answered), `threads`,
`stop` (a file whose appearance ends it), `pause` (seconds between two requests of one of them).
Each line is a JSON list: [installation ID or "catalogue", status, confirmation ID, whether there
was a Retry-After, seconds that it waited]; status 0 is a connection that broke, -1 one that waited
longer than LONGEST.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

LONGEST = 12.0


def ask(url: str, method: str, path: str, body: bytes | None) -> tuple[int, dict[str, str], bytes]:
    where = urlsplit(url)
    assert where.hostname is not None
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=LONGEST)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    except TimeoutError:
        return -1, {}, b""
    except (OSError, http.client.HTTPException):
        return 0, {}, b""
    finally:
        connection.close()


def main(url: str, requests: list[str], threads: int, stop: Path, pause: float) -> None:
    lock = threading.Lock()
    left = iter(requests)

    def tell(what: str, status: int, confirmation: str, again: bool, since: float) -> None:
        waited = round(time.monotonic() - since, 3)
        with lock:
            print(json.dumps([what, status, confirmation, again, waited]), flush=True)

    def one() -> None:
        digits = None
        while not stop.exists():
            threading.Event().wait(pause)
            since = time.monotonic()
            status, headers, _ = ask(url, "GET", "/v1/catalogue", None)
            tell("catalogue", status, "", "retry-after" in headers, since)
            with lock:
                digits = digits or next(left, None)
            if digits is None:
                continue
            body = json.dumps({"v": 1, "installation_id": digits}).encode()
            since = time.monotonic()
            status, headers, answer = ask(url, "POST", "/v1/activations", body)
            confirmation = json.loads(answer)["confirmation_id"] if status == 200 else ""
            tell(digits, status, confirmation, "retry-after" in headers, since)
            digits = None if status == 200 else digits

    running = [threading.Thread(target=one) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    main(asked["url"], asked["requests"], asked["threads"], Path(asked["stop"]), asked["pause"])
