"""`muster slmgr …`: the words that administrators of volume activation know.

One word a call, in any case, with `/` or `-` before it: `muster slmgr /dlv`. It prints the field
names that they look for; with `--json` the same as data. What has no meaning here is refused with
a hint. What is on the machine decides whether a word is for the client or for the host.
Source: docs/from-kms.md.
"""

from __future__ import annotations

import re

import click

from muster.cli import compose
from muster.cli.client.options import machine_options, product_option
from muster.cli.output import MusterCommand
from muster.cli.slmgr import roles
from muster.cli.slmgr.client import CLIENT
from muster.cli.slmgr.completion import words_of_slmgr
from muster.cli.slmgr.host import HOST
from muster.cli.slmgr.words import Call, Word, refused
from muster.core.catalogue import error

_OF_CSCRIPT = re.compile(r"//[a-z]+(:.*)?", re.IGNORECASE)
"""`//nologo` and others, which belong to the program that runs slmgr.vbs."""


def _listed(title: str, words: dict[str, Word]) -> str:
    rows = [(f"{word} {value}".strip(), text) for word, (value, text, _) in words.items()]
    wide = max(len(left) for left, _ in rows) + 2
    return f"\b\n{title}:\n" + "\n".join(f"  {left:<{wide}}{text}" for left, text in rows)


def _help() -> str:
    tables = _listed("On a client", dict(CLIENT)), _listed("On a host", dict(HOST))
    last = "An ID is a product id, on a host a key id or last group; All shows every one."
    return "\n\n".join((*tables, last))


@click.command(
    cls=MusterCommand,
    epilog=_help(),
    context_settings={"ignore_unknown_options": True},
)
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="/WORD [VALUE]",
    shell_complete=words_of_slmgr,
)
@click.option("--client", "role", flag_value="client", help="Mean the client on this machine.")
@click.option("--host", "role", flag_value="host", help="Mean the host on this machine.")
@product_option
@machine_options
def slmgr(
    words: tuple[str, ...], role: str | None, product: str | None, machine: compose.Machine
) -> None:
    """slmgr-compatible commands: muster slmgr /dlv

    Options may be typed in any case, with / or - before them. What is on this machine, a client
    or a host, decides whom they mean.
    """
    while words and _OF_CSCRIPT.fullmatch(words[0]):
        words = words[1:]
    if not words:
        raise error("client/slmgr-usage", detail="no option was given")
    typed, values = words[0], words[1:]
    if typed[0] not in "/-" and any(value.startswith("/") for value in values):
        raise refused(
            ascii(typed)[1:-1][:64],
            "The options of slmgr work on this machine only, not on the one that is named",
            "Run it there, over ssh for example: 'muster slmgr /dlv'",
        )
    for value in values:
        if value.startswith("--"):
            detail = f"{ascii(value)[1:-1][:40]} is no option"
            raise error("client/slmgr-usage", detail=detail)
    word = "/" + typed.lower().lstrip("/-")
    call = Call(word, values, product, machine)
    key = call.key("a product key") if word == "/ipk" and len(values) <= 1 else ""
    if key:
        call = Call(word, (key,), product, machine)
    takes, _, run = roles.find(word, typed, role, key, machine)
    most = len(takes.split())
    if len(call.values) > most:
        raise error("client/slmgr-usage", detail=f"{word} takes at most {most} values")
    run(call)
