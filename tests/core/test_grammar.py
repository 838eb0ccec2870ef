"""Each grammar is written once, and nobody else compiles what `core.grammar` holds."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.core import grammar
from muster.core.errors import MusterError
from muster.core.identity import IDENTITY_MODES
from muster.core.settings import split_host_port

SOURCE = Path(__file__).parents[2] / "src" / "muster"
HELD = {name: value for name, value in vars(grammar).items() if hasattr(value, "pattern")}
LOCAL = {
    "cli/publisher/options.py": "an argument that looks like an option",
    "core/digits.py": "the sentences of its own hints",
    "core/keys.py": "product keys anywhere in a text, to mask them",
    "core/macs.py": "a table of address ranges by vendor",
    "core/placeholders.py": "what fillers of firmware look like",
    "core/text.py": "takes an address apart, whatever it is",
    "db/migrate.py": "names of its own files",
    "db/postgres.py": "turns SQL and messages of another program",
    "host/keyring.py": "the one line of its own file",
    "lease/strict.py": "tokens and escapes of JSON",
    "cli/slmgr/__init__.py": "switches of cscript, as administrators type them",
    "net/authorities.py": "certificates between other lines of a PEM file",
    "net/dnsupdate.py": "tokens of a file of BIND",
    "net/head.py": "parts of a request (RFC 9112), which a server reads strictly",
    "net/http/client.py": "what may be in a request that it makes",
    "net/http/exchange.py": "a date of HTTP (RFC 9110)",
    "net/http/framing.py": "parts of an answer (RFC 9112), which a client reads tolerantly",
    "net/openapi.py": "parameters in its own templates of paths",
    "net/peers.py": "parameters of Forwarded (RFC 7239)",
    "net/proxy.py": "addresses of proxies as environments have them",
    "net/resolvconf.py": "words of resolv.conf",
    "system/facts.py": "a file of the kernel",
    "system/hardware.py": "files of the kernel and names of devices",
    "wire/peer.py": "parameters of errors, by their names",
}
"""Modules that take a text apart that nobody else reads, and which text that is."""
METHODS = ("match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")
CALLS = {"pattern", "re.compile", *(f"re.{name}" for name in METHODS)}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every other module of the product."""
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if name not in ("core/grammar.py", "core/patterns.py"):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def compiled(tree: ast.Module) -> Iterator[ast.expr]:
    """The patterns that a module gives to functions of `re`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.module != "re", "functions of re are called by their full name"
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
            yield node.args[0]


def test_only_readers_of_foreign_texts_compile_patterns_of_their_own() -> None:
    found = {name for name, tree in modules() if any(True for _ in compiled(tree))}
    assert found == LOCAL.keys()


def test_no_module_repeats_a_grammar() -> None:
    texts = {held.pattern for held in HELD.values() if len(held.pattern) > 4}
    repeated = [
        f"{name}:{node.lineno}: {node.value!r}"
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in texts
    ]
    assert not repeated


def test_no_two_modules_compile_the_same_pattern() -> None:
    found = Counter(
        text for _, tree in modules() for text in {ast.unparse(one) for one in compiled(tree)}
    )
    assert not [text for text, times in found.items() if times > 1]


def test_every_grammar_can_be_compiled() -> None:
    """They are when they are first used, which may be late."""
    assert len(HELD) > 50
    for held in HELD.values():
        held.fullmatch("")


def test_no_two_names_hold_the_same_grammar() -> None:
    found = Counter(held.pattern for held in HELD.values())
    assert not [text for text, times in found.items() if times > 1]


def test_the_modes_are_those_of_identities() -> None:
    assert grammar.IDENTITY_MODE.pattern.split("|") == list(IDENTITY_MODES)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("_muster._tcp.example", True),
        ("a-b.c", True),
        ("-a.b", False),
        ("a-.b", False),
        ("a.-b", False),
        ("a..b", False),
        (".a", False),
        ("", False),
        ("a b", False),
        ("A", False),
        ("ä", False),
    ],
)
def test_names_of_dns_are_the_same_in_settings_and_questions(name: str, good: bool) -> None:
    assert bool(grammar.DNS_NAME.fullmatch(name)) is good
    if good:
        assert split_host_port(name, 1) == (name, 1)
    elif name != "A":  # settings take capital letters and write small ones
        with pytest.raises(MusterError):
            split_host_port(name, 1)
