"""Whether a call of slmgr is for the client or for the host of a machine.

A word that only one of them has decides; else what is on the machine; else, where both are on it,
the kind of the product key that is installed, or `--client` and `--host`. Refuses to know what the
words do.
"""

from __future__ import annotations

from muster.cli import compose
from muster.cli.slmgr.client import CLIENT
from muster.cli.slmgr.host import HOST
from muster.cli.slmgr.words import REFUSED, Word, refused, unknown
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.keys import Kind, parse_product_key

TABLES = {"client": CLIENT, "host": HOST}
_OTHER = {"client": "host", "host": "client"}


def find(word: str, typed: str, role: str | None, key: str, machine: compose.Machine) -> Word:
    """What a word does on this machine.

    Args:
        word: `/dlv`, in small letters.
        typed: as it was typed.
        role: "client" or "host" where `--client` or `--host` says it.
        key: the product key that is to be installed, or "".
    Raises: `client/slmgr-word`, `client/slmgr-usage`, `client/slmgr-role`.
    """
    if word in REFUSED:
        why, fix = REFUSED[word]
        raise refused(typed, why, fix)
    having = [name for name, table in TABLES.items() if word in table]
    if not having:
        raise unknown(typed)
    chosen = role or _role_here(word, having, key, machine)
    if chosen not in having:
        other = _OTHER[chosen]
        here = f"this machine is a {chosen}" if role is None else f"--{role} was given"
        raise refused(
            f"{typed} on a {chosen}",
            f"The option is for a {other}, and {here}.",
            f"Run it on a {other}: 'muster slmgr {word}'.",
        )
    return TABLES[chosen][word]


def _role_here(word: str, having: list[str], key: str, machine: compose.Machine) -> str:
    is_client = machine.holds_products
    is_host = compose.holds_host(machine.root, beside_client=is_client)
    if is_host != is_client:
        return "host" if is_host else "client"
    if len(having) == 1:
        return having[0]
    if key:
        return _role_of(key)
    if not is_host:
        return "client"
    raise error("client/slmgr-role", word=word)


def _role_of(key: str) -> str:
    try:
        return "host" if parse_product_key(key).kind is Kind.HOST else "client"
    except MusterError:
        return "client"  # which says what is wrong with the key
