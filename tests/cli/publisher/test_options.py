"""Which key files a publisher's commands open: those that docs/publisher.md names, no other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.publisher.conftest import CHEAP, Desk

from muster.publisher.catalogue_file import sample

ROLES = ("root", "catalogue", "grant", "tag")


@dataclass
class Office:
    """A publisher that has an issued host key, an activated host, and a catalogue file."""

    desk: Desk
    publisher: str
    key: str
    key_id: str
    grant: str
    files: Path

    @property
    def keys(self) -> Path:
        return self.desk.folder / "publisher" / "keys"

    @contextlib.contextmanager
    def without(self, *roles: str) -> Iterator[None]:
        """The store while the key files of some roles are locked away."""
        away = [
            (path, path.with_name(path.name + ".away"))
            for role in roles
            for path in self.keys.glob(f"{role}[-.]*key")
        ]
        for path, aside in away:
            path.rename(aside)
        yield
        for path, aside in away:
            aside.rename(path)

    def digits(self, number: int) -> str:
        return self.desk.request(self.key, self.publisher, number)

    def catalogue(self, *changes: tuple[str, str]) -> str:
        """A catalogue file: the sample with some texts replaced."""
        text = sample().decode("utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        self.files.write_text(text, encoding="utf-8")
        return str(self.files)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    folder = tmp_path / "stores"
    desk = Desk(folder, {"MUSTER_STORE": str(folder), "MUSTER_PASSPHRASE": "correct horse"})
    desk.data("init", "--sample", "--reserve-root", str(tmp_path / "reserve.key"), *CHEAP)
    publisher = desk.data("trust", "show")["publisher"]
    (key,) = desk.data("key", "issue", "--kind", "host", "--group", "server-c")["keys"]
    made = Office(desk, publisher, key["key"], key["id"], "", tmp_path / "catalogue.toml")
    made.grant = desk.data("host", "activate", "--installation-id", made.digits(1))["grant"]
    return made


NEW_PRODUCT = (
    "[[conversions]]",
    """[[products]]
id = "contoso-extra"
name = "Contoso Extra"
application = "contoso-office"
group = "office-2010"
need = 5

[[conversions]]""",
)

COMMANDS: dict[str, tuple[tuple[str, ...], Callable[[Office], tuple[str, ...]]]] = {
    "catalogue publish": (
        ("catalogue",),
        lambda office: (
            *("catalogue", "publish"),
            office.catalogue(('edition = "Professional"', 'edition = "Pro"')),
        ),
    ),
    "catalogue publish, a new product": (
        ("catalogue", "tag"),
        lambda office: ("catalogue", "publish", office.catalogue(NEW_PRODUCT)),
    ),
    "key issue": (
        ("tag",),
        lambda office: ("key", "issue", "--kind", "host", "--group", "server-b"),
    ),
    "key revoke": (("catalogue",), lambda office: ("key", "revoke", office.key_id)),
    "product revoke": (
        ("catalogue",),
        lambda office: ("product", "revoke", "contoso-office-2010"),
    ),
    "host revoke": (("catalogue",), lambda office: ("host", "revoke", office.grant)),
    "host release": (("catalogue",), lambda office: ("host", "release", office.grant)),
    "host activate": (
        ("grant",),
        lambda office: ("host", "activate", "--installation-id", office.digits(2)),
    ),
    "host terms": (
        ("grant",),
        lambda office: ("host", "terms", office.grant, "--limit", "5", "--agreement", "A"),
    ),
    "confirm": (("grant",), lambda office: ("confirm", *office.digits(3).split("-"))),
    "trust rotate": (("root",), lambda office: ("trust", "rotate", *CHEAP)),
    "host list": ((), lambda office: ("host", "list")),
    "export": ((), lambda office: ("export", str(office.files))),
}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_command_opens_the_key_files_that_the_page_names_and_no_other(
    office: Office, name: str
) -> None:
    needed, words = COMMANDS[name]
    for role in needed:
        with office.without(role):
            found = office.desk.run(*words(office), "--json")
            assert found.exit_code, f"{name} does not need the key file of {role}"
    with office.without(*(role for role in ROLES if role not in needed)):
        assert "error" not in office.desk.data(*words(office))
