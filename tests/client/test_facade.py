"""Three lines in an application: on a real disk, with real files, and light to import."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import muster.client
from muster.client import Licence, activate, licence
from muster.client.facade import system_client
from muster.core.states import LicenceState
from muster.system.facts import facts_file
from muster.testing.loopback import LoopbackHost
from muster.testing.tiny_host import Misbehaviour
from muster.testing.world import machine_facts

PRODUCT = "desktop-pro"


class Place:
    """A machine on a real disk: its store, facts and descriptor, and the host that it asks."""

    def __init__(self, folder: Path, served: LoopbackHost, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = folder / "store"
        self.served = served
        self.descriptor = folder / "descriptor.json"
        self.descriptor.write_bytes(served.publisher.descriptor(PRODUCT))
        self.descriptor.chmod(0o644)
        self.facts = folder / "facts.json"
        self.become("pc-1")
        monkeypatch.setenv("MUSTER_CLIENT_HOST", served.address.text)

    def become(self, machine: str) -> None:
        """Be another machine: the facts change, the store stays."""
        self.facts.write_bytes(facts_file(machine_facts(machine)))
        self.facts.chmod(0o600)

    def look(self) -> Licence:
        return licence(self.descriptor, store=self.store, facts=self.facts)

    def activate(self, *, if_due: bool = False) -> Licence:
        return activate(self.descriptor, store=self.store, facts=self.facts, if_due=if_due)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with LoopbackHost() as served:
        yield Place(tmp_path, served, monkeypatch)


@pytest.mark.real
def test_from_nothing_to_a_licence(place: Place) -> None:
    before = place.look()
    assert not before
    assert before.why is not None
    assert before.why.code == "client/not-added"
    assert before.state is LicenceState.UNLICENSED
    assert not place.store.exists(), "looking writes nothing"

    got = place.activate()
    assert got.licensed
    assert got.why is None
    assert got.until is not None
    assert abs(got.until - datetime.now(UTC) - timedelta(days=180)) < timedelta(minutes=5)
    assert place.look() == got
    assert place.look().text == "Licensed"

    # A second activation that is not due asks nobody.
    asked = len(place.served.host.asked)
    assert place.activate(if_due=True).licensed
    assert len(place.served.host.asked) == asked


@pytest.mark.real
def test_a_refusal_is_told_with_count_and_need(place: Place) -> None:
    place.served.host.forget()
    got = place.activate()
    assert not got.licensed
    assert got.in_grace
    assert got.state is LicenceState.INITIAL_GRACE
    assert got.until is not None
    assert got.why is not None
    assert got.why.code == "host/insufficient-count"
    assert "1 of the 25" in got.text
    later = place.look()
    assert later.why is not None
    assert later.why.code == "host/insufficient-count"
    assert later.why.fix == got.why.fix


@pytest.mark.real
def test_a_failed_renewal_is_a_warning_while_the_licence_runs(place: Place) -> None:
    assert place.activate().licensed
    place.served.host.misbehaviour = Misbehaviour.RUBBISH
    got = place.activate()
    assert got.licensed
    assert got.why is None
    assert [one.code for one in got.warnings] == ["net/not-http"]


@pytest.mark.real
def test_a_store_of_another_machine_licenses_nobody(place: Place) -> None:
    assert place.activate().licensed
    place.become("pc-2")
    got = place.look()
    assert not got.licensed
    assert got.why is not None
    assert got.why.code == "client/other-machine"


@pytest.mark.real
def test_an_application_with_other_roots_is_not_licensed_by_this_store(place: Place) -> None:
    """The store is a cache: every look starts at the caller's own descriptor."""
    from muster.lease.descriptor import make_descriptor
    from muster.lease.trust import TrustClaims, make_trust
    from muster.testing.tiny_publisher import GROUPS, test_key

    assert place.activate().licensed
    publisher = place.served.publisher
    text = make_trust(
        TrustClaims(
            issuer=publisher.publisher,
            label=publisher.label,
            name="Contoso",
            version=2,
            iat=publisher.now,
            roots=(test_key("x", "root").public, test_key("x", "reserve").public),
            keys=publisher.keys[:1],
        ),
        test_key("x", "root"),
    )
    own = make_descriptor(text, publisher.catalogue.product(PRODUCT), [GROUPS[0]])
    got = licence(own, store=place.store, facts=place.facts)
    assert not got.licensed
    assert got.why is not None
    assert got.why.code == "licence/grant"


