"""Each role is installed by itself, by another tool, and the three license machines together."""

from __future__ import annotations

import json
import tomllib
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.installed.conftest import ROOT, Built, Install, call

from muster import __version__

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("installed"), pytest.mark.timeout(600)]

ROLES = (("pip", "client"), ("pipx", "host"), ("uv", "publisher"), ("uv", "server"))
MODULES = {
    "client": ("dns", "segno"),
    "host": ("dns", "segno"),
    "publisher": ("psycopg", "psycopg_pool", "segno"),
    "server": ("dns", "psycopg", "psycopg_pool", "rich", "segno"),
}
MACHINES = 5
"""As many as the sample's office suite needs."""


@pytest.mark.parametrize(("tool", "extra"), ROLES)
def test_an_extra_brings_what_its_role_needs_and_no_more(
    install: Install, tool: str, extra: str, tmp_path: Path
) -> None:
    program = install(tool, f"[{extra}]")
    assert __version__ in program.run("--version", folder=tmp_path)
    asked = "import sys, importlib.util as u; print(*[n for n in sys.argv[1:] if u.find_spec(n)])"
    there = call(str(program.python), "-c", asked, *MODULES["server"])
    assert there.split() == sorted(MODULES[extra])


def test_the_wheel_says_what_the_project_says(built: Built) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    with ZipFile(built.wheel) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        told = Parser().parsestr(wheel.read(name).decode())
    extras = project["optional-dependencies"]
    assert sorted(told.get_all("Provides-Extra", [])) == sorted(extras)
    assert len(told.get_all("Project-URL", [])) == len(project["urls"]) >= 3
    every = {text for extra in extras.values() for text in extra}
    assert set(extras["server"]) == every, "the extra 'server' is all roles"


def test_the_roles_license_machines_together(install: Install, tmp_path: Path) -> None:
    publisher = install("uv", "[publisher]")
    host, client = install("pipx", "[host]"), install("pip", "[client]")
    here = ("--store", "publisher")
    publisher.run(
        "publisher", "init", "--sample", "--reserve-root", "r.key", *here, folder=tmp_path
    )
    product = "contoso-office-2010"
    publisher.run(
        "publisher", "descriptor", product, "--out", "office.json", *here, folder=tmp_path
    )
    key = ("publisher", "key", "issue", "--kind", "host", "--group", "office-2010")
    publisher.run(*key, "--out", "key.txt", *here, folder=tmp_path)
    with publisher.serving("publisher", "serve", "--port", "0", *here, folder=tmp_path) as served:
        words = ("publisher", "export", "contoso.json", "--url", served["url"])
        publisher.run(*words, *here, folder=tmp_path)
        there = ("--store", "host")
        host.run("host", "init", "--publisher", "contoso.json", *there, folder=tmp_path)
        text = (tmp_path / "key.txt").read_text("utf-8").strip()
        host.run("host", "install-key", text, *there, folder=tmp_path)
        host.run("host", "activate", *there, folder=tmp_path)
    serve = ("host", "serve", "--port", "0", "--bind", "127.0.0.1", "--no-dns", *there)
    with host.serving(*serve, folder=tmp_path) as served:
        for number in range(1, MACHINES + 1):
            uuid = f"00000000-0000-4000-8000-00000000000{number}"
            facts = {"board-serial": f"B-{number}", "product-serial": f"P-{number}"}
            written = {"v": 1, "facts": {**facts, "system-uuid": uuid}}
            (tmp_path / f"{number}.json").write_text(json.dumps(written), "utf-8")
            me = ("--store", f"machine{number}", "--facts", f"{number}.json")
            client.run("client", "product", "add", "office.json", *me, folder=tmp_path)
            client.run("client", "set-host", f"127.0.0.1:{served['port']}", *me, folder=tmp_path)
            licensed = number == MACHINES
            client.run("client", "activate", *me, folder=tmp_path, code=0 if licensed else 1)
    client.run("client", "licence", "--out", "licence.json", *me, folder=tmp_path)
    plain = install("uv", "")
    verify = ("verify", "licence.json", "--descriptor", "office.json")
    assert plain.json(*verify, folder=tmp_path)
