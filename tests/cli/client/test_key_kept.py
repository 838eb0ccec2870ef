"""What lies about of a product key after it was installed: nothing that gives it back.

An attack program reads every file that others may read (and, apart, every file), takes all numbers
of 55 bits out of it in each spelling that a store could use, and puts keys together with what is
public: kind, group, serial and publisher.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from muster.cli.main import muster
from muster.core.identity import prefix_of
from muster.core.keys import VERSION, KeyId, ProductKey, mask_typed, parse_product_key
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import machine_facts

PRODUCT = "desktop-pro"
TAG = 7


@pytest.fixture
def publisher() -> TinyPublisher:
    return TinyPublisher(now=int(time.time()) - 86_400)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Runs a command as a process of its own, on one machine."""
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps({"v": 1, "facts": machine_facts("pc-1")}))
    facts.chmod(0o600)
    environment = {
        **os.environ,
        "MUSTER_STORE": str(tmp_path / "store"),
        "MUSTER_FACTS": str(facts),
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "store"),
        "MUSTER_PASSPHRASE": "correct horse",
    }

    def call(*arguments: str, code: int = 0) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "muster", *arguments, "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return call


def files(root: Path, *, readable: bool = False) -> dict[str, bytes]:
    """The files of a store; with `readable` those that any user of the machine may read."""
    found: dict[str, bytes] = {}
    for folder, folders, names in os.walk(root):
        if readable:
            folders[:] = [
                one for one in folders if (Path(folder) / one).stat().st_mode & stat.S_IXOTH
            ]
        for name in names:
            path = Path(folder) / name
            if not readable or path.stat().st_mode & stat.S_IROTH:
                found[str(path.relative_to(root))] = path.read_bytes()
    return found


