"""The composition root: the only file that names concrete classes.

Commands ask here for a clock, dice, a service or a driver; nothing is made at import. Long, because
it is one list: what each role is made of.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from muster.core.errors import MusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from muster.client.service import Client
    from muster.client.stores import Parts
    from muster.core.audit import Actor
    from muster.core.clock import BootClock, Dice
    from muster.core.settings import Value
    from muster.db.engine import Database
    from muster.health.report import Report
    from muster.host.keyring import KeyRing
    from muster.host.online import PublisherClient
    from muster.host.open import OpenHost
    from muster.host.server import HostServer
    from muster.host.service import HostService
    from muster.manager.open import OpenManager
    from muster.net.certificate import Certificate
    from muster.publisher.act.setup import NewPublisher
    from muster.publisher.api import PublisherAPI
    from muster.publisher.office import Office
    from muster.publisher.results import PublisherMade
    from muster.publisher.service import PublisherService
    from muster.publisher.vault import Vault
    from muster.system.config import Settings
    from muster.system.keyfile import KDF


def clock() -> BootClock:
    """The machine's clock."""
    from muster.system.clock import SystemClock

    return SystemClock()


def dice() -> Dice:
    """The machine's dice, from the operating system's entropy."""
    from muster.system.entropy import SystemDice

    return SystemDice()


def actor() -> Actor:
    """Who types commands here, for audit tables: the user of the operating system."""
    from muster.system.user import acting_user

    return acting_user()


# The publisher.


def publisher_settings(flags: Mapping[str, object]) -> Settings:
    """The publisher's settings: files, environment, flags."""
    from muster.system.config import load_settings
    from muster.system.paths import places

    return load_settings("publisher", places().configs, flags=flags)


def publisher_folder(store: Path | None) -> Path:
    """The publisher's folder under the root of stores."""
    from muster.system.paths import publisher_store, store_root

    return publisher_store(store_root(store))


def publisher_database() -> str:
    """The database of the publisher by setting, "" for the file in its store."""
    return publisher_settings({}).text("database")


def _publisher_vault(
    folder: Path,
    passphrase: Callable[[], str],
    root_passphrase: Callable[[], str] | None,
    kdf: KDF | None,
) -> Vault:
    from muster.publisher.store import KEYS_FOLDER
    from muster.publisher.vault import Vault
    from muster.system.keyfile import DEFAULT_KDF

    return Vault(folder / KEYS_FOLDER, passphrase, root_passphrase, kdf or DEFAULT_KDF)


def publisher_init(
    store: Path | None,
    passphrase: Callable[[], str],
    root_passphrase: Callable[[], str],
    kdf: KDF,
    wanted: NewPublisher,
) -> PublisherMade:
    """Make a publisher."""
    from muster.publisher.act.setup import init_publisher

    folder = publisher_folder(store)
    vault = _publisher_vault(folder, passphrase, root_passphrase, kdf)
    return init_publisher(folder, vault, wanted, clock(), dice(), actor(), publisher_database())


def publisher_office(
    store: Path | None,
    passphrase: Callable[[], str],
    root_passphrase: Callable[[], str],
    kdf: KDF | None = None,
    *,
    restored: Path | None = None,
) -> Office:
    """The publisher of a store, for acts and looks.

    Args:
        restored: the folder of the database that a restore makes, or fills.
    """
    from muster.publisher.office import Office
    from muster.publisher.store import open_store

    folder = publisher_folder(store)
    vault = _publisher_vault(folder, passphrase, root_passphrase, kdf)
    place, create = (folder, False) if restored is None else (restored, True)
    tables = open_store(place, clock().now(), create=create, url=publisher_database())
    return Office(folder, tables, vault, clock(), dice(), actor())


def publisher_service(store: Path | None, passphrase: Callable[[], str]) -> PublisherService:
    """The service of the publisher of a store; it opens grant keys only."""
    from muster.db.engine import SERVING_SECONDS
    from muster.publisher.service import open_service

    folder = publisher_folder(store)
    vault = _publisher_vault(folder, passphrase, None, None)
    service = open_service(folder, vault, clock(), publisher_database())
    service.database.bound_waits(SERVING_SECONDS)
    return service