@pytest.fixture
def public_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The same below folders that every user may enter; pytest's own are for its user alone."""
    with tempfile.TemporaryDirectory() as name, LoopbackHost() as served:
        folder = Path(name)
        folder.chmod(0o755)
        yield Place(folder, served, monkeypatch)


@pytest.mark.real
def test_an_ordinary_user_reads_the_licence_of_a_system_store(public_place: Place) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    place = public_place
    assert place.activate().licensed
    place.facts.chmod(0o644)
    code = (
        "import json, os, sys\n"
        "from muster.client import activate, licence\n"
        "# The interpreter may lie where only root can read: load what is needed before.\n"
        "assert activate(sys.argv[1], store=sys.argv[2], facts=sys.argv[3]).licensed\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "found = licence(sys.argv[1], store=sys.argv[2], facts=sys.argv[3])\n"
        "tried = activate(sys.argv[1], store=sys.argv[2], facts=sys.argv[3])\n"
        "print(json.dumps([found.licensed, tried.licensed, [w.code for w in tried.warnings]]))\n"
    )
    words = [str(place.descriptor), str(place.store), str(place.facts)]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, check=True, text=True
    )
    assert json.loads(done.stdout) == [True, True, ["file/denied"]]


@pytest.mark.real
def test_an_ordinary_user_verifies_the_key_that_root_activated(public_place: Place) -> None:
    """What is kept of a key is enough for every program here, and for no installation ID."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    place = public_place
    client = system_client(store=place.store, facts=place.facts)
    client.add_product(place.descriptor.read_bytes())
    client.install_key(place.served.publisher.machine_key("desktop").text)
    answer = place.served.publisher.confirm(client.installation_id().installation_id)
    assert client.confirm(answer.confirmation_id).renewed
    place.facts.chmod(0o644)
    code = (
        "import json, os, sys\n"
        "from muster.client import licence\n"
        "from muster.client.facade import system_client\n"
        "from muster.core.errors import MusterError\n"
        "assert licence(sys.argv[1], store=sys.argv[2], facts=sys.argv[3]).licensed\n"
        "client = system_client(store=sys.argv[2], facts=sys.argv[3])\n"
        "client.installation_id()\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "found = licence(sys.argv[1], store=sys.argv[2], facts=sys.argv[3])\n"
        "try:\n"
        "    client.installation_id()\n"
        "except MusterError as fault:\n"
        "    print(json.dumps([found.licensed, found.kind, fault.code]))\n"
    )
    words = [str(place.descriptor), str(place.store), str(place.facts)]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, check=True, text=True
    )
    assert json.loads(done.stdout) == [True, "mak", "file/denied"]


@pytest.mark.real
def test_folders_that_root_made_with_a_narrow_umask_are_for_every_program(
    public_place: Place,
) -> None:
    """And where somebody closed them, the application is told so and goes on."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    place = public_place
    place.facts.chmod(0o644)
    code = (
        "import json, os, sys\n"
        "from muster.client import activate, licence\n"
        "os.umask(0o077)\n"
        "assert activate(sys.argv[1], store=sys.argv[2], facts=sys.argv[3]).licensed\n"
        "os.umask(0o022)\n"
        "os.makedirs('/run/muster')\n"
        "open('/run/muster/facts.json', 'w').close()\n"
        "os.chmod('/run/muster', 0o700)\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "found = licence(sys.argv[1], store=sys.argv[2], facts=sys.argv[3])\n"
        "closed = licence(sys.argv[1], store=sys.argv[2])\n"
        "print(json.dumps([found.licensed, closed.licensed, closed.why.code]))\n"
    )
    words = [str(place.descriptor), str(place.store), str(place.facts)]
    done = subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh"),
            *(sys.executable, "-c", code, *words),
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    assert json.loads(done.stdout) == [True, False, "file/denied"]


