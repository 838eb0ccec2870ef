"""What a batch of activations costs, beside the signatures that it needs.

Draws the largest batch over HTTP, from a server that is a process of its own, and asks for it
again; then draws machine by machine. Each figure is a share of the Ed25519 signatures that one
core makes in this run. Ratios, nothing is asserted.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from muster.cli import compose
from muster.core.ids import make_installation_id, proof_key
from muster.core.keys import Kind, parse_product_key
from muster.net.http import HTTPClient
from muster.publisher.act.keys import issue_keys
from muster.publisher.act.setup import NewPublisher, init_publisher
from muster.publisher.catalogue_file import parse_catalogue_file, sample
from muster.publisher.model import KeyOrder
from muster.publisher.office import open_office
from muster.publisher.store import KEYS_FOLDER
from muster.publisher.vault import Vault
from muster.system.entropy import SystemDice
from muster.system.keyfile import Scrypt
from muster.wire import routes
from muster.wire.publisher import (
    BATCH_ROWS,
    BatchRequest,
    ConfirmRequest,
    decode_batch_answer,
)

PASSPHRASE = "bench"
SINGLE = 500
"""Machines that ask alone."""
JSON = {"Content-Type": "application/json"}


def installation_ids(folder: Path, count: int) -> list[str]:
    """Make a publisher in `folder` with a pool, and as many machines of it."""
    vault = Vault(folder / KEYS_FOLDER, lambda: PASSPHRASE, lambda: PASSPHRASE, Scrypt(1, 1))
    clock, dice = compose.clock(), SystemDice()
    wanted = NewPublisher(
        "contoso", "Contoso", parse_catalogue_file(sample()).content, folder.parent / "reserve.key"
    )
    init_publisher(folder, vault, wanted, clock, dice, "bench")
    with open_office(folder, vault, clock, dice, "bench") as office:
        publisher = office.publisher.id
        (made,) = issue_keys(office, KeyOrder(Kind.MAK, "client-volume", pool=count)).keys
    key = parse_product_key(made.key or "")
    proof = proof_key(publisher, key.key_id, key.tag_bytes)
    return [
        make_installation_id(1, key.key_id, f"{number:025x}", None, proof).text
        for number in range(count)
    ]


def took(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def report(sign: float) -> None:
    """Measure and print; `sign` is what one core signs in a second."""
    print("Publisher: durable activations a second as a share of one core's signatures")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        ids = installation_ids(root / "publisher", BATCH_ROWS + SINGLE)
        command = [sys.executable, "-m", "muster", "publisher", "serve"]
        server = subprocess.Popen(
            [*command, "--store", name, "--bind", "127.0.0.1", "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "MUSTER_PASSPHRASE": PASSPHRASE},
            text=True,
        )
        try:
            url = address(server)
            client = HTTPClient(timeout=300, limit=routes.ACTIVATIONS_BATCH.answer_limit)
            body = BatchRequest(tuple(ids[:BATCH_ROWS])).encode()
            path = url + routes.ACTIVATIONS_BATCH.path

            def batch() -> None:
                answer = client.request("POST", path, body, JSON)
                rows = decode_batch_answer(answer.body, "publisher").rows
                if answer.status != 200 or not all(one.good for one in rows):
                    raise RuntimeError(answer.body[:200])

            def alone() -> None:
                for digits in ids[BATCH_ROWS:]:
                    asked = ConfirmRequest(digits).encode()
                    answer = client.request("POST", url + routes.ACTIVATIONS.path, asked, JSON)
                    if answer.status != 200:
                        raise RuntimeError(answer.body[:200])

            for title, work, count in (
                (f"a batch of {BATCH_ROWS:,}, drawn", batch, BATCH_ROWS),
                (f"a batch of {BATCH_ROWS:,}, asked again", batch, BATCH_ROWS),
                ("one after the other, drawn", alone, SINGLE),
            ):
                print(f"  {title:30} {count / took(work) / sign:6.1%}")
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate()


def address(server: subprocess.Popen[str]) -> str:
    """Where the server listens, once it does."""
    assert server.stdout is not None
    said = ""
    while not said.endswith("}\n"):
        line = server.stdout.readline()
        if not line:
            raise RuntimeError("the server did not start")
        said += line
    found = urlsplit(json.loads(said)["url"])
    return f"{found.scheme}://{found.netloc}"
