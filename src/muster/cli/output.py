"""How commands speak: text for people, JSON for programs, exit codes from the catalogue.

A command returns nothing; it calls `emit(data, lines)` once. With `--json` the data is printed as
one JSON object, otherwise the lines. An error prints code, what, why and fix on standard error,
and with `--json` one object `{"error": {...}}` on standard output. No error repeats a product key,
wherever it was typed.

Exit codes: 0 done, 1 refusal, 2 wrong use, 3 could not find out, 130 stopped by Ctrl-C
(docs/cli.md). What the world does to a command (a full disk, a folder that is gone) is an error of
the catalogue, never a traceback.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import click

from muster.core.catalogue import error
from muster.core.errors import Kind, MusterError
from muster.core.keys import mask_typed
from muster.core.records import JSON, encode, error_record
from muster.wire.peer import quoted

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C stopped, as shells have it."""
_JSON = "muster.json"
_LARGEST = 2**63 - 1
"""What a database keeps of a whole number."""


def emit(data: object, lines: Iterable[str]) -> None:
    """Print the outcome of a command: a record with `--json`, else the lines.

    Args:
        data: a record (`muster.core.records`); a mapping of what JSON can say is printed as it is.
    """
    if wants_json():
        shown = data if isinstance(data, Mapping) else encode(data)
        # Escaped: what turns the direction of writing must not act on a terminal.
        click.echo(json.dumps(shown, indent=2, sort_keys=True))
    else:
        for line in lines:
            click.echo(line)


def announce(say: Callable[[], None]) -> None:
    """Say that a server is ready; one whose output takes nothing, as on a full disk, serves all the
    same, and its log has it."""
    from muster.cli.streams import leave

    try:
        say()
    except MusterError as fault:
        if fault.code != "file/output":
            raise
        leave()
        logging.getLogger("muster").warning("%s: %s", fault.code, fault)


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as comma-separated values (RFC 4180), the names of the columns first.

    A text that a spreadsheet would take for a formula gets an apostrophe in front: names are words
    of strangers.
    """
    if wants_json():
        raise click.UsageError("--csv and --json contradict each other.")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    click.echo(out.getvalue(), nl=False)


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


class Done(Protocol):
    """What an act returns: a record that says whether anything changed."""

    @property
    def changed(self) -> bool:
        """Whether the act changed anything."""


def emit_done(done: Done, changed: str, same: str) -> None:
    """Print what an act did: one line where it changed something, another where all was so."""
    emit(done, [changed if done.changed else same])


def wants_json() -> bool:
    """Whether the running command was asked for JSON."""
    context = click.get_current_context(silent=True)
    return bool(context is not None and context.meta.get(_JSON))


def exit_code(fault: MusterError) -> int:
    """1 refusal, 2 wrong use, 3 could not find out."""
    return {Kind.REFUSAL: 1, Kind.USAGE: 2, Kind.FAULT: 3}[fault.row.kind]


def error_data(fault: MusterError) -> dict[str, JSON]:
    """An error as the `error` member of JSON output."""
    return encode(error_record(fault))


def print_error(fault: MusterError) -> None:
    """Say an error: to programs on standard output, to people on standard error."""
    tell_error(fault, as_json=wants_json())


def tell_error(fault: MusterError, *, as_json: bool) -> None:
    """As `print_error`, where no command runs that could know whether JSON is wanted."""
    if as_json:
        click.echo(json.dumps({"error": error_data(fault)}, indent=2, sort_keys=True))
        return
    number = f" ({fault.row.field_code})" if fault.row.field_code else ""
    click.echo(f"{fault.code}{number}", err=True)
    click.echo(f"  What: {mask_typed(fault.what)}", err=True)
    click.echo(f"  Why:  {mask_typed(fault.why)}", err=True)
    click.echo(f"  Fix:  {mask_typed(fault.fix)}", err=True)
    for line in quoted(fault):
        click.echo(f"  {mask_typed(line)}", err=True)


class MusterCommand(click.Command):
    """A command with `--json` that turns catalogue errors into texts and exit codes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                callback=_remember_json,
                is_eager=True,
                help="Print one JSON object; states and codes are stable, texts are not.",
            )
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what was typed; refuses here, once for all commands, what nothing below can keep:
        texts that are no UTF-8, and numbers beyond 64 bits."""
        rest = super().parse_args(ctx, args)
        for param in self.params:
            _check_kept(ctx, param, ctx.params.get(param.name or ""))
        return rest

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """An example, and what else the command has to say below its options."""
        _show_example(ctx, formatter)
        super().format_epilog(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors of the catalogue end it with their exit code."""
        from muster.cli import streams

        try:
            return super().invoke(ctx)
        except MusterError as fault:
            if fault.code == "file/output":
                # What is still buffered would fail once more, when the process ends.
                streams.leave()
                if not streams.is_left(fault):
                    tell_error(fault, as_json=False)
            else:
                print_error(fault)
            ctx.exit(exit_code(fault))
        except OSError as fault:
            told = told_by_system(fault)
            print_error(told)
            ctx.exit(exit_code(told))


