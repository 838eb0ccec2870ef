"""Go, Node and Muster's own code judge every vector alike, and every bundle that chance spoils.

The verifiers in `go` and `node` were written from docs/spec and share no code with Muster. A
missing tool chain skips these tests, saying what to install; in CI that is a failure
(tests/conftest.py).
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.vectors.making import sites
from tests.vectors.making.cases import (
    LEASE,
    NOTICE,
    bundle,
    grant,
    lease_payload,
    mak,
    notice_payload,
    signed,
)
from tests.vectors.making.signing import Key, b64, jcs, unb64
from tests.vectors.making.worlds import GRANT_0, HOST
from tests.vectors.reading import HERE as VECTORS
from tests.vectors.reading import data_of, expected, load, refusing_step, shown_host

from muster.client import evidence
from muster.client.agent_results import Evidence
from muster.core.errors import MusterError
from muster.core.values import replace
from muster.lease.site import read_site_file, verify_site
from muster.lease.trust import anchor
from muster.testing.world import World

HERE = Path(__file__).resolve().parent
PRODUCT = "desktop-pro"
COMMON = (
    "licences",
    "trust",
    "catalogues",
    "terms",
    "sites",
    "typed",
    "keys",
    "names",
    "confirmations",
)
FILES = {"go": (*COMMON, "grants"), "node": COMMON}
OLDER = ("-tags", "older", "-modfile", "older.mod")
"""Builds the Go verifier with a library that Go 1.19 takes."""
SPOILT = 1500
"""Bundles that chance spoils in one run."""

Program = Callable[[Path], dict[str, dict[str, Any]]]

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("foreign"), pytest.mark.timeout(600)]


def _run(command: list[str], folder: Path, seconds: int = 300) -> str:
    """Run a child to its end and return what it prints; anything but success fails the test."""
    result = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"CGO_ENABLED": "0"},  # no C compiler is among the parts
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def _need(command: str, least: tuple[int, int], ask: str, install: str) -> tuple[int, int]:
    """The version of a tool; skips when it is missing or too old, saying what to install."""
    path = shutil.which(command)
    if path is None:
        pytest.skip(f"{command} is not installed: {install}")
    found = re.search(r"(\d+)\.(\d+)", _run([path, ask], HERE))
    assert found is not None
    version = int(found[1]), int(found[2])
    if version < least:
        pytest.skip(f"{command} is older than {least[0]}.{least[1]}: {install}")
    return version


def _answers(command: list[str], folder: Path, path: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in _run([*command, str(path)], folder).splitlines()]
    answers = {line["name"]: line for line in lines}
    assert len(answers) == len(lines)
    return answers


@pytest.fixture(scope="module")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The Go verifier, built with the library of today where this Go can."""
    return _built(tmp_path_factory.mktemp("go"), _go_options())


def _go_options() -> tuple[str, ...]:
    """How this Go builds the verifier."""
    version = _need("go", (1, 19), "version", "install Go 1.19 or newer")
    return () if version >= (1, 25) else OLDER


def _built(folder: Path, options: tuple[str, ...]) -> Program:
    binary = folder / "verify"
    _run(["go", "build", "-buildvcs=false", *options, "-o", str(binary), "."], HERE / "go")
    return lambda path: _answers([str(binary)], HERE / "go", path)


@pytest.fixture(scope="module")
def node_program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The Node verifier with its one dependency, which one test process at a time may install."""
    _need("node", (18, 0), "--version", "install Node.js 18 or newer")
    _need("npm", (8, 0), "--version", "install npm 8 or newer")
    with (tmp_path_factory.getbasetemp().parent / "npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _installed(HERE / "node"):
            _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], HERE / "node")
    return lambda path: _answers(["node", "verify.mjs"], HERE / "node", path)


def _installed(folder: Path) -> bool:
    """Whether node_modules holds what the lock file pins, by npm's own record."""
    record = folder / "node_modules" / ".package-lock.json"
    if not record.exists():
        return False
    wanted = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    found = json.loads(record.read_text("utf-8"))["packages"]
    return all(
        found.get(name, {}).get("integrity") == package["integrity"]
        for name, package in wanted.items()
        if name
    )


def test_the_older_library_says_the_same(go_program: Program, tmp_path: Path) -> None:
    """What Go 1.19 builds, held here against what this Go builds."""
    older = _built(tmp_path, OLDER)
    for file in FILES["go"]:
        path = VECTORS / f"{file}.json"
        assert _plain(older(path)) == _plain(go_program(path)), file