def test_what_cannot_be_read_is_told_and_never_raised(tmp_path: Path) -> None:
    missing = licence(tmp_path / "none.json", store=tmp_path)
    rubbish = licence(b"\x00", store=tmp_path)
    open_to_all = tmp_path / "open.json"
    open_to_all.write_bytes(b"{}")
    open_to_all.chmod(0o666)
    others = licence(open_to_all, store=tmp_path)
    for found, code in (
        (missing, "file/missing"),
        (rubbish, "licence/malformed"),
        (others, "file/anchor"),
    ):
        assert not found
        assert found.why is not None
        assert found.why.code == code
        assert found.product == ""
    tried = activate(b"\x00", store=tmp_path)
    assert tried.why is not None
    assert tried.why.code == "licence/malformed"


@pytest.mark.real
def test_a_broken_settings_file_or_facts_file_is_told(place: Place) -> None:
    assert place.activate().licensed
    (place.store / "client.toml").write_text("[client\n")
    got = place.activate()
    assert got.licensed, "looking needs no settings"
    assert [one.code for one in got.warnings] == ["file/toml"]
    place.facts.write_text("{")
    got = place.look()
    assert not got.licensed
    assert got.why is not None
    assert got.why.code == "facts/malformed"
    assert got.in_grace


HEAVY = (
    "muster.db",
    "muster.net",
    "sqlite3",
    "psycopg",
    "uvicorn",
    "starlette",
    "httptools",
    "dns",
    "http",
    "ssl",
    "socket",
    "asyncio",
    "rich",
    "click",
)


def loaded_by(code: str) -> list[str]:
    """Heavy modules that a fresh interpreter holds after some code."""
    show = f"{code}\nimport sys\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-I", "-c", show], capture_output=True, check=True, text=True
    )
    found = json.loads(done.stdout.replace("'", '"'))
    assert isinstance(found, list)
    return found


def test_importing_the_client_is_light() -> None:
    assert loaded_by("import muster.client") == []


def test_looking_at_a_licence_loads_no_network_and_no_database(tmp_path: Path) -> None:
    code = f"from muster.client import licence\nlicence(b'x', store={str(tmp_path)!r})"
    assert loaded_by(code) == []


def test_judging_a_licence_loads_nothing_that_only_asking_needs() -> None:
    unused = ("muster.client.act", "muster.client.doctor", "muster.client.service")
    show = (
        "import sys, muster.client.present\n"
        f"print([m for m in {unused!r} + ('muster.health', 'muster.client.look')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", show], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_the_import_times_name_no_heavy_module() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", "-c", "import muster.client"],
        capture_output=True,
        check=True,
        text=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "muster.client.facade" in imported
    assert not imported & set(HEAVY)
    assert not {"cryptography", "email", "json", "platform"} & imported


def test_what_is_exported() -> None:
    assert sorted(muster.client.__all__) == ["Licence", "activate", "licence"]


@pytest.mark.real
@pytest.mark.parametrize("sent", [True, False])
def test_the_name_of_the_machine_goes_along_unless_a_setting_leaves_it_out(
    place: Place, monkeypatch: pytest.MonkeyPatch, sent: bool
) -> None:
    if not sent:
        monkeypatch.setenv("MUSTER_CLIENT_SEND_NAME", "false")
    assert place.activate().licensed
    challenged, asked = place.served.host.asked
    assert challenged.client.name == asked.client.name
    assert asked.client.name == (platform.node()[:64] if sent else "")


@pytest.mark.real
@pytest.mark.parametrize("configured", [False, True])
def test_a_program_that_configured_no_log_is_shown_none(place: Place, configured: bool) -> None:
    """Python prints warnings of loggers without a handler to standard error by itself."""
    place.served.host.misbehaviour = Misbehaviour.RUBBISH
    code = (
        "import logging, sys\n"
        f"{'logging.basicConfig()' if configured else ''}\n"
        "from muster.client import activate\n"
        "assert not activate(sys.argv[1], store=sys.argv[2], facts=sys.argv[3]).licensed\n"
    )
    words = [str(place.descriptor), str(place.store), str(place.facts)]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=True)
    assert done.stdout == b""
    assert (b"WARNING:muster.client:" in done.stderr) is configured
    assert configured or not done.stderr
