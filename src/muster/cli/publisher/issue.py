"""`muster publisher key issue`."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit
from muster.cli.publisher.key import key_data
from muster.cli.publisher.options import FILE, Phrases, open_admin, passphrase_options


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
    help="Tell when this share of the pool is drawn; may be repeated. By default 80, 95 and 100;"
    " none for retail.",
)
@click.option("--count", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option(
    "--term",
    type=click.IntRange(0, 63),
    default=0,
    metavar="MONTHS",
    help="Licences end after this many times 30 days; 0 = they do not end. Evaluation: 3 or 6.",
)
@click.option("--customer", default="", help="For your own lists; it goes nowhere else.")
@click.option(
    "--out",
    "file",
    type=FILE,
    help="New file for the keys, one a line, for you alone to read; they are not shown then.",
)
@passphrase_options
def key_issue(
    store: Path | None,
    kind: str,
    group: str,
    pool: int | None,
    alerts: tuple[int, ...],
    count: int,
    term: int,
    customer: str,
    file: Path | None,
    phrases: Phrases,
) -> None:
    """Issue product keys. They are shown in full this once."""
    from muster.core.keys import Kind
    from muster.system.files import write_atomic, write_new

    if kind == "host" and (pool or alerts):
        raise click.UsageError("--pool and --alert-at are for keys that activate machines.")

    if len(customer) > 200 or not customer.isprintable():
        raise click.UsageError("--customer takes up to 200 printable characters.")
    with open_admin(store, phrases) as admin:
        if file is not None:
            write_new(file, b"")  # a file that cannot be made is told before keys are drawn
        try:
            if kind == "host":
                made = admin.issue_host_keys(group, count, term, customer)
            else:
                made = admin.issue_pool_keys(
                    Kind.of(kind),
                    group,
                    pool,
                    count=count,
                    term=term,
                    customer=customer,
                    alerts=alerts or None,
                )
        except BaseException:
            if file is not None:
                file.unlink()
            raise
        if file is not None:
            write_atomic(file, "".join(f"{one.key.text}\n" for one in made).encode("ascii"))
    shown = [one.key.text if file is None else one.issued.masked for one in made]
    data = {
        "changed": True,
        "file": None if file is None else str(file),
        "keys": [
            {**key_data(one.issued), "key": text if file is None else None}
            for one, text in zip(made, shown, strict=True)
        ],
    }
    noun = "key" if count == 1 else "keys"
    lines = [
        *(f"{text}   {one.issued.key_id.text}" for one, text in zip(made, shown, strict=True)),
        f"Issued {count} {kind} {noun} of the key group {group}"
        + (f", {made[0].issued.pool} machines each" if made[0].issued.pool else "")
        + (f", for {term * 30} days each." if term else "."),
        "Keep them now: they are not shown again."
        if file is None
        else f"Written: {file}. Keep it: what it holds is not shown again.",
    ]
    emit(data, lines)
