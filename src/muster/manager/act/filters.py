"""Save filters under names, and remove them."""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.manager.filters import check_saved, names_filter
from muster.manager.names import shown
from muster.manager.open import OpenManager
from muster.manager.results import FilterChange
from muster.manager.tables import audit
from muster.manager.tables import filters as table


def save(manager: OpenManager, name: str, terms: Sequence[str]) -> FilterChange:
    """Save a filter under a name, in place of the one that has it.

    Raises: `manager/filter`, `manager/unknown-filter`.
    """
    text = " ".join(" ".join(terms).split())
    now = manager.clock.now()
    with manager.database.transaction() as tx:
        saved = table.terms(tx)
        check_saved(name, text, saved)
        changed = saved.get(name) != text
        if changed:
            table.save(tx, name, text, now)
            audit.write(tx, now, manager.actor, Event.FILTER_SAVE, name, text)
    return FilterChange(changed, name, text)


def remove(manager: OpenManager, name: str) -> FilterChange:
    """Remove a saved filter.

    Raises: `manager/unknown-filter`; `manager/filter-used` while another saved filter has it.
    """
    now = manager.clock.now()
    with manager.database.transaction() as tx:
        saved = table.terms(tx)
        if name not in saved:
            raise error("manager/unknown-filter", name=shown(name))
        user = next((other for other, text in saved.items() if names_filter(text, name)), None)
        if user is not None:
            raise error("manager/filter-used", name=name, user=user)
        table.remove(tx, name)
        audit.write(tx, now, manager.actor, Event.FILTER_REMOVE, name, saved[name])
    return FilterChange(True, name, saved[name])
