"""Names in an inventory: of machines, groups, tags, accounts.

Decides how each is spelt. Refuses to know which inventory it came from.
"""

from __future__ import annotations

import ipaddress

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.text import clean, fit

_NAME_CHARACTERS = 253
_PORTS = 65535
_SHOWN = 80


def shown(text: str) -> str:
    """A word of somebody else in our messages: bounded, and nothing that a terminal obeys."""
    return fit(clean(text), _SHOWN)


def machine_name(text: str) -> str | None:
    """The name of a machine as it is kept: a DNS name in lower case without the last dot, or an IP
    address in its shortest form; None where it is neither."""
    name = text.strip().lower()
    try:
        return str(ipaddress.ip_address(name.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    name = name.removesuffix(".")
    return name if len(name) <= _NAME_CHARACTERS and grammar.DNS_NAME.fullmatch(name) else None


def port_number(text: str) -> int | None:
    """A port from 1 to 65535, 0 for nothing; None where it is no port."""
    text = text.strip()
    if not text:
        return 0
    if not grammar.PORT.fullmatch(text) or not 1 <= int(text) <= _PORTS:
        return None
    return int(text)


def is_word(text: str) -> bool:
    """Whether a text may be the name of a group, a tag or a saved filter."""
    return grammar.INVENTORY_WORD.fullmatch(text) is not None


def is_account(text: str) -> bool:
    """Whether a text may be an account to log in as, or nothing."""
    return grammar.ACCOUNT_OR_EMPTY.fullmatch(text) is not None


def check_tag(text: str) -> None:
    """See that a text can be a tag. Raises: `manager/tag`."""
    if not is_word(text):
        raise error("manager/tag", tag=shown(text))


def check_source(text: str) -> None:
    """See that a text can be the name of an inventory. Raises: `manager/source`."""
    if not grammar.DISPLAY_NAME.fullmatch(text):
        raise error("manager/source", source=shown(text))
