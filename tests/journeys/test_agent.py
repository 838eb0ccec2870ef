"""A whole machine with an agent at its real places: users, containers, and who counts as one.

Each test has a mount namespace of its own with hardware of its own, in which /run and /var/lib are
empty; those of the machine are not touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muster.testing.loopback import LoopbackHost

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, other users"),
]

ROOT = Path(__file__).parents[2]
PRODUCT = "desktop-pro"
KEEP = (
    "for place in /run /var/lib /sys; do mount -t tmpfs -o mode=0755 tmpfs $place; done;"
    " mkdir -p /run/muster /var/lib/muster /sys/class/dmi/id; cd /sys/class/dmi/id; umask 377;"
    " echo 4c4c4544-0051-3510-8054-b7c04f4d3132 > product_uuid; echo CN7016-3A21F > board_serial;"
    " cd /; umask 022; echo ready; read end"
)
LOOK = """
import json, os, sys
from muster.client import activate, licence
user = int(sys.argv[3])
if user:
    from tests.worlds.as_user import load
    load()
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
if sys.argv[4:] == ["rootless"]:
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(4, 1)  # PR_SET_DUMPABLE: else this user's own files of /proc are root's
    if libc.unshare(0x10000000):  # CLONE_NEWUSER
        print(json.dumps("no user namespaces"))
        sys.exit(0)
    own = f"0 {user} 1"
    for name, text in (("setgroups", "deny"), ("uid_map", own), ("gid_map", own)):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    assert os.geteuid() == 0
if sys.argv[2] == "activate":
    found = activate(sys.argv[1], trusted=True)
else:
    found = licence(sys.argv[1], trusted=True)
why = None if found.why is None else found.why.code
print(json.dumps({"licensed": found.licensed, "why": why, "state": int(found.state),
                  "kind": found.kind, "warnings": [w.code for w in found.warnings]}))
"""


class Island:
    """A mount namespace: the place of one machine."""

    def __init__(self, descriptor: bytes) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="muster-island-"))
        self.folder.chmod(0o755)
        (self.folder / "descriptor.json").write_bytes(descriptor)
        self._keep = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", KEEP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._keep.stdout is not None
        if self._keep.stdout.readline() != "ready\n":
            self.close()
            pytest.skip("this system does not let us make mount namespaces")
        self.agent: subprocess.Popen[str] | None = None

    def command(self, words: list[str]) -> list[str]:
        """The command line that runs something on this machine."""
        return ["nsenter", "--mount", "--target", str(self._keep.pid), "--", *words]

    def run(self, *words: str) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            self.command(list(words)),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=env,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def muster(self, *words: str) -> dict[str, Any]:
        value = json.loads(self.run(sys.executable, "-m", "muster", *words, "--json"))
        assert isinstance(value, dict)
        return value

    def start(self) -> None:
        """Start the agent, as its unit does."""
        words = self.command([sys.executable, "-m", "muster", "client", "agent"])
        with (self.folder / "log").open("ab") as log:
            self.agent = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.agent.stdout is not None
        assert self.agent.stdout.readline(), (self.folder / "log").read_text()

    def ask(self, method: str, path: str, body: object = None, *, root: bool = False) -> Any:
        place = "/run/muster/root.sock" if root else "/run/muster/agent/agent.sock"
        words = ["curl", "-sS", "-X", method, "--unix-socket", place, f"http://agent{path}"]
        if body is not None:
            words += ["--data-binary", json.dumps(body)]
        return json.loads(self.run(*words))

    def look(self, what: str = "licence", *, user: int = 0) -> dict[str, Any]:
        """What an application of a user is told on this machine."""
        descriptor = str(self.folder / "descriptor.json")
        words = (sys.executable, "-c", LOOK, descriptor, what, str(user))
        value = json.loads(self.run(*words))
        assert isinstance(value, dict)
        return value

    def close(self) -> None:
        if getattr(self, "agent", None) is not None:
            assert self.agent is not None
            self.agent.terminate()
            self.agent.communicate(timeout=60)
        if self._keep.poll() is None:
            self._keep.communicate("\n", timeout=60)
        else:
            self._keep.communicate()
        shutil.rmtree(self.folder)


@pytest.fixture
def served() -> Iterator[LoopbackHost]:
    with LoopbackHost() as host:
        yield host


@pytest.fixture
def island(served: LoopbackHost) -> Iterator[Island]:
    found = Island(served.publisher.descriptor(PRODUCT))
    try:
        yield found
    finally:
        found.close()


def set_up(island: Island, served: LoopbackHost, *more: str) -> None:
    descriptor = str(island.folder / "descriptor.json")
    island.muster("client", "product", "add", descriptor, "--trust-file", *more)
    island.muster("client", "set-host", served.address.text)


def test_a_licence_that_root_activated_is_one_for_every_user(
    island: Island, served: LoopbackHost
) -> None:
    """A MAK is bound to a fact that only root reads; nobody typed 'facts --write'."""
    set_up(island, served)
    publisher = served.publisher
    key = island.folder / "mak.key"
    key.write_text(publisher.machine_key("desktop").text)
    key.chmod(0o600)
    island.muster("client", "install-key", "--key-file", str(key))
    spoken = island.muster("client", "installation-id")["installation_id"]
    island.muster("client", "confirm", publisher.confirm(spoken).confirmation_id)
    assert island.look()["kind"] == "mak"
    island.start()
    # Facts are written before the first look; a wish waits for that.
    assert island.ask("POST", "/v1/activate", {})["products"][0]["licensed"]
    told = island.look(user=65_534)
    assert (told["licensed"], told["kind"]) == (True, "mak"), told
    assert island.muster("client", "status")["agent"]["running"]
    shown = island.run(sys.executable, "-m", "muster", "client", "status")
    assert "Agent:            runs since 2" in shown
    assert "It last asked:    2" in shown
    doctor = f"{sys.executable} -m muster doctor --json || true"
    checks = json.loads(island.run("sh", "-c", doctor))["reports"][0]["checks"]
    assert [check["mark"] for check in checks if check["topic"] == "agent"] == ["ok"]


def test_a_program_of_an_ordinary_user_may_have_the_agent_ask(
    island: Island, served: LoopbackHost
) -> None:
    set_up(island, served)
    # As without an agent: the store is root's.
    assert island.look("activate", user=65_534)["why"] == "file/denied"
    island.start()
    assert island.look("activate", user=65_534)["licensed"]
    # And with an agent that is gone, as before.
    assert island.agent is not None
    island.agent.terminate()
    island.agent.wait(60)
    assert island.look("licence", user=65_534)["licensed"]
    # Nor does a socket that somebody left there take a licence away, or say why there is none.
    island.run("sh", "-c", "mkdir -p /run/muster/agent; rm -rf /var/lib/muster/*")
    assert island.look("licence")["why"] == "client/not-added"


CONTAINER = (
    "mount --bind /run/muster/agent $AGENT;"
    " for place in /run /var/lib /sys; do mount -t tmpfs tmpfs $place; done;"
    " mkdir -p /run/muster/agent; mount --bind $AGENT /run/muster/agent; umount $AGENT;"
    ' hostname container; exec "$@"'
)


def in_container(island: Island, *words: str) -> str:
    """Run something where only the agent's folder is mounted: other mounts, processes and name."""
    inside = island.folder / "inside"
    inside.mkdir(exist_ok=True)
    script = f"AGENT={inside}; {CONTAINER}"
    return island.run(
        "unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--mount-proc", "sh", "-c",
        script, "sh", *words,
    )  # fmt: skip