def close_in_time(close: Callable[[], None]) -> None:
    """Close a database of a server, which ends whether or not it can be closed."""
    from muster.db import open as opening

    opening.close_in_time(close)


def publisher_api(
    service: PublisherService, settings: Settings, certificate: Certificate | None
) -> PublisherAPI:
    """The publisher's service: for hosts and machines, and for its administrators."""
    from muster.net.peers import networks
    from muster.publisher.api import PublisherAPI

    trusted = networks(settings.texts("trusted_proxies"))
    return PublisherAPI(service, trusted, certificate=certificate)


# The host.


def host_settings(flags: Mapping[str, object]) -> Settings:
    """The host's settings: files, environment, flags; without what `muster host set` set."""
    from muster.system.config import load_settings
    from muster.system.paths import places

    return load_settings("host", places().configs, flags=flags)


def host_layers(settings: Settings) -> tuple[dict[str, Value], dict[str, Value]]:
    """The settings that are set in files, and those of environment and flags: what gives way to
    `muster host set`, and what wins over it."""
    file_settings: dict[str, Value] = {}
    overrides: dict[str, Value] = {}
    for name, value in settings.items():
        source = settings.source(name)
        if source.startswith(("$", "--")):
            overrides[name] = value
        elif source != "default":
            file_settings[name] = value
    return file_settings, overrides


def host_folder(store: Path | None) -> Path:
    """The host's folder under the root of stores."""
    from muster.system.paths import host_store, store_root

    return host_store(store_root(store))


@contextmanager
def made_folder(folder: Path) -> Iterator[Path]:
    """A store's folder, made where it is missing; gone again when the block raises."""
    from muster.system.files import make_folder

    missing = not folder.exists()
    make_folder(folder, keep_owner=True)
    try:
        yield folder
    except BaseException:
        if missing:
            with suppress(OSError):
                folder.rmdir()
        raise


def _host_keyring(folder: Path, made: Path | None = None) -> KeyRing:
    """The signing keys of a host's store; those in the making beside it where `made` is one."""
    from muster.host.keyring import KeyRing
    from muster.host.store import KEYS_FOLDER

    return KeyRing(folder / KEYS_FOLDER, None if made is None else made / KEYS_FOLDER)


def host_database(store: Path | None, *, create: bool = False) -> Database:
    """The database of the host; with `create`, folder and file are made where they are missing."""
    from muster.host.store import open_store
    from muster.system.files import make_folder

    folder = host_folder(store)
    if create:
        make_folder(folder, keep_owner=True)
    return open_store(folder, clock().now(), create=create)


@contextmanager
def serving_database(store: Path | None) -> Iterator[Database]:
    """The database of the host for a server, which ends whether or not it can be closed."""
    from muster.host.store import check_at_start

    database = host_database(store)
    try:
        check_at_start(database)
        yield database
    finally:
        close_in_time(database.close)


@contextmanager
def open_host(
    store: Path | None, flags: Mapping[str, object] | None = None, *, create: bool = False
) -> Iterator[OpenHost]:
    """The host's store with what belongs to it, for acts and looks; closed at the end.

    Args:
        flags: settings that the command line gives; they win over those of environment and files.
        create: make folder and database where they are missing.
    Raises: `host/not-initialised`; the errors of `muster.db`.
    """
    with host_database(store, create=create) as database:
        yield _open_host(store, database, flags or {})


@contextmanager
def restored_host(store: Path | None, made: Path) -> Iterator[OpenHost]:
    """The host's store with the database and the new keys that a restore makes in the folder
    `made`, until they take their place."""
    from muster.core.values import replace
    from muster.host.store import open_store

    with open_store(made, clock().now(), create=True) as database:
        opened = _open_host(store, database, {})
        yield replace(opened, keyring=_host_keyring(opened.folder, made))


@contextmanager
def look_at_host(store: Path | None) -> Iterator[OpenHost]:
    """The host's store with what belongs to it, for looks alone: each judges the tables in the
    state of the database that it reads, so that a question reads one.

    Raises: `host/not-initialised`; the errors of `muster.db`.
    """
    from muster.host.store import open_unjudged

    with open_unjudged(host_folder(store)) as database:
        yield _open_host(store, database, {})


