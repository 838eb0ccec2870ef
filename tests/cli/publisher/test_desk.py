"""`muster publisher confirm`: digits, files, codes, and the desk at a real pseudo terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from muster.core.digits import format_rows
from muster.core.ids import make_installation_id, proof_key
from muster.core.keys import parse_product_key
from muster.wire.exchange import (
    ConfirmationFile,
    RequestFile,
    read_confirmation_file,
    read_reply_file,
)
from muster.wire.publisher import ConfirmRequest

PROGRAM = [sys.executable, "-m", "muster"]
SECONDS = 60


class Desk:
    """A publisher in a folder, with one MAK."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "MUSTER_STORE": str(folder / "store"),
            "MUSTER_PASSPHRASE": "correct horse",
            "TERM": "dumb",
        }
        made = self.run(
            "publisher", "init", "--sample", "--reserve-root", str(folder / "reserve.key")
        )
        self.publisher = made["publisher"]
        issued = self.run(
            "publisher", "key", "issue", "--kind", "mak", "--group", "client-volume", "--pool", "3"
        )
        self.key = parse_product_key(issued["keys"][0]["key"])

    def run(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        done = subprocess.run(
            [*PROGRAM, *arguments, "--json"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def digits(self, number: int) -> str:
        key_id, tag = self.key.key_id, self.key.tag_bytes
        proof = proof_key(self.publisher, key_id, tag)
        return make_installation_id(1, key_id, f"{number:025x}", None, proof).text

    def left(self) -> int:
        found = self.run("publisher", "key", "show", self.key.key_id.text)
        left = found["key"]["pool"]["left"]
        assert isinstance(left, int)
        return left


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


class Terminal:
    """A program at a pseudo terminal."""

    def __init__(self, desk: Desk, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self.program = subprocess.Popen(
            [*PROGRAM, *arguments],
            env=desk.environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            close_fds=True,
        )
        os.close(slave)
        self.seen = ""

    def until(self, wanted: str) -> str:
        """What was printed up to a text, which is consumed."""
        end = time.monotonic() + SECONDS
        while wanted not in self.seen and time.monotonic() < end:
            if select.select([self._master], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self._master, 65536).decode("utf-8", "replace")
        before, mark, self.seen = self.seen.partition(wanted)
        assert mark, before
        return before

    def type(self, text: str) -> None:
        os.write(self._master, text.encode() + b"\n")

    def close(self) -> int:
        try:
            return self.program.wait(SECONDS)
        finally:
            self.program.kill()
            os.close(self._master)


def test_by_digits_file_and_code_the_answer_is_the_same(desk: Desk, tmp_path: Path) -> None:
    digits = desk.digits(1)
    spoken = desk.run("publisher", "confirm", digits)["confirmation_id"]
    left = desk.left()
    request, reply, code = tmp_path / "request", tmp_path / "reply", tmp_path / "code.png"
    request.write_bytes(RequestFile(desk.publisher, ConfirmRequest(digits)).encode())
    found = desk.run(
        *("publisher", "confirm", "--request", str(request)),
        *("--reply", str(reply), "--qr", str(code)),
    )
    assert found["confirmation_id"] == spoken
    assert read_reply_file(reply.read_bytes()).answer.confirmation_id == spoken
    (read,) = zxingcpp.read_barcodes(Image.open(code))
    assert read_confirmation_file(read.bytes) == ConfirmationFile(desk.publisher, spoken)
    assert desk.left() == left


def test_nothing_is_asked_on_a_pipe(desk: Desk) -> None:
    done = subprocess.run(
        [*PROGRAM, "publisher", "confirm"],
        env=desk.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert "--request" in done.stderr


def test_wrong_digits_are_refused_and_draw_nothing(desk: Desk) -> None:
    left = desk.left()
    digits = desk.digits(2)
    other = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    assert desk.run("publisher", "confirm", other, code=2)["error"]["code"] == "digits/group"
    found = desk.run("publisher", "confirm", digits[:-7], code=2)
    assert found["error"]["code"] == "digits/length"
    assert desk.left() == left


def test_a_code_that_cannot_be_written_draws_nothing(desk: Desk, tmp_path: Path) -> None:
    """A machine that no test has confirmed: its activation is not used for a wrong file name."""
    left = desk.left()
    words = ("publisher", "confirm", desk.digits(7), "--qr", str(tmp_path / "code.gif"))
    assert desk.run(*words, code=2)["error"]["code"] == "command/usage"
    assert desk.left() == left


def test_rows_are_pasted_and_files_are_written_from_the_desk(desk: Desk, tmp_path: Path) -> None:
    picture, reply = tmp_path / "answer.svg", tmp_path / "reply"
    options = ("--qr", str(picture), "--reply", str(reply), "--show-qr")
    terminal = Terminal(desk, "publisher", "confirm", *options)
    terminal.until("A1> ")
    terminal.type(format_rows(desk.digits(3).split("-")))
    terminal.until("(Enter: done)> ")
    terminal.type("")
    told = terminal.until("[d]one")
    assert "QR code written" in told
    assert "\u2588" in told
    terminal.type("")
    assert terminal.close() == 0
    assert picture.read_text().startswith("<?xml")
    spoken = desk.run("publisher", "confirm", desk.digits(3))["confirmation_id"]
    assert read_reply_file(reply.read_bytes()).answer.confirmation_id == spoken


def test_json_at_a_terminal_asks_nothing(desk: Desk) -> None:
    terminal = Terminal(desk, "publisher", "confirm", "--json")
    terminal.until("--request")
    assert terminal.close() == 2


def test_the_desk_at_a_terminal(desk: Desk) -> None:
    groups = desk.digits(3).split("-")
    wrong = groups[4][:2] + str((int(groups[4][2]) + 1) % 10) + groups[4][3:]
    terminal = Terminal(desk, "publisher", "confirm")
    terminal.until("A1> ")
    terminal.type(" ".join(groups[:4]))
    terminal.until("B1> ")
    terminal.type(f"{wrong} {groups[5]}")
    assert "Group 5 (row B, number 1) is wrong" in terminal.until("Go on at B1")
    terminal.until("B1> ")
    terminal.type(groups[4][:3])
    terminal.until("B1 has 3 of 6 digits")
    terminal.type(groups[4][3:] + groups[5])
    terminal.until("B3> ")
    terminal.type("-")
    terminal.until("Go on at B2")
    terminal.until("B2> ")
    terminal.type("")
    terminal.until("It is not complete")
    terminal.type("".join(groups[5:]))
    terminal.until("(Enter: done)> ")
    terminal.type("?")
    shown = terminal.until("D1")
    assert all(one in shown for one in groups)
    terminal.until("(Enter: done)> ")
    terminal.type("")
    terminal.until("[d]one")
    terminal.type("t")
    said = re.sub(r"\s", "", terminal.until("Give it as"))
    spoken = desk.run("publisher", "confirm", *groups)["confirmation_id"]
    assert spoken in said
    terminal.type("v")
    terminal.until("A: ")
    terminal.type("r")
    terminal.until("A: ")
    terminal.type("")
    terminal.until("B: ")
    terminal.type("x")
    terminal.until("[d]one")
    terminal.type("d")
    assert terminal.close() == 0


def test_a_whole_id_with_a_wrong_proof_draws_nothing(desk: Desk) -> None:
    left = desk.left()
    key_id = desk.key.key_id
    forged = make_installation_id(1, key_id, f"{9:025x}", None, b"y" * 32).text
    terminal = Terminal(desk, "publisher", "confirm")
    terminal.until("A1> ")
    terminal.type(forged)
    terminal.until("(Enter: done)> ")
    terminal.type("")
    terminal.until("Compare the rows")
    terminal.until("C4> ")
    terminal.type("\x04")
    terminal.program.terminate()
    assert terminal.close() != 0
    assert desk.left() == left
