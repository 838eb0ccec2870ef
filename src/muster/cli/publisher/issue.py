"""`muster publisher key issue`."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli.options import gathered, store_option
from muster.cli.output import MusterCommand, emit
from muster.cli.publisher.options import FILE, Phrases, open_office, passphrase_options
from muster.core.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class _Order:
    """What is typed of keys that are to be issued."""

    kind: str
    group: str
    pool: int | None
    alerts: tuple[int, ...]
    count: int
    term: int
    customer: str


@click.command("issue", cls=MusterCommand)
@store_option
@click.option(
    "--kind",
    type=click.Choice(["host", "mak", "evaluation", "retail"]),
    required=True,
    help="host enrols hosts; mak, evaluation and retail activate machines from a pool.",
)
@click.option("--group", required=True, help="Key group: what the key may license.")
@click.option(
    "--pool",
    type=click.IntRange(1, 10_000_000),
    help="Machines that each key activates; for mak and evaluation. A retail key activates one.",
)
@click.option(
    "--alert-at",
    "alerts",
    type=click.IntRange(1, 100),
    multiple=True,
    metavar="PERCENT",
    help="Alert when this percentage of the pool is used; may be repeated. By default 80, 95"
    " and 100; none for retail.",
)
@click.option("--count", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option(
    "--term",
    type=click.IntRange(0, 63),
    default=0,
    metavar="MONTHS",
    help="Licences end after this many times 30 days; 0 = they do not end. Evaluation: 3 or 6.",
)
@click.option("--customer", default="", help="For your own records; it is sent nowhere.")
@click.option(
    "--out",
    "file",
    type=FILE,
    help="New file for the keys, one per line, that only you can read; then they are not shown.",
)
@passphrase_options
@gathered(_Order)
def key_issue(asked: _Order, store: Path | None, file: Path | None, phrases: Phrases) -> None:
    """Issue product keys. They are shown in full only now."""
    from muster.core.keys import Kind
    from muster.publisher.act.keys import issue_keys
    from muster.publisher.model import KeyOrder
    from muster.system.files import write_atomic, write_new

    kind, count, term = asked.kind, asked.count, asked.term
    if kind == "host" and (asked.pool or asked.alerts):
        raise click.UsageError("--pool and --alert-at are for keys that activate machines.")

    if len(asked.customer) > 200 or not asked.customer.isprintable():
        raise click.UsageError("--customer takes up to 200 printable characters.")
    order = KeyOrder(
        Kind.of(kind), asked.group, count, term, asked.customer, asked.pool, asked.alerts or None
    )
    with open_office(store, phrases) as office:
        if file is not None:
            write_new(file, b"")  # a file that cannot be made is told before keys are drawn
        try:
            issued = issue_keys(office, order)
        except BaseException:
            if file is not None:
                file.unlink()
            raise
        if file is not None:
            write_atomic(file, "".join(f"{key.key}\n" for key in issued.keys).encode("ascii"))
            issued = replace(
                issued, file=str(file), keys=tuple(replace(key, key=None) for key in issued.keys)
            )
    size = issued.keys[0].pool
    noun = "key" if count == 1 else "keys"
    lines = [
        *(f"{key.key or key.masked}   {key.id}" for key in issued.keys),
        f"Issued {count} {kind} {noun} of the key group {asked.group}"
        + ("" if size is None else f", {size.size} machines each")
        + (f", for {term * 30} days each." if term else "."),
        "Keep them now: they are not shown again."
        if file is None
        else f"Written: {file}. Keep it: the keys are not shown again.",
    ]
    emit(issued, lines)