def numbers(data: bytes) -> Iterator[bytes]:
    """Every seven bytes in a row of a file: as they are, and out of hexadecimal and base64."""
    texts = [data]
    texts += [
        bytes.fromhex(one[: len(one) // 2 * 2].decode())
        for one in re.findall(rb"[0-9a-fA-F]{14,}", data)
    ]
    for one in re.findall(rb"[A-Za-z0-9_/+-]{10,}", data):
        for start in range(4):
            part = one[start:]
            part = part[: len(part) // 4 * 4]
            texts.append(base64.urlsafe_b64decode(part.replace(b"+", b"-").replace(b"/", b"_")))
    for text in texts:
        yield from (text[at : at + TAG] for at in range(len(text) - TAG + 1))
    for one in re.findall(rb"[0-9]{10,17}", data):  # a number in decimals
        if int(one) < 1 << 55:
            yield int(one).to_bytes(TAG, "big")


def keys_in(found: dict[str, bytes], publisher: str, key_id: KeyId, last: str) -> set[str]:
    """Whole product keys that an attacker can put together out of files.

    Args:
        found: the files. publisher, key_id: public. last: the last group, which is shown.
    """
    head = (VERSION, key_id.kind, prefix_of(publisher), key_id.group)
    keys: set[str] = set()
    tags = itertools.chain.from_iterable(numbers(data) for data in found.values())
    for seven in set(tags):
        tag = int.from_bytes(seven, "big")
        for each in (tag, tag >> 1):
            if each < 1 << 55:
                made = ProductKey(*head, each, key_id.serial)
                if made.text[-5:] == last:
                    keys.add(made.text)
    return keys


def assert_nothing_gives_it_back(found: dict[str, bytes], publisher: str, key: ProductKey) -> None:
    assert found
    assert key.text not in keys_in(found, publisher, key.key_id, key.text[-5:])
    bare = key.text.replace("-", "").encode()
    for name, data in found.items():
        assert key.text.encode() not in data, name
        assert bare not in re.sub(rb"[\s-]", b"", data), name


def test_the_attack_finds_a_tag_in_every_spelling(publisher: TinyPublisher) -> None:
    """The attack is good: it puts the key together from a tag in any of the usual spellings."""
    key = publisher.machine_key("desktop")
    decimal = str(key.tag).encode()
    spellings = [
        b'{"tag": "' + key.tag_bytes.hex().encode() + b'"}',
        b"\x00\x01" + key.tag_bytes + b"\xff",
        b'"' + base64.b64encode(key.tag_bytes + b"more") + b'"',
        b'"' + base64.urlsafe_b64encode(b"ab" + key.tag_bytes + b"xyz") + b'"',
        b'{"tag":' + decimal + b"}",
    ]
    for text in spellings:
        made = keys_in({"file": text}, publisher.publisher, key.key_id, key.text[-5:])
        assert key.text in made, text


def test_a_machine_keeps_nothing_that_gives_its_key_back(
    run: Callable[..., dict[str, Any]], publisher: TinyPublisher, tmp_path: Path
) -> None:
    """Not from what others may read, nor from what only root may: the tag is nowhere."""
    store = tmp_path / "store"
    descriptor = tmp_path / "desktop.json"
    descriptor.write_bytes(publisher.descriptor(PRODUCT))
    descriptor.chmod(0o600)
    key, second = publisher.machine_key("desktop"), publisher.machine_key("desktop")
    run("client", "product", "add", str(descriptor))
    run("client", "install-key", key.text)
    spoken = run("client", "installation-id")["installation_id"]
    run("client", "confirm", publisher.confirm(spoken).confirmation_id)

    for words in (
        ("slmgr", "/cpky"),
        ("client", "install-key", second.text),
        ("client", "uninstall-key"),
        ("client", "history"),
    ):
        assert_nothing_gives_it_back(files(store, readable=True), publisher.publisher, key)
        assert_nothing_gives_it_back(files(store), publisher.publisher, key)
        run(*words)
    assert_nothing_gives_it_back(files(store), publisher.publisher, second)


def test_what_makes_installation_ids_is_its_owners_alone(
    run: Callable[..., dict[str, Any]], publisher: TinyPublisher, tmp_path: Path
) -> None:
    """Whoever may only look can verify; an ID that draws from the pool needs the owner's file."""
    descriptor = tmp_path / "desktop.json"
    descriptor.write_bytes(publisher.descriptor(PRODUCT))
    descriptor.chmod(0o600)
    run("client", "product", "add", str(descriptor))
    run("client", "install-key", publisher.machine_key("desktop").text)
    spoken = run("client", "installation-id")["installation_id"]
    run("client", "confirm", publisher.confirm(spoken).confirmation_id)

    store = tmp_path / "store"
    for path in store.rglob("*"):
        if path.is_file() and not path.stat().st_mode & stat.S_IROTH:
            path.unlink()
    (found,) = run("client", "status")["products"]
    assert found["licensed"] is True
    assert run("client", "installation-id", code=1)["error"]["code"] == "client/no-proof-key"


def test_neither_publisher_nor_host_keep_what_gives_a_host_key_back(
    run: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Tables, their logs, audit and what commands print: the key was shown once, at its issue."""
    shop, host = tmp_path / "shop", tmp_path / "host"
    at = ("--store", str(shop))
    cheap = ("--kdf", "scrypt", "--kdf-log-n", "1", "--kdf-r", "1")
    reserve = str(tmp_path / "reserve.key")
    run("publisher", "init", "--sample", "--reserve-root", reserve, *cheap, *at)
    run("publisher", "export", str(tmp_path / "contoso.json"), *at)
    (issued,) = run("publisher", "key", "issue", "--kind", "host", "--group", "server-b", *at)[
        "keys"
    ]
    key = parse_product_key(issued["key"])
    run("host", "init", "--publisher", str(tmp_path / "contoso.json"), "--store", str(host))
    run("host", "install-key", key.text, "--store", str(host))
    publisher = run("host", "status", "--store", str(host))["publishers"][0]["publisher"]

    assert_nothing_gives_it_back(files(shop), publisher, key)
    assert_nothing_gives_it_back(files(host), publisher, key)
    assert not files(host, readable=True)
    for words in (
        ("host", "status", "--store", str(host)),
        ("host", "log", "--audit", "--store", str(host)),
        ("publisher", "key", "list", *at),
        ("publisher", "audit", "list", *at),
    ):
        assert key.text not in json.dumps(run(*words)), words


def wrong_places(key: str) -> list[tuple[str, ...]]:
    """Command lines in which a key stands where it does not belong, or in pieces."""
    pieces = key.split("-")
    return [
        ("client", "install-key", *pieces),
        ("client", "install-key", key, "extra", key),
        ("client", "install-key", key.replace("-", " ") + " Q"),
        ("client", "activate", key),
        ("client", key),
        (key,),
        ("client", "product", "add", key),
        ("client", "product", "remove", key),
        ("client", "confirm", key),
        ("client", "identity", key),
        ("slmgr", key),
        ("slmgr", "/ipk", *pieces),
        ("host", "install-key", *pieces),
        ("host", "clients", "remove", key),
        ("host", "init", "--publisher", key),
        ("host", "serve", "--port", key),
        ("publisher", "key", "show", *pieces),
        ("publisher", "descriptor", key),
        ("verify", key),
    ]


@pytest.mark.parametrize("place", range(len(wrong_places("A-B-C-D-E"))))
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_no_error_repeats_a_key_that_was_typed_in_the_wrong_place(
    tmp_path: Path, publisher: TinyPublisher, place: int, more: tuple[str, ...]
) -> None:
    key = publisher.machine_key("desktop").text
    environment = {"MUSTER_STORE": str(tmp_path / "store"), "HOME": str(tmp_path)}
    words = wrong_places(key)[place]
    done = CliRunner().invoke(muster, [*words, *more], env=environment)
    assert done.exit_code, words
    shown = re.sub(r"[^A-Za-z0-9]", "", done.output)
    pieces = key.split("-")
    for first, second in itertools.pairwise(pieces):
        assert first + second not in shown, done.output


def test_an_error_still_names_a_key_by_its_last_group(publisher: TinyPublisher) -> None:
    """So that a customer and a help desk know which key is meant."""
    key = publisher.machine_key("desktop")
    assert mask_typed(f"{key.masked} is a host key.") == f"{key.masked} is a host key."
    assert (
        mask_typed(f"not '{key.text}', but {key.masked}") == f"not '{key.masked}', but {key.masked}"
    )
    first, *rest = key.text.split("-")
    assert mask_typed(f"unexpected ({' '.join(rest)}) behind {first}") == (
        f"unexpected (XXXXX XXXXX XXXXX XXXXX) behind {first}"
    )
    assert mask_typed("nothing of a key here, 12345 67890") == "nothing of a key here, 12345 67890"
