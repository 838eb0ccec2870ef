"""Programs in six languages, as docs/agent.md has them, are told the truth by real agents."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.agent.conftest import Machine

from muster.client.act import offline, products, settings
from muster.core.products import Revocation, day_of
from muster.system.facts import facts_file
from muster.testing.loopback import LoopbackHost
from muster.testing.world import machine_facts

PAGE = (Path(__file__).parents[2] / "docs" / "agent.md").read_text("utf-8")
pytestmark = [pytest.mark.real, pytest.mark.xdist_group("agent-docs"), pytest.mark.timeout(600)]

BUILDS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "sh": ("ask.sh", (), ("sh", "ask.sh")),
    "go": ("main.go", ("go", "build", "-o", "ask", "main.go"), ("./ask",)),
    "js": ("ask.mjs", (), ("node", "ask.mjs")),
    "java": ("Licensed.java", ("javac", "Licensed.java"), ("java", "-Xshare:auto", "Licensed")),
    "rust": ("ask.rs", ("rustc", "--edition", "2021", "ask.rs"), ("./ask",)),
    "c": ("ask.c", ("cc", "-Wall", "-Wextra", "-Werror", "-o", "ask", "ask.c"), ("./ask",)),
}
"""File, how it is built, how it is run."""
TRUTH = {
    "licensed": "licensed",
    "refused": "host/insufficient-count",
    "revoked": "licence/revoked",
    "copied": "client/other-machine",
}


def set_up(machine: Machine) -> None:
    products.add_product(machine.parts, machine.descriptor)
    settings.set_host(machine.parts, machine.served.address.text)
    machine.start()


def activated(machine: Machine) -> None:
    """By a key for this machine alone, which is revoked afterwards."""
    publisher, parts = machine.served.publisher, machine.parts
    products.add_product(parts, machine.descriptor)
    machine.start()
    key = {"key": publisher.machine_key("desktop").text}
    assert machine.ask("PUT", f"/v1/products/{machine.name}/key", key, as_root=True)[0] == 200
    spoken = offline.installation_id(parts).installation_id
    offline.confirm(parts, publisher.confirm(spoken).confirmation_id)
    told = machine.product()
    assert told["licensed"]
    publisher.now = parts.clock.now()
    revocation = Revocation(jti=None, key=told["key_id"], at=day_of(publisher.now))
    publisher.publish(revocations=[revocation])
    offline.import_publisher_file(parts, publisher.file().encode())


@pytest.fixture(scope="module")
def machines() -> Iterator[Mapping[str, Machine]]:
    with contextlib.ExitStack() as stack:

        def made(crowd: int = 100) -> Machine:
            machine = Machine(stack.enter_context(LoopbackHost(crowd=crowd)))
            stack.callback(machine.close)
            return machine

        found = {"licensed": made(), "refused": made(crowd=0), "revoked": made()}
        for name in ("licensed", "refused"):
            set_up(found[name])
            assert found[name].ask("POST", "/v1/activate", {}, as_root=True)[0] == 200
        activated(found["revoked"])
        copied = found["copied"] = Machine(found["licensed"].served)
        stack.callback(copied.close)
        shutil.copytree(found["licensed"].store, copied.store)
        copied.facts.write_bytes(facts_file(machine_facts("another")))
        # Nobody answers: a copy would ask for a licence of its own.
        (copied.store / "client.toml").write_text('[client]\nhost = "127.0.0.1:1"\n')
        copied.start()
        yield found


Ask = Callable[[Path, Path], tuple[int, str]]


@pytest.fixture(scope="module", params=BUILDS)
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """The program of a language, built from the page."""
    file, build, run = BUILDS[request.param]
    for tool in {build[0] if build else run[0], run[0]} - {"./ask"}:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    code = re.search(rf"^```{request.param}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert code is not None
    folder = tmp_path_factory.mktemp(request.param)
    (folder / file).write_text(code[1], "utf-8")
    if build:
        done = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def asked(descriptor: Path, socket: Path) -> tuple[int, str]:
        words = [*run, str(descriptor), str(socket)]
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, check=False, timeout=120
        )
        return done.returncode, done.stdout.strip()

    return asked


def test_a_program_is_told_the_truth(
    ask: Ask, machines: Mapping[str, Machine], tmp_path: Path
) -> None:
    descriptor = tmp_path / "descriptor.json"
    for name, truth in TRUTH.items():
        machine = machines[name]
        descriptor.write_bytes(machine.descriptor)
        expected = (0 if truth == "licensed" else 1, truth)
        assert ask(descriptor, machine.sockets.everybody) == expected, name
    # What is no descriptor, and an agent that is not there, are no verdict.
    assert ask(descriptor, tmp_path / "none.sock")[0] == 3
    descriptor.write_bytes(b"{}")
    assert ask(descriptor, machines["licensed"].sockets.everybody)[0] == 3
