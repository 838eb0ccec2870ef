"""Errors of the area `manager`: the inventory of a fleet, and what is done to its machines."""

from __future__ import annotations

from muster.core.errors import Kind, Retry, Row

ROWS = (
    Row(
        code="manager/none",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.AFTER_FIX,
        what="There is no inventory in {path}.",
        why="No machine has been added with this store yet, or another store was meant.",
        fix="Add machines with 'muster manager discover FILE'; name another store with --store or MUSTER_STORE.",
    ),
    Row(
        code="manager/inventory",
        kind=Kind.REFUSAL,
        http=400,
        retry=Retry.AFTER_FIX,
        what="The inventory {path} cannot be read: {detail}.",
        why="An inventory is comma-separated values, or one of Ansible's forms: INI, YAML, or what 'ansible-inventory --list' prints.",
        fix="Correct the file, or say with --form which form it has. Nothing of it was taken.",
    ),
    Row(
        code="manager/machine",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{name} cannot be added: {detail}.",
        why="A machine is known by a DNS name or an IP address, and reached at an address, a port and an account.",
        fix="Correct what was typed; nothing was added.",
    ),
    Row(
        code="manager/filter",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="The term {term} cannot be part of a filter: {detail}.",
        why="A filter is terms such as web*, group=servers, tag=pilot, address=10.1.0.0/16 or @saved, each with ! in front for its contrary.",
        fix="Correct the term; docs/manager.md lists them.",
    ),
    Row(
        code="manager/no-terms",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="No machine was named.",
        why="A command that changes machines does not take an empty filter for all of them.",
        fix="Name machines by terms of a filter; '*' in quotes means all.",
    ),
    Row(
        code="manager/unknown-filter",
        kind=Kind.USAGE,
        http=404,
        retry=Retry.AFTER_FIX,
        what="There is no saved filter {name}.",
        why="None was saved under this name, or it was removed.",
        fix="List them with 'muster manager filter list', or save it with 'muster manager filter save'.",
    ),
    Row(
        code="manager/filter-used",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The saved filter {name} was not removed: {user} has it among its terms.",
        why="Without it the other one would mean nothing.",
        fix="Save {user} without @{name}, or remove it first.",
    ),
    Row(
        code="manager/source",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="No inventory can be called {source}.",
        why="Its name is shown beside its machines: 1 to 200 characters that everybody sees, with no space at either end.",
        fix="Name it otherwise with --source.",
    ),
    Row(
        code="manager/tag",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="No machine can have the tag {tag}.",
        why="A tag is 1 to 64 letters, digits and . _ : / - and begins with a letter, a digit or _.",
        fix="Choose another tag.",
    ),
)
