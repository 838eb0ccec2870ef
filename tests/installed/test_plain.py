"""The plain wheel, without any extra: what works, and how every command tells what it lacks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.installed.conftest import ROOT, SECONDS, Install, Installed, surroundings

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("installed"), pytest.mark.timeout(600)]

ME = ("--store", "machine", "--facts", "facts.json")
FACTS = {
    "board-serial": "B-0001",
    "product-serial": "P-0001",
    "system-uuid": "00000000-0000-4000-8000-000000000001",
}


@pytest.fixture(scope="module")
def plain(install: Install) -> Installed:
    """The wheel and what it cannot do without."""
    return install("uv", "")


@pytest.fixture(scope="module")
def site(plain: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publisher, a machine and a host, all made by the plain wheel."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "facts.json").write_text(json.dumps({"v": 1, "facts": FACTS}), "utf-8")
    store = ("--store", "publisher")
    product = "contoso-office-2010"
    for words in (
        ("publisher", "init", "--sample", "--reserve-root", "reserve.key", *store),
        ("publisher", "descriptor", product, "--out", "office.json", *store),
        ("publisher", "export", "contoso.json", "--url", "http://127.0.0.1:9", *store),
        ("client", "product", "add", "office.json", *ME),
        ("client", "set-domain", "corp.test", *ME),
        ("host", "init", "--publisher", "contoso.json", "--store", "host"),
        ("host", "set", "dns_target", "host.corp.test", "--store", "host"),
    ):
        plain.run(*words, folder=folder)
    return folder


def test_no_command_ends_in_a_traceback(plain: Installed, tmp_path: Path) -> None:
    """Each command with the least that it takes, and each example of `--help`."""
    done = subprocess.run(
        [str(plain.python), "-m", "tests.cli.driver", "no extra"],
        cwd=ROOT,
        env=surroundings(DRIVER_FOLDER=str(tmp_path), PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    runs = json.loads(done.stdout)
    assert len(runs) > 200
    wrong = [run for run in runs if run["code"] not in (0, 1, 2, 3) or "Traceback" in run["err"]]
    assert not wrong, wrong[:3]
    named = {run["words"][0] for run in runs if "'muster-activation[" in run["out"] + run["err"]}
    assert named == {"client", "demo", "publisher"}


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("client", "activate", *ME), "client"),
        (("client", "installation-id", "--show-qr", *ME), "client"),
        (("client", "installation-id", "--qr", "code.png", *ME), "client"),
        (("host", "serve", "--port", "0", "--store", "host"), "host"),
        (
            ("publisher", "serve", "--operation-address", "127.0.0.1:0", "--store", "publisher"),
            "publisher",
        ),
        (("host", "activate", "--telephone", "--show-qr", "--store", "host"), "host"),
        (("publisher", "confirm", "1", "--show-qr", "--store", "publisher"), "publisher"),
        (("demo",), "server"),
    ],
    ids=lambda words: " ".join(words[:2]) if isinstance(words, tuple) else words,
)
def test_who_needs_an_extra_names_it(
    plain: Installed, site: Path, words: tuple[str, ...], extra: str
) -> None:
    """Exit code 3, one object with `--json`, and nothing was done by halves."""
    told = error_of(plain.json(*words, folder=site, code=3))
    assert (told["code"], told["params"]["extra"]) == ("command/extra", extra)
    assert f"pip install 'muster-activation[{extra}]'" in told["fix"]
    assert not (site / "code.png").exists()


def error_of(told: dict[str, Any]) -> dict[str, Any]:
    """The error of an object, also where it is the error of the one product that was asked for."""
    if "error" in told:
        error = told["error"]
    else:
        (product,) = told["products"]
        error = product["error"]
    assert isinstance(error, dict)
    return error


def test_what_asks_dns_tells_it_among_its_findings(plain: Installed, site: Path) -> None:
    found = plain.json("client", "discover", *ME, folder=site, code=3)
    assert {told["params"]["extra"] for told in found["errors"]} == {"client"}
    for store, extra, code in (("machine", "client", 3), ("host", "host", 1)):
        words = ("doctor", "--store", store)
        assert f"muster-activation[{extra}]" in plain.run(*words, folder=site, code=code)


def test_what_needs_no_extra_works(plain: Installed, site: Path) -> None:
    """A machine whose host is set by address asks nobody for names; an app verifies offline."""
    me = ("--store", "other", "--facts", "facts.json")
    plain.run("client", "product", "add", "office.json", *me, folder=site)
    plain.run("client", "set-host", "127.0.0.1:9", *me, folder=site)
    told = error_of(plain.json("client", "activate", *me, folder=site, code=3))
    assert told["code"] == "net/refused"
    assert plain.json("client", "status", *me, folder=site)["products"]
    assert plain.run("host", "serve", "--help", folder=site)
