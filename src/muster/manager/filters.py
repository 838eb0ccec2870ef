"""Filters: which machines of an inventory are meant.

A filter is terms with spaces between them, and a machine must fulfil each of them:

| term | true for |
|---|---|
| `web*` or `name=web*` | machines whose name fits, with `*`, `?` and `[…]` as a shell has them |
| `group=servers` | machines that an inventory lists in this group; also with `*` |
| `tag=pilot` | machines with this tag; also with `*` |
| `address=10.1.0.0/16` | machines whose address, or else name, is an IP address in this network |
| `source=hosts.csv` | machines that this inventory lists; also with `*` |
| `@late` | machines that the saved filter `late` finds |
| `!` before any of them | machines for which it is not true |

Decides what a term means. Refuses to know where machines and saved filters are kept.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.manager.model import Machine
from muster.manager.names import is_word, shown

TERMS = 64
"""More terms than these one filter does not have, with those of saved filters in it."""
_PATTERN = 253
Test = Callable[[Machine], bool]


def read_filter(terms: Sequence[str], saved: Mapping[str, str]) -> Test:
    """What a filter asks of a machine; no terms fit every machine.

    Args:
        terms: as they were typed; spaces in one of them divide it.
        saved: the terms of saved filters by name.
    Raises: `manager/filter`, `manager/unknown-filter`.
    """
    tests = _Reading(saved).tests(" ".join(terms).split(), ())
    return lambda machine: all(test(machine) for test in tests)


class _Reading:
    """One filter while it is read, with the saved ones in it."""

    def __init__(self, saved: Mapping[str, str]) -> None:
        self._saved = saved
        self._terms = 0

    def tests(self, words: Sequence[str], within: tuple[str, ...]) -> list[Test]:
        """What each term asks; `within` are the saved filters that they are part of."""
        return [self._test(word, within) for word in words]

    def _test(self, word: str, within: tuple[str, ...]) -> Test:
        self._terms += 1
        if self._terms > TERMS:
            raise _bad(word, f"a filter has {TERMS} terms at most, with those of saved filters")
        plain = word.removeprefix("!")
        test = self._named(plain[1:], within) if plain.startswith("@") else _term(plain)
        return test if plain == word else _not(test)

    def _named(self, name: str, within: tuple[str, ...]) -> Test:
        if name not in self._saved:
            raise error("manager/unknown-filter", name=shown(name))
        if name in within:
            raise _bad(f"@{name}", "the saved filter contains itself")
        tests = self.tests(self._saved[name].split(), (*within, name))
        return lambda machine: all(test(machine) for test in tests)


def _not(test: Test) -> Test:
    return lambda machine: not test(machine)


def _term(word: str) -> Test:
    field, equals, value = word.partition("=")
    if not equals:
        field, value = "name", word
    if not value or len(value) > _PATTERN:
        raise _bad(word, f"a value has 1 to {_PATTERN} characters")
    if field == "name":
        value = value.lower()
        return lambda machine: fnmatchcase(machine.name, value)
    if field == "group":
        return lambda machine: any(fnmatchcase(name, value) for name in machine.groups)
    if field == "tag":
        return lambda machine: any(fnmatchcase(name, value) for name in machine.tags)
    if field == "source":
        return lambda machine: any(fnmatchcase(name, value) for name in machine.sources)
    if field == "address":
        return _address(word, value)
    raise _bad(word, "a term is name, group, tag, address or source, with = and a value")


def _address(word: str, value: str) -> Test:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise _bad(word, f"{shown(value)} is no network such as 10.1.0.0/16") from None

    def inside(machine: Machine) -> bool:
        try:
            address = ipaddress.ip_address(machine.address or machine.name)
        except ValueError:
            return False
        return address.version == network.version and address in network

    return inside


def _bad(word: str, detail: str) -> MusterError:
    return error("manager/filter", term=shown(word), detail=detail)


def check_saved(name: str, terms: str, saved: Mapping[str, str]) -> None:
    """See that a filter may be saved under a name, beside those that are.

    Raises: `manager/filter`, `manager/unknown-filter`.
    """
    if not is_word(name):
        raise _bad(name, "a saved filter is called by letters, digits and . _ : / -")
    read_filter([f"@{name}"], {**saved, name: terms})
    if not terms.split():
        raise _bad(name, "it has no terms")


def names_filter(terms: str, name: str) -> bool:
    """Whether the saved filter `name` is one of the terms."""
    return any(word.removeprefix("!") == f"@{name}" for word in terms.split())
