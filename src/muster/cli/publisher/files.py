"""Files that commands of a publisher read and write: drafts, requests, and files for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import shown_url

if TYPE_CHECKING:
    from muster.publisher.model import Draft
    from muster.wire.publisher import ConfirmRequest


def read_draft(path: Path | None) -> Draft:
    from muster.publisher.catalogue_file import FILE_LIMIT, parse_catalogue_file, sample
    from muster.system.textfile import read_text

    return parse_catalogue_file(sample() if path is None else read_text(path, FILE_LIMIT))


def checked_publisher_file(data: bytes, url: str | None) -> bytes:
    """The publisher file, read back as its reader will: a wrong --url is told here."""
    from muster.wire.exchange import read_publisher_file

    _check_public(url)
    try:
        read_publisher_file(data)
    except MusterError:
        raise _no_url(url) from None
    return data


def written(path: Path, changed: bool) -> str:
    return f"Written: {path}" if changed else f"{path} is up to date; nothing was changed."


def descriptor_with_url(data: bytes, url: str) -> bytes:
    from muster.lease.descriptor import with_url

    _check_public(url)
    try:
        return with_url(data, url)
    except MusterError:
        raise _no_url(url) from None


def _check_public(url: str | None) -> None:
    """Refuse an address with a login: these files go to everybody."""
    if "@" in (url or ""):
        raise error("net/url", url=shown_url(url or ""), detail="it holds a login")


def _no_url(url: str | None) -> MusterError:
    detail = "it is not of the form http://name:port"
    return error("net/url", url=shown_url(url or ""), detail=detail)


def read_request(path: Path, own: str) -> ConfirmRequest:
    from muster.system.textfile import read_text
    from muster.wire.exchange import read_request_file

    file = read_request_file(read_text(path, 64 * 1024))
    if file.publisher != own:
        raise error("publisher/other-request", found=file.publisher, own=own)
    return file.request
