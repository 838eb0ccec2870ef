"""The composition root: the only file that names concrete classes.

Commands ask here for a clock, dice, a service or a driver; nothing is made at import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from muster.core.clock import Clock, Dice
    from muster.net.door import Door
    from muster.publisher.admin import Admin, Initialised
    from muster.publisher.model import Content
    from muster.publisher.service import PublisherService
    from muster.publisher.vault import Vault
    from muster.system.config import Settings
    from muster.system.keyfile import KDF


def clock() -> Clock:
    """The machine's clock."""
    from muster.system.clock import SystemClock

    return SystemClock()


def dice() -> Dice:
    """The machine's dice, from the operating system's entropy."""
    from muster.system.entropy import SystemDice

    return SystemDice()


def actor() -> str:
    """Who types commands here, for audit tables: the user of the operating system."""
    import getpass

    try:
        return f"user:{getpass.getuser()}"
    except (KeyError, OSError):
        return "user:unknown"


# The publisher.


def publisher_settings(flags: Mapping[str, object]) -> Settings:
    """The publisher's settings: files, environment, flags."""
    from muster.system.config import load_settings
    from muster.system.paths import places

    where = places()
    return load_settings("publisher", (where.system_config, where.user_config), flags=flags)


def publisher_folder(store: Path | None) -> Path:
    """The publisher's folder under the root of stores."""
    from muster.system.paths import publisher_store, store_root

    return publisher_store(store_root(store))


def _publisher_vault(
    folder: Path,
    passphrase: Callable[[], str],
    root_passphrase: Callable[[], str] | None,
    kdf: KDF | None,
) -> Vault:
    from muster.publisher.admin import KEYS_FOLDER
    from muster.publisher.vault import Vault
    from muster.system.keyfile import DEFAULT_KDF

    return Vault(folder / KEYS_FOLDER, passphrase, root_passphrase, kdf or DEFAULT_KDF)


def publisher_init(
    store: Path | None,
    passphrase: Callable[[], str],
    root_passphrase: Callable[[], str],
    kdf: KDF,
    *,
    label: str,
    name: str,
    content: Content,
    reserve: Path,
) -> Initialised:
    """Make a publisher."""
    from muster.publisher.admin import init_publisher

    folder = publisher_folder(store)
    return init_publisher(
        folder,
        _publisher_vault(folder, passphrase, root_passphrase, kdf),
        label=label,
        name=name,
        content=content,
        reserve=reserve,
        clock=clock(),
        dice=dice(),
        actor=actor(),
    )


def publisher_admin(
    store: Path | None,
    passphrase: Callable[[], str],
    root_passphrase: Callable[[], str],
    kdf: KDF | None = None,
) -> Admin:
    """The acts of an engineer on the publisher of a store."""
    from muster.publisher.admin import open_admin

    folder = publisher_folder(store)
    vault = _publisher_vault(folder, passphrase, root_passphrase, kdf)
    return open_admin(folder, vault, clock(), dice(), actor())


def publisher_service(store: Path | None, passphrase: Callable[[], str]) -> PublisherService:
    """The service of the publisher of a store; it opens grant keys only."""
    from muster.publisher.service import open_service

    folder = publisher_folder(store)
    return open_service(folder, _publisher_vault(folder, passphrase, None, None), clock())


def publisher_door(service: PublisherService) -> Door:
    """The publisher's HTTP door."""
    from muster.publisher.api import PublisherAPI

    return PublisherAPI(service).door()
