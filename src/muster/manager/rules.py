"""What reading an inventory changes: pure, so that a preview and the act say the same.

Refuses to know where machines are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from muster.core.values import dataclass
from muster.manager.model import Listed, Machine


@dataclass(frozen=True, slots=True)
class Reading:
    """What becomes of an inventory's machines.

    `added` are new; `changed` are known and get another address, port, account or group, or are
    listed by this source for the first time; `same` are listed as before; `gone` are names that
    this source listed once and does not list now: they stay, because an inventory that was cut
    short must not empty a manager.
    """

    added: tuple[Listed, ...]
    changed: tuple[Listed, ...]
    same: tuple[Listed, ...]
    gone: tuple[str, ...]


def read(
    machines: Mapping[str, Machine],
    groups: Mapping[str, tuple[str, ...]],
    listed: Iterable[Listed],
    tags: Iterable[str] = (),
) -> Reading:
    """Compare an inventory with what is known.

    Args:
        machines: all machines, by name.
        groups: what this source said of groups the last time, for each name that it listed.
        listed: the inventory's machines, each once.
        tags: what each of them is tagged with.
    """
    wanted = frozenset(tags)
    added, changed, same = [], [], []
    names = set()
    for item in listed:
        names.add(item.name)
        known = machines.get(item.name)
        if known is None:
            added.append(item)
        elif (
            item.name in groups
            and wanted <= frozenset(known.tags)
            and not _differs(known, item, groups[item.name])
        ):
            same.append(item)
        else:
            changed.append(item)
    gone = tuple(sorted(name for name in groups if name not in names))
    return Reading(tuple(added), tuple(changed), tuple(same), gone)


def _differs(known: Machine, item: Listed, groups: tuple[str, ...]) -> bool:
    """What an inventory does not say, it does not change."""
    return (
        item.address not in ("", known.address)
        or item.port not in (0, known.port)
        or item.account not in ("", known.account)
        or set(item.groups) != set(groups)
    )