def _open_host(store: Path | None, database: Database, flags: Mapping[str, object]) -> OpenHost:
    from muster.host.open import OpenHost

    file_settings, overrides = host_layers(host_settings(flags))
    folder = host_folder(store)
    return OpenHost(
        folder,
        database,
        _host_keyring(folder),
        clock(),
        dice(),
        actor(),
        file_settings,
        overrides,
    )


def host_on(
    store: Path | None,
    database: Database,
    file_settings: Mapping[str, Value],
    overrides: Mapping[str, Value],
) -> OpenHost:
    """A host's store whose database is open already, for acts of the running host: it fetches
    news."""
    from muster.host.follow import TASK
    from muster.host.open import OpenHost

    folder = host_folder(store)
    ring = _host_keyring(folder)
    return OpenHost(folder, database, ring, clock(), dice(), TASK, file_settings, overrides)


def host_service(store: Path | None, database: Database) -> HostService:
    """The host's service, for single acts of a command."""
    from muster.host.service import HostService

    return HostService(database, _host_keyring(host_folder(store)), clock(), dice())


def host_server(
    store: Path | None,
    database: Database,
    file_settings: Mapping[str, Value],
    overrides: Mapping[str, Value],
    certificate: Certificate | None = None,
) -> HostServer:
    """The running host: writer, router, DNS records."""
    from muster.host.server import HostServer

    keyring = _host_keyring(host_folder(store))
    return HostServer(
        database,
        keyring,
        clock(),
        dice(),
        file_settings=file_settings,
        overrides=overrides,
        certificate=certificate,
    )


def host_publisher_client(url: str) -> PublisherClient:
    """The host as a client of a publisher's service."""
    from muster.host.online import TIMEOUT, PublisherClient
    from muster.net.http import HTTPClient

    ca_file = host_settings({}).text("ca_file") or None
    return PublisherClient(url, HTTPClient(TIMEOUT, ca_file=ca_file, proxies=True))


def holds_host(store: Path | None, *, beside_client: bool = False) -> bool:
    """Whether a host was set up below the root of stores.

    Args:
        beside_client: this machine is a client as well; where its user may not look at the host,
            the client is what that user means.
    Raises: `file/denied` where this user may not look.
    """
    from muster.host.store import DATABASE
    from muster.system.files import is_there

    try:
        return is_there(host_folder(store) / DATABASE)
    except MusterError:
        if not beside_client:
            raise
        return False


def host_doctor(store: Path | None, nameservers: tuple[str, ...] | None) -> list[Report]:
    """What is wrong with the host of a store, one report for each of its publishers."""
    from muster.host import doctor, look
    from muster.net.dns import Resolver
    from muster.net.http import HTTPClient

    ca_file = host_settings({}).text("ca_file") or None
    with look_at_host(store) as opened:
        surroundings = look.surroundings(opened)
    prober = doctor.Prober(
        Resolver(nameservers, timeout=4.0, extra="host"),
        HTTPClient(5.0, ca_file=ca_file),
        HTTPClient(5.0, ca_file=ca_file, proxies=True),
        tls=bool(surroundings.values.get("tls_certificate")),
    )
    return doctor.examine(
        prober,
        surroundings.view,
        surroundings.values,
        process=surroundings.process,
        name=host_name(),
        now=surroundings.now,
        clones=surroundings.clones,
    )


def host_name() -> str:
    """This machine's full name, as DNS records should point to it."""
    import socket

    return socket.getfqdn()


# The manager.


def manager_folder(store: Path | None) -> Path:
    """The manager's folder under the root of stores."""
    from muster.system.paths import manager_store, store_root

    return manager_store(store_root(store))


def manager_database() -> str:
    """The database of the manager by setting, "" for the file in its store."""
    from muster.system.config import load_settings
    from muster.system.paths import places

    return load_settings("manager", places().configs, flags={}).text("database")


def holds_manager(store: Path | None) -> bool:
    """Whether there is an inventory below the root of stores, or in a database by setting."""
    from muster.manager.store import DATABASE

    return bool(manager_database()) or (manager_folder(store) / DATABASE).exists()


