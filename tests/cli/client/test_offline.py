"""`muster client` and `muster slmgr` with keys that activate a machine once; codes read back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from click.testing import CliRunner
from PIL import Image

from muster.cli.main import muster
from muster.core.keys import Kind
from muster.net.serve import ThreadServer
from muster.system.qr import terminal
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import machine_facts
from muster.wire.exchange import ConfirmationFile, read_request_file

PRODUCT = "desktop-pro"


@pytest.fixture
def publisher() -> TinyPublisher:
    return TinyPublisher(now=int(time.time()) - 86_400)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Runs a command on one machine and gives its JSON; `code` is the exit code expected."""
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps({"v": 1, "facts": machine_facts("pc-1")}))
    facts.chmod(0o600)
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))

    def call(*arguments: str, code: int = 0, text: bool = False) -> dict[str, Any]:
        group = arguments[0]
        options = [] if text else ["--json"]
        if group in ("client", "slmgr", "doctor", "verify") and "--facts" not in arguments:
            options += ["--facts", str(facts)]
        result = CliRunner().invoke(muster, [group, *arguments[1:], *options])
        assert result.exit_code == code, result.output
        if text:
            return {"text": result.output}
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    return call


@pytest.fixture
def ready(
    run: Callable[..., dict[str, Any]], publisher: TinyPublisher, tmp_path: Path
) -> Callable[..., dict[str, Any]]:
    """The machine with a product and a MAK."""
    descriptor = tmp_path / "desktop.json"
    descriptor.write_bytes(publisher.descriptor(PRODUCT))
    descriptor.chmod(0o600)
    run("client", "product", "add", str(descriptor))
    run("client", "install-key", publisher.machine_key("desktop").text)
    return run


def only(data: dict[str, Any]) -> dict[str, Any]:
    (product,) = data["products"]
    assert isinstance(product, dict)
    return product


def test_by_digits(ready: Callable[..., dict[str, Any]], publisher: TinyPublisher) -> None:
    spoken = ready("client", "installation-id")["installation_id"]
    shown = ready("client", "installation-id", text=True)["text"]
    assert all(group in shown for group in spoken.split("-"))
    digits = publisher.confirm(spoken).confirmation_id
    found = ready("client", "confirm", *digits.split("-"))
    assert (found["changed"], only(found)["state"]) == (True, 1)
    assert ready("client", "confirm", digits)["changed"] is False
    assert "permanently" in ready("client", "activate", text=True)["text"]
    licence = only(ready("client", "status"))["licence"]
    assert (licence["kind"], licence["expires_at"]) == ("mak", None)


def test_by_file(
    ready: Callable[..., dict[str, Any]], publisher: TinyPublisher, tmp_path: Path
) -> None:
    request, reply = tmp_path / "request.json", tmp_path / "reply.json"
    assert ready("client", "activate", "--request", str(request))["changed"] is True
    assert ready("client", "activate", "--request", str(request))["changed"] is False
    reply.write_bytes(publisher.reply(read_request_file(request.read_bytes())).encode())
    assert only(ready("client", "activate", "--reply", str(reply)))["state"] == 1
    reply.write_bytes(reply.read_bytes()[:-30])
    found = ready("client", "activate", "--reply", str(reply), code=2)
    assert found["error"]["code"] == "wire/not-exchange"
    assert only(ready("client", "status"))["state"] == 1


def test_online(ready: Callable[..., dict[str, Any]], publisher: TinyPublisher) -> None:
    found = ready("client", "activate", code=1)
    assert only(found)["error"]["code"] == "client/no-publisher"
    with ThreadServer(publisher.router()) as server:
        assert ready("client", "set-publisher", server.url)["changed"] is True
        assert ready("client", "set-publisher", server.url)["changed"] is False
        assert only(ready("client", "activate"))["renewed"] is True
    assert ready("client", "clear-publisher")["changed"] is True
    assert only(ready("client", "activate"))["due"] is False


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_code_holds_the_request_file(
    ready: Callable[..., dict[str, Any]], publisher: TinyPublisher, tmp_path: Path, kind: str
) -> None:
    picture = tmp_path / f"code.{kind}"
    spoken = ready("client", "installation-id", "--qr", str(picture))["installation_id"]
    drawn = Image.open(picture) if kind == "png" else _drawn(picture.read_text())
    (code,) = zxingcpp.read_barcodes(drawn)
    request = read_request_file(code.bytes)
    assert request.publisher == publisher.publisher
    assert request.request.installation_id == spoken


def test_the_short_form_of_a_reply_fits_a_code_and_activates(
    ready: Callable[..., dict[str, Any]], publisher: TinyPublisher, tmp_path: Path
) -> None:
    from muster.cli.options import write_qr

    spoken = ready("client", "installation-id")["installation_id"]
    short = ConfirmationFile(publisher.publisher, publisher.confirm(spoken).confirmation_id)
    picture, reply = tmp_path / "reply.png", tmp_path / "reply.json"
    write_qr(picture, short.encode())
    (code,) = zxingcpp.read_barcodes(Image.open(picture))
    assert code.bytes == short.encode().rstrip()
    reply.write_bytes(code.bytes)
    assert only(ready("client", "activate", "--reply", str(reply)))["state"] == 1


