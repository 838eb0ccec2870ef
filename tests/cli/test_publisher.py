"""`muster publisher …` as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import click

from muster.cli.main import muster


def test_no_command_takes_a_passphrase_as_an_argument() -> None:
    def options(command: click.Command) -> Iterator[str]:
        for one in command.params:
            yield from one.opts
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from options(found)

    publisher = muster.get_command(click.Context(muster), "publisher")
    assert publisher is not None
    every = set(options(publisher))
    assert {one for one in every if "pass" in one and one != "--kdf-passes"} == {
        "--passphrase-file",
        "--root-passphrase-file",
    }