@contextmanager
def open_manager(store: Path | None, *, create: bool = False) -> Iterator[OpenManager]:
    """The manager's store with what belongs to it, for acts and looks; closed at the end.

    Args:
        create: make folder and database where they are missing.
    Raises: `manager/none`; the errors of `muster.db`.
    """
    from muster.manager.open import OpenManager
    from muster.manager.store import open_store
    from muster.system.files import make_folder

    folder, url = manager_folder(store), manager_database()
    if create and not url:
        make_folder(folder, keep_owner=True)
    with open_store(folder, clock().now(), url, create=create) as database:
        yield OpenManager(database, clock(), actor())


@contextmanager
def look_at_manager(store: Path | None) -> Iterator[OpenManager]:
    """The manager's store with what belongs to it, for looks alone.

    Raises: `manager/none`; the errors of `muster.db`.
    """
    from muster.manager.open import OpenManager
    from muster.manager.store import open_unjudged

    with open_unjudged(manager_folder(store), manager_database()) as database:
        yield OpenManager(database, clock(), actor())


# The machine.


class Machine:
    """The machine of one command: where its stores are and where its facts come from.

    Args:
        store: the root of stores that was chosen, or None for the usual one.
        facts: the facts file that was chosen, or None; then that of `MUSTER_FACTS`, if root's.
    """

    def __init__(self, store: Path | None, facts: Path | None) -> None:
        from muster.system.facts import variable_facts

        self._store = store
        self.facts = variable_facts() if facts is None else facts

    @property
    def root(self) -> Path:
        """The root of stores."""
        from muster.system.paths import store_root

        return store_root(self._store)

    def warn_store(self) -> None:
        """Say where a store counts users and not machines, or replaces the system's."""
        import click

        from muster.core.catalogue import error
        from muster.system.paths import displaced_store, places

        closed = self._closed_folder()
        if closed is not None:
            warning = error("client/closed-store", path=str(closed), store=str(self.root))
            click.echo(f"Warning: {warning.what} {warning.fix}", err=True)
        system = displaced_store()
        if system is not None and self.root.resolve() != system.resolve():
            warning = error("client/store-variable", path=str(self.root), system=str(system))
            click.echo(f"Warning: {warning.what}", err=True)
        elif self._store is None and self.root == places().user_store:
            warning = error("client/user-store", path=str(self.root))
            click.echo(f"Warning: {warning.what} {warning.fix}", err=True)

    def _closed_folder(self) -> Path | None:
        """The first folder of the system's store that other users than root may not enter, None
        where they may, and for whom this is not known."""
        import os

        from muster.client.disk import SystemDisk
        from muster.client.store import publishers
        from muster.system.files import closed_folder
        from muster.system.paths import places

        root = places().system_store
        if os.geteuid() != 0 or self.root != root:
            return None
        folders = [root / name for name in publishers(root, SystemDisk())]
        return next((one for one in map(closed_folder, (root, *folders)) if one), None)

    def client(self, nameservers: tuple[str, ...] | None = None) -> Client:
        """The client of this machine, with its settings applied; `nameservers` in their place."""
        from muster.client.facade import system_client

        return system_client(store=self.root, facts=self.facts, nameservers=nameservers)

    def parts(self) -> Parts:
        """What acts and looks of this machine's client work with, with settings applied."""
        from muster.client.facade import system_parts

        return system_parts(store=self.root, facts=self.facts)

    def agent_options(self, run: Path | None, *, as_json: bool) -> dict[str, object]:
        """The options of this machine's agent (`muster.agent.serve.Options`) by its settings.

        Args:
            run: its runtime folder, None for that of the store.
            as_json: it tells its sockets as JSON.
        """
        import os

        from muster.client.agent import run_folder, runtime_folder
        from muster.client.settings import load
        from muster.system.facts import facts_path

        settings, folder = load(self.root), run or run_folder(self.root)
        # Only root's facts count for others, and only at the one place.
        writes = self.facts is None and folder == runtime_folder() and os.geteuid() == 0
        return {
            "store": str(self.root.absolute()),
            "run": str(folder.absolute()),
            "facts": "" if self.facts is None else str(self.facts.absolute()),
            "writes_facts": str(facts_path({})) if writes else "",
            "json": as_json,
            "log_format": settings.text("log_format"),
            "log_level": settings.text("log_level"),
        }

    @property
    def holds_products(self) -> bool:
        """Whether any product was set up below the root of stores."""
        from muster.client.disk import SystemDisk
        from muster.client.store import publishers

        return bool(publishers(self.root, SystemDisk()))
