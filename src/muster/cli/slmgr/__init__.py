"""`muster slmgr …`: the words that administrators of volume activation know.

One word a call, in any case, with `/` or `-` before it: `muster slmgr /dlv`. It prints the field
names that they look for; with `--json` the same as data. What has no meaning here is refused with
a hint. On a host's store (`--host`) /ipk, /ato, /dli and /dlv speak of the host.
Source: docs/client.md, "By the words of slmgr".
"""

from __future__ import annotations

import click

from muster.cli import compose
from muster.cli.client.options import machine_options, product_option
from muster.cli.output import MusterCommand
from muster.cli.slmgr import host
from muster.cli.slmgr.client import CLIENT
from muster.cli.slmgr.words import REFUSED, Call, refused, unknown
from muster.core.catalogue import error


def _help() -> str:
    rows = [(f"{word} {value}".strip(), text) for word, (value, text, _) in CLIENT.items()]
    wide = max(len(left) for left, _ in rows) + 2
    listed = "\n".join(f"  {left:<{wide}}{text}" for left, text in rows)
    return f"\b\nWords:\n{listed}\n\nAn ID is a product id; All shows every product."


@click.command(
    cls=MusterCommand,
    epilog=_help(),
    context_settings={"ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="/WORD [VALUE]")
@click.option("--host", "on_host", is_flag=True, help="Work on the host in this store.")
@product_option
@machine_options
def slmgr(
    words: tuple[str, ...], on_host: bool, product: str | None, machine: compose.Machine
) -> None:
    """slmgr-compatible commands: muster slmgr /dlv

    Options may be typed in any case, with / or - before them.
    """
    if not words:
        raise error("client/slmgr-usage", detail="no word was given")
    word = "/" + words[0].lower().lstrip("/-")
    values = words[1:]
    for value in values:
        if value.startswith("--"):
            raise error(
                "client/slmgr-usage", detail=f"{ascii(value)[1:-1][:40]} is no option of it"
            )
    if on_host:
        host.speak(Call(word, values, None, machine))
        return
    if word in REFUSED:
        why, fix = REFUSED[word]
        raise refused(words[0], why, fix)
    if word not in CLIENT:
        raise unknown(words[0])
    allowed = 1 if CLIENT[word][0] else 0
    if len(values) > allowed:
        raise error("client/slmgr-usage", detail=f"{word} takes at most {allowed} values")
    CLIENT[word][2](Call(word, values, product, machine))