def test_containers_share_the_licence_of_their_node_and_count_once(
    island: Island, served: LoopbackHost
) -> None:
    set_up(island, served, "--identity", "node")
    island.start()
    assert island.ask("POST", "/v1/activate", {})["products"][0]["licensed"]
    counted = served.host.count("os")
    words = (sys.executable, "-c", LOOK, str(island.folder / "descriptor.json"))
    for _ in range(2):
        told = json.loads(in_container(island, *words, "licence", "0"))
        assert told == {
            "licensed": True, "why": None, "state": 1, "kind": "lease", "warnings": [],
        }  # fmt: skip
        told = json.loads(in_container(island, *words, "activate", "0"))
        assert told["licensed"], told
    # A container of an ordinary user, to whom root of the node is nobody.
    told = json.loads(in_container(island, *words, "licence", "65533", "rootless"))
    if told != "no user namespaces":
        assert told["licensed"], told
    assert served.host.count("os") == counted
    # Root of a container changes nothing on the node, and does not find the socket for root.
    seen = in_container(island, "sh", "-c", "ls -R /run/muster; id -u; ls -A /var/lib")
    assert "root.sock" not in seen
    assert "agent.sock" in seen
    curl = "curl -sS -X DELETE --unix-socket /run/muster/agent/agent.sock http://agent"
    path = f"/v1/products/{served.publisher.publisher}/{PRODUCT}"
    refused = json.loads(in_container(island, "sh", "-c", curl + path))
    assert refused["code"] == "agent/root-only"


def test_a_machine_that_does_not_share_says_so(island: Island, served: LoopbackHost) -> None:
    set_up(island, served)
    island.start()
    assert island.ask("POST", "/v1/activate", {})["products"][0]["licensed"]
    words = (sys.executable, "-c", LOOK, str(island.folder / "descriptor.json"), "licence", "0")
    told = json.loads(in_container(island, *words))
    assert (told["licensed"], told["why"]) == (False, "client/not-shared")
