"""The command where nothing around it is as usual: no home, no user, no streams, no characters."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.system.facts import facts_file
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import machine_facts

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
NOBODY = 1_000_680_000
"""A user id as OpenShift gives: no entry in passwd."""
MUSTER = (sys.executable, "-m", "muster")


@pytest.fixture
def as_nobody() -> tuple[str, ...]:
    """The words that run a program as a user whom nobody knows; it may read, not write, all."""
    words: tuple[str, ...] = ("setpriv", f"--reuid={NOBODY}", "--regid=0", "--clear-groups")
    words += ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root, with setpriv, can become a user whom nobody knows")
    if subprocess.run([*words, sys.executable, "-c", ""], check=False).returncode != 0:
        pytest.skip("this machine lets no other user run Python")
    return (*words, "env", "-i", "PATH=/usr/bin:/bin")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may look into."""
    found = Path(tempfile.mkdtemp(prefix="muster-test-"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


def run(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert "defect" not in done.stderr
    return done


def test_no_home_and_no_passwd_entry(as_nobody: tuple[str, ...], folder: Path) -> None:
    """eclipse-che/che#13454: an arbitrary user id, as OpenShift runs containers."""
    store = folder / "store"
    store.mkdir()
    os.chown(store, NOBODY, 0)
    publisher = TinyPublisher(now=int(time.time()) - 86_400)
    descriptor, facts = folder / "d.json", folder / "f.json"
    descriptor.write_bytes(publisher.descriptor("desktop-pro"))
    facts.write_bytes(facts_file(machine_facts("pc-1")))
    for path in (descriptor, facts):
        path.chmod(0o644)
    start = (*as_nobody, f"MUSTER_STORE={store}", f"MUSTER_FACTS={facts}", *MUSTER)
    assert run(*start, "client", "product", "add", str(descriptor)).returncode == 0
    shown = json.loads(run(*start, "client", "status", "--json").stdout)["products"]
    assert [one["state"] for one in shown] == [2]
    for words in (("host", "status"), ("publisher", "audit", "list"), ("doctor",)):
        assert run(*start, *words).returncode in (1, 2, 3)
    program = (
        "import muster.client, sys; found = muster.client.licence("
        "sys.argv[1], store=sys.argv[2], facts=sys.argv[3]); print(found.state.value)"
    )
    paths = (str(descriptor), str(store), str(facts))
    asked = run(*as_nobody, sys.executable, "-c", program, *paths)
    assert asked.stdout == "2\n"
    assert run(*as_nobody, *MUSTER, "client", "status").stderr.startswith("file/no-home\n")
    unnamed = "import muster.client, sys; print(muster.client.licence(sys.argv[1]).why.code)"
    asked = run(*as_nobody, sys.executable, "-c", unnamed, str(descriptor))
    assert asked.stdout == "file/no-home\n"


def test_users_without_a_store_of_the_system_are_told_that_they_count_as_machines(
    as_nobody: tuple[str, ...], folder: Path
) -> None:
    """Each time: when a product is set up, when it is activated, and when it is looked at."""
    home = folder / "home"
    home.mkdir()
    os.chown(home, NOBODY, 0)
    descriptor = folder / "d.json"
    descriptor.write_bytes(TinyPublisher(now=int(time.time()) - 86_400).descriptor("desktop-pro"))
    descriptor.chmod(0o644)
    facts = folder / "f.json"
    facts.write_bytes(facts_file(machine_facts("pc-1")))
    facts.chmod(0o644)
    own = f"{home}/.local/state/muster is the store of this user only"
    for system in ("", "mkdir -m 755 /var/lib/muster && "):
        line = f'mount -t tmpfs -o mode=0755 none /var/lib && {system}exec "$@"'
        start = ("unshare", "--mount", "sh", "-c", line, "sh", *as_nobody, f"HOME={home}")
        for words in (("product", "add", str(descriptor)), ("activate",), ("status",)):
            command = (f"MUSTER_FACTS={facts}", *MUSTER, "client", *words)
            done = subprocess.run(
                (*start, *command), capture_output=True, text=True, timeout=60, check=False
            )
            if "mount:" in done.stderr:
                pytest.skip(f"this machine lets nobody mount: {done.stderr}")
            assert ("counts as another machine" in done.stderr) is (not system), done.stderr
            assert (own in done.stderr) is (not system)


def test_a_hardened_umask_of_root_hides_no_licence(folder: Path) -> None:
    """Root has umask 077 on many machines; what it sets up is for the programs of every user, also
    beside a host, which is its own user's. Where a folder is closed all the same, root is told, and
    a program is answered."""
    if os.geteuid() != 0:
        pytest.skip("only root sets up a machine's store")
    descriptor = folder / "d.json"
    descriptor.write_bytes(TinyPublisher(now=int(time.time()) - 86_400).descriptor("desktop-pro"))
    descriptor.chmod(0o644)
    program = folder / "look.py"
    program.write_text(
        "import os, sys; from tests.worlds.as_user import load; load(); import muster.client;"
        f" os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY});"
        " found = muster.client.licence(sys.argv[1]);"
        " print(found.state.value, found.why and found.why.code)",
        encoding="utf-8",
    )
    muster = f"{shlex.join(MUSTER)} client"
    asked = f"{sys.executable} {program} {descriptor}"
    nobody = f"{sys.executable} {ROOT}/tests/host/as_user.py {NOBODY} {shlex.join(MUSTER)}"
    lines = (
        "for place in /var/lib /run; do mount -t tmpfs -o mode=0755 none $place; done",
        f"umask 077; cd {ROOT}",
        f"{muster} product add {descriptor} && {muster} facts --write && stat -c %a "
        "/var/lib/muster /var/lib/muster/*/ /var/lib/muster/*/anchors /run/muster",
        f"{asked}; {nobody} client status > /dev/null; echo $?",
        "mkdir -m 700 /var/lib/muster/host; touch /var/lib/muster/host/host.db",
        f"{nobody} slmgr /xpr | head -1; {nobody} doctor | head -1",
        f"chmod 700 /var/lib/muster/*/; {muster} status > /dev/null; {asked}",
        f"chmod 755 /var/lib/muster/*/; chmod 700 /run/muster; {asked}",
    )
    done = subprocess.run(
        ("unshare", "--mount", "sh", "-c", "\n".join(lines)),
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT), "HOME": "/root"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "mount:" in done.stderr:
        pytest.skip(f"this machine lets nobody mount: {done.stderr}")
    assert "Traceback" not in done.stderr, done.stderr
    modes, looks = done.stdout.splitlines()[-10:-6], done.stdout.splitlines()[-6:]
    assert modes == ["755"] * 4, done.stdout
    assert looks.pop(2) == "Desktop Pro:", done.stdout
    assert "seen from this machine" in looks.pop(2), done.stdout
    assert looks == ["2 client/not-activated", "0", "0 file/denied", "2 file/denied"], done.stdout
    assert done.stderr.count("Warning: Only root may enter /var/lib/muster/") == 1, done.stderr


@pytest.mark.parametrize("home", ["/nonexistent", "/proc", "relative", ""])
def test_homes_that_are_none(as_nobody: tuple[str, ...], folder: Path, home: str) -> None:
    done = run(*as_nobody, f"HOME={home}", *MUSTER, "client", "status", "--json")
    assert json.loads(done.stdout)["error"]["code"] in ("file/no-home", "client/no-product")
    publisher = TinyPublisher(now=int(time.time()) - 86_400)
    descriptor = folder / "d.json"
    descriptor.write_bytes(publisher.descriptor("desktop-pro"))
    descriptor.chmod(0o644)
    words = ("client", "product", "add", str(descriptor), "--json")
    code = json.loads(run(*as_nobody, f"HOME={home}", *MUSTER, *words).stdout)["error"]["code"]
    assert code in ("file/no-home", "file/denied", "file/missing", "file/io", "file/read-only")


@pytest.mark.parametrize("kind", ["device", "file", "program", "below a file"])
def test_a_home_that_is_no_folder_is_none(
    as_nobody: tuple[str, ...], folder: Path, kind: str
) -> None:
    (folder / "file").write_text("")
    (folder / "program").write_text("")
    (folder / "program").chmod(0o755)
    store = folder / "store"
    store.mkdir()
    os.chown(store, NOBODY, 0)
    home = {
        "device": Path("/dev/null"),
        "file": folder / "file",
        "program": folder / "program",
        "below a file": folder / "file" / "anna",
    }[kind]
    home_words = (f"HOME={home}", *MUSTER, "client", "status", "--json")
    done = json.loads(run(*as_nobody, *home_words).stdout)
    assert done["error"]["code"] == "file/no-home"
    done = json.loads(run(*as_nobody, f"MUSTER_STORE={store}", *home_words).stdout)
    assert done["error"]["code"] == "client/no-product"


def test_no_folder_for_temporary_files(as_nobody: tuple[str, ...]) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    # The folders of all users become root's; the program stays where it is, perhaps in one of them.
    hide = (
        "mount -t tmpfs none /mnt && mkdir /mnt/here && mount --bind {root} /mnt/here"
        " && mount -t tmpfs -o mode=0755 none /tmp && mount -t tmpfs -o mode=0755 none /var/tmp"
        " && mkdir -p {root} && mount --bind /mnt/here {root}"
    ).format(root=shlex.quote(str(ROOT)))
    line = f'{hide} && cd / && exec "$@"'
    words = ("unshare", "--mount", "sh", "-c", line, "sh", *as_nobody, *MUSTER, "demo", "--json")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if "mount" in done.stderr:
        pytest.skip(f"this machine lets nobody mount: {done.stderr}")
    assert json.loads(done.stdout)["error"]["code"] == "file/no-temporary", done.stderr


# Streams.


def shell(script: str, store: Path, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of sh in which `$M` is the command."""
    env = {"PATH": os.environ["PATH"], "HOME": str(store), "MUSTER_STORE": str(store)} | more
    line = f'M="{sys.executable} -m muster"; {script}'
    done = subprocess.run(
        ["bash", "-c", line], env=env, capture_output=True, timeout=60, check=False
    )
    assert b"Traceback" not in done.stderr
    assert b"defect" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    return done


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("$M client status <&-", 1),
        ("$M client status --json >&-", 1),
        ("$M client status 2>&-", 1),
        ("$M client status <&- >&- 2>&-", 1),
        ("$M --help >&-", 0),
        ("$M --help > /dev/full", 3),
        ("$M client status --json > /dev/full", 3),
        ("$M client status 2> /dev/full", 1),
    ],
)
def test_streams_that_are_closed_or_full(tmp_path: Path, script: str, code: int) -> None:
    done = shell(script, tmp_path)
    assert done.returncode == code, done.stderr
    if code == 3:
        assert done.stderr.startswith(b"file/output: The result cannot be written")


def test_a_server_whose_output_takes_nothing_serves(tmp_path: Path) -> None:
    """Its log on a full disk: what it says when it is ready is no result."""
    file = tmp_path / "contoso.muster"
    file.write_bytes(TinyPublisher("contoso", now=int(time.time())).file().encode())
    script = (
        f"$M host init --publisher {file} >/dev/null && "
        "{ $M host serve --bind 127.0.0.1 --port 0 --no-dns --operation-address off"
        " >/dev/full & }; "
        "while ! $M host status --json | grep '\"answers\": true' >/dev/null; do :; done; "
        "kill $!; wait $!"
    )
    done = shell(script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"file/output" in done.stderr


def test_a_reader_that_has_gone_is_no_defect_and_no_refusal(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MUSTER_STORE": str(tmp_path)}
    for words in (("--help",), ("client", "status", "--json")):
        done = subprocess.run(
            (*MUSTER, *words),
            stdout=writing,
            stderr=subprocess.PIPE,
            env=env,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (3, b"")
    os.close(writing)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_output_that_ends_in_the_middle_is_told_once_or_not_at_all(
    tmp_path: Path, form: tuple[str, ...]
) -> None:
    """`muster client status | head -1` is how people look; a full disk is told, once."""
    descriptor, facts = tmp_path / "d.json", tmp_path / "f.json"
    descriptor.write_bytes(TinyPublisher(now=int(time.time()) - 86_400).descriptor("desktop-pro"))
    facts.write_bytes(facts_file(machine_facts("pc-1")))
    for path in (descriptor, facts):
        path.chmod(0o600)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MUSTER_STORE": str(tmp_path / "s")}
    env["MUSTER_FACTS"] = str(facts)
    run(*MUSTER, "client", "product", "add", str(descriptor), env=env)
    reading, writing = os.pipe()
    os.close(reading)
    full = os.open("/dev/full", os.O_WRONLY)
    for words in (("client", "status"), ("client", "product", "list"), ("client", "facts")):
        for output, told in ((writing, 0), (full, 1)):
            done = subprocess.run(
                (*MUSTER, *words, *form),
                stdout=output,
                stderr=subprocess.PIPE,
                env=env,
                timeout=60,
                check=False,
            )
            assert done.returncode == 3, (words, done.stderr)
            assert done.stderr.count(b"file/output") == told, (words, done.stderr)
    os.close(writing)
    os.close(full)


def test_nothing_is_written_into_what_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """With the streams closed, the first files that were opened were 0, 1 and 2."""
    publisher = TinyPublisher(now=int(time.time()) - 86_400)
    descriptor = tmp_path / "d.json"
    descriptor.write_bytes(publisher.descriptor("desktop-pro"))
    descriptor.chmod(0o600)
    facts = tmp_path / "f.json"
    facts.write_bytes(facts_file(machine_facts("pc-1")))
    facts.chmod(0o600)
    store = tmp_path / "s"
    done = shell(
        f"$M client product add {descriptor} <&- >&- 2>&-; $M client product add {descriptor}.no"
        " <&- >&- 2>&-; exec $M client status --json",
        store,
        MUSTER_FACTS=str(facts),
    )
    assert [one["state"] for one in json.loads(done.stdout)["products"]] == [2]


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "cp1252"},
        {},
    ],
)
def test_characters_that_the_output_lacks_are_escaped(
    tmp_path: Path, locale: dict[str, str]
) -> None:
    publisher = TinyPublisher(now=int(time.time()) - 86_400)
    descriptor, facts = tmp_path / "d.json", tmp_path / "f.json"
    descriptor.write_bytes(publisher.descriptor("desktop-pro"))
    facts.write_bytes(facts_file(machine_facts("pc-1")))
    for path in (descriptor, facts):
        path.chmod(0o600)
    key = publisher.machine_key("desktop").text
    script = (
        f"cd {tmp_path} && $M client product add d.json && $M client install-key {key} &&"
        " $M client activate --request $'\\xc3\\xa4\\xff\\xe2\\x80\\xa6.json' &&"
        " $M client installation-id"
    )
    done = shell(script, tmp_path / "s", MUSTER_FACTS=str(facts), **locale)
    assert done.returncode == 0, done.stderr
    assert b".json" in done.stdout
