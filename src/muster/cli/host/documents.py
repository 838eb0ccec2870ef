"""`muster host catalogue …` and `muster host terms …`: what publishers signed since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import (
    FILE,
    publisher_option,
    publisher_service,
    read_file,
    report_refused,
    update_line,
)
from muster.cli.options import store_option
from muster.cli.output import LazyGroup, emit
from muster.core.catalogue import error

if TYPE_CHECKING:
    from muster.host.results import KeyTerms, TermsNews


@click.group(cls=LazyGroup)
def catalogue() -> None:
    """Products that this host knows, and what is revoked."""


@catalogue.command("import")
@store_option
@click.argument("file", type=FILE)
def catalogue_import(store: Path | None, file: Path) -> None:
    """Import newer trust and a newer catalogue from a publisher file."""
    from muster.host.act.news import import_catalogue
    from muster.wire.exchange import read_publisher_file

    read = read_publisher_file(read_file(file))
    with compose.open_host(store) as opened:
        update = import_catalogue(opened, read)
    emit(update, [update_line(update)])


@catalogue.command("fetch")
@store_option
@publisher_option
@click.option("--publisher-url", metavar="URL", help="Address of the publisher's service.")
def catalogue_fetch(store: Path | None, publisher: str | None, publisher_url: str | None) -> None:
    """Fetch newer trust and catalogue from the publishers' services."""
    from muster.host.act.news import fetch_catalogues

    with compose.open_host(store) as opened:
        news = fetch_catalogues(
            opened,
            lambda known: publisher_service(known, publisher_url),
            publisher,
            one_address=publisher_url is not None,
        )
    lines = [update_line(update) for update in news.publishers]
    emit(news, lines if lines or news.refused else ["This host knows no publisher."])
    report_refused(news.refused)


@click.group(cls=LazyGroup)
def terms() -> None:
    """Limits (terms) that publishers set for this host."""


@terms.command("import")
@store_option
@click.argument("file", type=FILE)
def terms_import(store: Path | None, file: Path) -> None:
    """Import terms from a reply file of the publisher."""
    from muster.host.act.news import import_terms
    from muster.wire.exchange import read_reply_file

    read = read_reply_file(read_file(file))
    if read.answer.terms is None:
        raise error("host/no-terms", path=str(file))
    with compose.open_host(store) as opened:
        _told_terms(import_terms(opened, read))


@terms.command("fetch")
@store_option
@publisher_option
@click.option("--publisher-url", metavar="URL", help="Address of the publisher's service.")
def terms_fetch(store: Path | None, publisher: str | None, publisher_url: str | None) -> None:
    """Ask the publishers' services for newer terms; uses no activation."""
    from muster.host.act.news import fetch_terms

    with compose.open_host(store) as opened:
        news = fetch_terms(
            opened,
            lambda known: publisher_service(known, publisher_url),
            publisher,
            one_address=publisher_url is not None,
        )
    _told_terms(news)


def _told_terms(news: TermsNews) -> None:
    lines = [_terms_line(key) for key in news.keys]
    nothing = "No host key is activated; nothing was changed."
    emit(news, lines if lines or news.refused else [nothing])
    report_refused(news.refused)


def _terms_line(key: KeyTerms) -> str:
    name, terms = f"Host key XXXXX-XXXXX-XXXXX-XXXXX-{key.partial}", key.terms
    if key.lacks_terms:
        return (
            f"{name} has no terms, and its key group requires them: it is not used until the "
            "publisher sets them ('muster publisher host terms')."
        )
    if terms is None:
        return f"{name} has no terms."
    over = "refused" if terms.over == "refuse" else "reported"
    line = f"{name} has terms version {terms.version}: {terms.limit} machines, more are {over}."
    return line if key.changed else f"{line} Nothing was changed."
