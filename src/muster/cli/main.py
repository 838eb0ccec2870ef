"""The command `muster`: the list of nouns, each imported when it is asked for."""

from __future__ import annotations

import sys

import click

from muster import __version__
from muster.cli import streams
from muster.cli.output import INTERRUPTED, RootGroup
from muster.core.errors import MusterError

COMMANDS = {
    "client": "muster.cli.client:client",
    "demo": "muster.cli.demo:demo",
    "doctor": "muster.cli.doctor:doctor",
    "host": "muster.cli.host:host",
    "manager": "muster.cli.manager:manager",
    "publisher": "muster.cli.publisher:publisher",
    "slmgr": "muster.cli.slmgr:slmgr",
    "verify": "muster.cli.verify:verify",
}


@click.group(
    cls=RootGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="muster")
def muster() -> None:
    """Volume activation for any software.

    publisher: the vendor's service. host: answers machines inside a network. client: one machine.
    manager: an inventory of many. Start with 'muster demo'.
    """


def main() -> None:
    """Run the command; a defect prints its traceback and exits with 3, never with 1."""
    streams.prepare()
    try:
        try:
            muster()
        finally:
            sys.stdout.flush()
    except SystemExit:
        raise
    except MusterError as fault:
        # Commands tell theirs; what comes here is that nothing could be told.
        streams.leave()
        if not streams.is_left(fault):
            click.echo(f"{fault.code}: {fault.what} {fault.fix}", err=True)
        sys.exit(3)
    except KeyboardInterrupt:
        streams.leave()
        sys.exit(INTERRUPTED)
    except BaseException as defect:  # noqa: BLE001  # whatever it is, it must not look like a refusal
        import traceback

        traceback.print_exception(defect)
        click.echo(
            "This is a defect of Muster. Report it with the lines above; nothing was changed "
            "beyond what they say.",
            err=True,
        )
        sys.exit(3)