def _check_kept(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if isinstance(value, tuple):
        for item in value:
            _check_kept(ctx, param, item)
    elif isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            # A terminal of another encoding; a path may have any bytes, and is no text here.
            shown = ascii(value)[1:-1]
            raise click.BadParameter(f"'{shown}' is not in UTF-8.", ctx, param) from None
    elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        raise click.BadParameter(f"{value} is too large.", ctx, param)


def _show_example(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    from muster.cli.examples import example_of

    example = example_of(ctx.command_path.partition(" ")[2])
    if example:
        with formatter.section("Example"):
            formatter.write_text(f"muster {example}")


def told_by_system(fault: OSError) -> MusterError:
    """The catalogue's word for an OSError that no part translated: the world's fault, no defect."""
    from muster.system.files import translate

    try:
        Path.cwd()
    except OSError:
        return error("file/no-directory")
    return translate(fault, fault.filename or "a file or a socket")


def _remember_json(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    ctx.meta[_JSON] = value
    return value


class LazyGroup(click.Group):
    """A group whose sub-commands are imported when they are asked for [a start under 300 ms]."""

    command_class = MusterCommand

    def __init__(self, *args: Any, lazy: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy or {})

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was typed; whoever mistyped it is not shown a product key back."""
        try:
            return super().invoke(ctx)
        except click.UsageError as fault:
            message = fault.format_message()
            masked = mask_typed(message)
            if masked == message:
                raise
            raise click.UsageError(masked, ctx=fault.ctx) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all sub-commands, sorted."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The sub-command, imported now if it is a lazy one."""
        target = self._lazy.get(cmd_name)
        if target is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{target} is not a command")
        return command


class RootGroup(LazyGroup):
    """The command itself: what was typed wrongly, and Ctrl-C, are told as every other error is."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run what was typed, and end the process with its exit code."""
        words = list(sys.argv[1:] if args is None else args)
        prog_name = prog_name or "muster"
        if not standalone_mode:
            return super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
        as_json = "--json" in words
        try:
            code = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as fault:
            fault.show()
            sys.exit(fault.exit_code)
        except click.ClickException as fault:
            told = mistyped(fault)
            tell_error(told, as_json=as_json)
            sys.exit(exit_code(told))
        except click.Abort:
            tell_error(error("command/interrupted"), as_json=as_json)
            sys.exit(INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)


def mistyped(fault: click.ClickException) -> MusterError:
    """What was typed wrongly, without a product key that was typed."""
    context = getattr(fault, "ctx", None)
    path = "muster" if context is None else context.command_path
    detail = mask_typed(fault.format_message()).rstrip(".")
    return error("command/usage", detail=detail, command=path)


def interactive() -> bool:
    """Whether somebody sits at a terminal; on a pipe no command ever asks."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