def test_the_terminal_draws_the_same_code(
    ready: Callable[..., dict[str, Any]], publisher: TinyPublisher
) -> None:
    """The block characters, made a picture again, are read by the same decoder."""
    spoken = ready("client", "installation-id")["installation_id"]
    short = ConfirmationFile(publisher.publisher, publisher.confirm(spoken).confirmation_id)
    rows: list[list[bool]] = []
    for line in terminal(short.encode()).splitlines():
        cells = _cells(line)
        if cells:
            rows.append([upper for upper, _ in cells])
            rows.append([lower for _, lower in cells])
    size = 4
    picture = Image.new("L", (max(map(len, rows)) * size, len(rows) * size), 255)
    for y, row in enumerate(rows):
        for x, light in enumerate(row):
            if not light:
                picture.paste(0, (x * size, y * size, (x + 1) * size, (y + 1) * size))
    (code,) = zxingcpp.read_barcodes(picture)
    assert code.bytes == short.encode().rstrip()


def _drawn(svg: str) -> Image.Image:
    """The picture that an SVG of one stroked path draws: moves and horizontal lines, scaled."""
    size = re.search(r'width="([0-9]+)" height="([0-9]+)"', svg)
    scale = re.search(r"scale\(([0-9]+)\)", svg)
    path = re.search(r' d="([^"]+)"', svg)
    assert size
    assert scale
    assert path
    unit = int(scale[1])
    picture = Image.new("L", (int(size[1]), int(size[2])), 255)
    x = y = 0.0
    for word, numbers in re.findall(r"([Mmh])([-0-9. ]+)", path[1]):
        values = [float(one) for one in numbers.split()]
        if word == "h":
            top = round((y - 0.5) * unit)
            box = (round(x * unit), top, round((x + values[0]) * unit), top + unit)
            picture.paste(0, box)
            x += values[0]
        elif word == "M":
            x, y = values
        else:
            x, y = x + values[0], y + values[1]
    return picture


def _cells(line: str) -> list[tuple[bool, bool]]:
    """Light or dark of the upper and lower module of each character; dark is the blank one."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", line)
    light = {" ": (False, False), "\u2580": (True, False), "\u2584": (False, True)}
    return [light.get(one, (True, True)) for one in plain]


def test_slmgr(ready: Callable[..., dict[str, Any]], publisher: TinyPublisher) -> None:
    spoken = ready("slmgr", "/dti")["installation_id"]
    shown = ready("slmgr", "/dlv", text=True)["text"]
    assert "Volume:MAK" in shown
    assert "License Status: Initial grace period" in shown
    ready("slmgr", "/atp", publisher.confirm(spoken).confirmation_id)
    shown = ready("slmgr", "/dlv", text=True)["text"]
    assert "License Status: Licensed" in shown
    assert "permanently activated" in shown
    assert "VOLUME_MAK" in shown
    evaluation = publisher.machine_key("desktop", Kind.EVALUATION, 3).text
    found = ready("slmgr", "/ipk", evaluation, code=1)
    assert found["error"]["code"] == "client/better-licence"
    found = ready("slmgr", "/atp", "123456" * 33, code=2)
    assert found["error"]["code"] == "digits/group"


def test_an_activation_is_verified_step_by_step(
    ready: Callable[..., dict[str, Any]], publisher: TinyPublisher, tmp_path: Path
) -> None:
    """Its file names a key group; the product is found by it, and the machine by its binding."""
    spoken = ready("client", "installation-id")["installation_id"]
    ready("client", "confirm", publisher.confirm(spoken).confirmation_id)
    written = tmp_path / "licence.json"
    ready("client", "licence", "--out", str(written))
    found = ready("verify", str(written))
    assert found["good"] is True
    assert [one["outcome"] for one in found["steps"]] == ["passed"] * 7
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps({"v": 1, "facts": machine_facts("pc-2")}))
    found = ready("verify", str(written), code=1)
    assert [one["number"] for one in found["steps"] if one["outcome"] == "failed"] == ["A6"]
    elsewhere = ready("verify", str(written), "--descriptor", str(tmp_path / "desktop.json"))
    assert [one["number"] for one in elsewhere["steps"] if one["outcome"] == "skipped"] == ["A6"]


def test_status_tells_what_activated_it_and_where_the_publisher_is(
    ready: Callable[..., dict[str, Any]], publisher: TinyPublisher
) -> None:
    text = ready("client", "status", text=True)["text"]
    assert "Publisher at:" in text
    assert "not known" in text
    ready("client", "set-publisher", "http://127.0.0.1:9")
    spoken = ready("client", "installation-id")["installation_id"]
    ready("client", "confirm", publisher.confirm(spoken).confirmation_id)
    text = ready("client", "status", text=True)["text"]
    for wanted in ("1 Licensed", "no end", "mak key 1-1-", "http://127.0.0.1:9"):
        assert wanted in text
    assert "Hosts are found" not in text