def _plain(answers: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers without the reasons for people."""
    return [{**answer, "why": None} for answer in answers.values()]


@pytest.fixture(params=["go", "node"])
def program(request: pytest.FixtureRequest) -> tuple[str, Program]:
    """Each verifier in turn."""
    return request.param, request.getfixturevalue(f"{request.param}_program")


def test_every_vector(program: tuple[str, Program]) -> None:
    """All good cases are accepted, all bad ones refused: by step, error code and group."""
    name, judge = program
    for file in FILES[name]:
        answers = judge(VECTORS / f"{file}.json")
        cases = load(file)["cases"]
        assert answers.keys() == {case["name"] for case in cases}
        for case in cases:
            answer = answers[case["name"]]
            if file == "grants":
                assert answer["result"] == "ok", answer
            elif isinstance(case["result"], int):
                assert (answer["result"], answer.get("version")) == ("ok", case["result"]), answer
            else:
                want = "ok" if case["result"] == "ok" else "refused"
                assert answer["result"] == want, answer
                assert answer["step"] == case.get("step"), answer
                if case["result"] not in ("ok", "refused"):
                    assert answer["code"] == case["result"], answer
                if want == "ok":
                    assert answer.get("hosts", []) == case.get("hosts", []), answer
                if isinstance(case.get("group"), int):
                    assert answer["group"] == case["group"], answer


def test_megabytes(program: tuple[str, Program], tmp_path: Path) -> None:
    """What is megabytes long is refused by size, whatever stands in it."""
    good = bundle(signed(LEASE, lease_payload()))
    size = 5 * 2**20
    cases = [
        _case("spaces after", "lease", good + " " * size),
        _case("an unknown member", "lease", f'{good[:-1]},"x":"{"x" * size}"}}'),
        _case("brackets", "lease", "[" * size),
        _case("braces", "lease", '{"a":' * (size // 5)),
        _case("a lease", "lease", bundle("A" * size)),
        _case("dots", "lease", bundle("." * size)),
        _case("a grant", "activation", jcs({"v": 1, "grant": "A" * size})),
        _case("members", "notice", "{" + ",".join(f'"{n}":0' for n in range(300_000)) + "}"),
    ]
    _agree(program, cases, tmp_path)
    assert all(_own(case) == (1, "licence/malformed") for case in cases)


def test_spoilt_by_chance(program: tuple[str, Program], tmp_path: Path) -> None:
    """Whatever happens to the bytes of a bundle or of what was signed, all agree how to refuse."""
    dice = random.Random("muster foreign verifiers")
    cases = [_spoilt(dice, number) for number in range(SPOILT)]
    _agree(program, cases, tmp_path)
    verdicts = [_own(case) for case in cases]
    assert {1, 2, 3, 4, 5, 6, 7} <= {verdict[0] for verdict in verdicts if verdict}
    assert None in verdicts


def test_site_files_that_chance_spoils(program: tuple[str, Program], tmp_path: Path) -> None:
    """Whatever happens to a file or to what was signed in it, all agree: hosts, or the refusal."""
    dice = random.Random("muster site files")
    like = load("sites")["cases"][0]
    cases = [
        {**like, "name": f"{number}", "file": _spoilt_site(dice)} for number in range(SPOILT // 3)
    ]
    path = tmp_path / "sites.json"
    path.write_text(json.dumps({"format": "sites", "cases": cases}), "utf-8")
    answers = program[1](path)
    seen = set()
    for case in cases:
        answer, own = answers[case["name"]], _own_site(case)
        told = (answer["step"], answer.get("code"), answer.get("hosts") or [])
        assert told == own, (answer, case["file"][:20_000])
        seen.add(own[0])
    assert {None, 0, 1, 4, 5} <= seen


def test_evidence_of_an_agent(program: tuple[str, Program], tmp_path: Path) -> None:
    """Who asks an agent's socket verifies a licence without Muster: by members of the answer."""
    world = World()
    world.advertise([world.host()])
    machine = world.machine()
    parts, publisher = machine.client.parts, world.publisher
    machine.client.add_product(publisher.descriptor(PRODUCT))
    machine.client.activate()
    leased = evidence.evidence(parts, PRODUCT)
    machine.client.install_key(publisher.machine_key("desktop").text)
    spoken = machine.client.installation_id().installation_id
    machine.client.confirm(publisher.confirm(spoken).confirmation_id)
    activated = evidence.evidence(parts, PRODUCT)
    found = [
        _shown("a lease", "lease", leased),
        _shown(
            "a lease of another machine", "lease", replace(leased, fingerprint=("u" + "0" * 16,))
        ),
        _shown("an activation", "activation", activated),
        _shown("an activation elsewhere", "activation", replace(activated, binding="0" * 25)),
    ]
    descriptor = publisher.descriptor(PRODUCT).decode()
    shown = {"descriptor": descriptor, "trust": list(leased.trust), "catalogue": leased.catalogue}
    path = tmp_path / "evidence.json"
    file = {"format": "licences", "worlds": {"evidence": shown}, "cases": found}
    path.write_text(json.dumps(file), "utf-8")
    results = {name: answer["result"] for name, answer in program[1](path).items()}
    assert list(results.values()) == ["ok", "refused", "ok", "refused"], results


def _shown(name: str, kind: str, told: Evidence) -> dict[str, Any]:
    """A case of what an agent shows."""
    expected = {
        "cmid": told.cmid,
        "identity": told.identity,
        "nonce": told.nonce,
        "fingerprint": list(told.fingerprint),
        "now": told.time,
        "clock_mark": told.clock_mark,
        "product": told.product,
    }
    if told.binding is not None:
        expected["binding"] = told.binding
    return {
        "name": name,
        "world": "evidence",
        "kind": kind,
        "expected": expected,
        "bundle": told.licence,
    }


def test_unknown_files_are_no_verdict(program: tuple[str, Program], tmp_path: Path) -> None:
    """A file that cannot be judged is an error, not an empty success."""
    path = tmp_path / "unknown.json"
    path.write_text('{"format":"leases","cases":[{"name":"x"}]}', "utf-8")
    with pytest.raises(AssertionError):
        program[1](path)


def test_go_is_formatted_and_vetted(go_program: Program) -> None:
    """gofmt and go vet have nothing to say."""
    assert _run(["gofmt", "-l", "."], HERE / "go") == ""
    options = _go_options()
    _run(["go", "vet", *options, "./..."], HERE / "go")
    _run(["go", "mod", "verify", *options[2:]], HERE / "go")


def test_lock_file_names_no_registry() -> None:
    """The lock pins by hash and leaves the choice of a registry to whoever installs."""
    lock = (HERE / "node" / "package-lock.json").read_text("utf-8")
    assert "http" not in lock
    assert "sha512-" in lock


def _case(name: str, kind: str, data: str | bytes) -> dict[str, Any]:
    """A case of the world "contoso" with what the good vectors expect."""
    like = next(
        case
        for case in load("licences")["cases"]
        if case["kind"] == kind and case["result"] == "ok" and case["world"] == "contoso"
    )
    raw = data if isinstance(data, bytes) else data.encode()
    return {
        "name": name,
        "world": "contoso",
        "kind": kind,
        "expected": like["expected"],
        "bundle_b64": base64.b64encode(raw).decode(),
    }


def _own(case: dict[str, Any]) -> tuple[int, str] | None:
    """The step at which Muster refuses a case and its error, or None."""
    refused = refusing_step(case["kind"], data_of(case), expected(case))
    return None if refused is None else (refused[0], refused[1].code)


def _agree(program: tuple[str, Program], cases: list[dict[str, Any]], folder: Path) -> None:
    """A foreign verifier refuses at the same step and with the same error, or accepts too."""
    path = folder / "cases.json"
    worlds = {"contoso": load("licences")["worlds"]["contoso"]}
    path.write_text(json.dumps({"format": "licences", "worlds": worlds, "cases": cases}), "utf-8")
    answers = program[1](path)
    assert len(answers) == len(cases)
    for case in cases:
        answer = answers[case["name"]]
        own = _own(case)
        seen = (answer["result"], answer["step"], answer.get("code"))
        want = ("ok", None, None) if own is None else ("refused", *own)
        assert seen == want, (answer, data_of(case)[:20_000])


SITE_STEP = {
    f"licence/{name}": number
    for number, names in enumerate(
        (
            *(("malformed",), ("header",), ("grant",), ("signer",), ("claims", "version")),
            *(("audience",), ("dates",), ("revoked", "expired")),
        ),
        start=1,
    )
    for name in names
}


def _own_site(case: dict[str, Any]) -> tuple[int | None, str | None, list[str]]:
    """The step at which Muster refuses a site file and its error, or the hosts that it takes."""
    trust = anchor(case["anchor"])
    try:
        parts = read_site_file(case["file"].encode("utf-8"))
    except MusterError as fault:
        return 0, fault.code, []
    hosts: list[str] = []
    for part in parts:
        if part.publisher == trust.issuer:
            try:
                site = verify_site(part, trust, None, case["now"])
            except MusterError as fault:
                return SITE_STEP[fault.code], fault.code, []
            hosts += [shown_host(host) for host in site.claims.hosts]
    return None, None, hosts


def _spoilt_site(dice: random.Random) -> str:
    """A site file of which something is spoilt: its bytes, or what is signed in it."""
    kind = dice.random()
    if kind < 0.4:
        return _mangled(dice, sites.file().encode()).decode("utf-8", "ignore")
    payload = jcs(sites.site_payload()).encode()
    if kind < 0.6:
        return sites.file(
            sites.part(sites.raw_site(_mangled(dice, payload).decode("utf-8", "ignore")))
        )
    if kind < 0.8:
        value = json.loads(payload)
        hosts = value["muster"]["hosts"]
        place = dice.choice([value, value["muster"], hosts[0], hosts[1]])
        name = dice.choice(sorted(place))
        place[name] = dice.choice(
            [*VALUES, "::1", "a.b", 65_535, 65_536, place[name], [place[name]]]
        )
        return sites.file(sites.part(sites.raw_site(jcs(value))))
    text = sites.site()
    spot = dice.randrange(len(text))
    changed = text[:spot] + dice.choice("AZaz09-_.=") + text[spot + 1 :]
    return sites.file(
        sites.part(changed if dice.random() < 0.7 else None, dice.choice([changed, None]))
    )


PIECES = [
    *rb"""" \ { } [ ] , : 0 00 -1 1.0 1e2 9007199254740991 9007199254740992 true null = . A - _ / +
    \u0000 \ud800 \udc00 \ud83d\ude00 \u0065 \/ \x "a":1, "exp":1, "v":2, "EXP":9, "constructor":1,
    "__proto__":{"v":1}, "x":[[[1]]], "x":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],""".split(),
    *(b" ", b"\t", b"\n", b"\x00", b"\x7f", b"\x1f", b"\xff", b"\xc3\xbc", b"\xed\xa0\x80"),
    *(b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80"),
]
"""What chance puts into bytes."""


def _mangled(dice: random.Random, data: bytes) -> bytes:
    """The bytes with one to three small things done to them."""
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        start = dice.randrange(len(data) + 1)
        end = min(len(data), start + dice.choice((0, 0, 1, 1, 2, 5, 40)))
        piece = dice.choice(
            (dice.choice(PIECES), dice.choice(PIECES), b"", data[end:start], dice.randbytes(1))
        )
        data = data[:start] + piece + data[end:]
    return data


VALUES = [
    *(None, True, False, 0, 1, 2, 25, 2**53 - 1, "", "0", "machine", "explicit", "desktop-7"),
    *([], {}, [""], ["desktop-7"], {"v": 1}, HOST.kid, GRANT_0.kid, "0-7-1", "A" * 22, "f" * 25),
]
"""What chance gives to claims."""


def _revalued(dice: random.Random, payload: bytes) -> bytes:
    """The payload with one or two members given another value, taken out or renamed."""
    value = json.loads(payload)
    for _ in range(dice.choice((1, 1, 2))):
        place = value["muster"] if dice.random() < 0.5 and value.get("muster") else value
        if not isinstance(place, dict) or not place:
            continue
        name = dice.choice(sorted(place))
        old = place.pop(name)
        what = dice.random()
        if what < 0.6:
            place[name] = dice.choice(VALUES)
        elif what < 0.8 and isinstance(old, int):
            place[name] = max(0, old + dice.choice((-(10**9), -86_400, -1, 1, 14_400, 10**9)))
        elif what < 0.9:
            place[name.upper()] = old
    return jcs(value).encode()


def _inside(dice: random.Random, text: str, key: Key, where: str) -> str:
    """A signed object spoilt in one of its parts; all but "text" is signed again afterwards."""
    if where == "text":
        return _mangled(dice, text.encode()).decode("latin-1")
    first, second = (unb64(part) for part in text.split(".")[:2])
    if where == "header":
        first = _mangled(dice, first)
    elif where == "payload":
        second = _mangled(dice, second)
    else:
        second = _revalued(dice, second)
    data = f"{b64(first)}.{b64(second)}"
    return f"{data}.{b64(key.sign(data.encode()))}"


def _spoilt(dice: random.Random, number: int) -> dict[str, Any]:
    """A lease, activation or notice bundle spoilt outside or inside its signatures."""
    kind = dice.choice(("lease", "lease", "activation", "notice"))
    where = dice.choice(
        ("bundle", "text", "header", "payload", "payload", "value", "value", "value")
    )
    main, granted = "", mak() if kind == "activation" else grant()
    if kind == "lease":
        main = signed(LEASE, lease_payload())
    elif kind == "notice":
        main = signed(NOTICE, notice_payload())
    if where != "bundle" and (kind == "activation" or dice.random() < 0.3):
        granted = _inside(dice, granted, GRANT_0, where)
    elif where != "bundle":
        main = _inside(dice, main, HOST, where)
    members: dict[str, Any] = {"v": 1, "grant": granted}
    if main:
        members |= {kind: main, "signer": HOST.jwk}
    data = jcs(members).encode()
    if where == "bundle":
        data = _mangled(dice, data)
    return _case(f"{number}, {kind}, {where}", kind, data)
