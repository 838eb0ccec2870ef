"""Writing the settings of a machine that commands write; each change is in the history."""

from __future__ import annotations

from muster.client import settings
from muster.client import store as store_files
from muster.client.results import (
    CachingSetting,
    DomainSetting,
    HostSetting,
    PublisherSetting,
    TLSSetting,
)
from muster.client.stores import Parts, load_present
from muster.core import reach
from muster.core import settings as table
from muster.core.audit import Event as Audit
from muster.core.identity import check_publisher_id

# `publisher` "" is the machine's own setting, which counts where a publisher has none. All raise
# `settings/value`, `id/grammar`, `file/…`.


def set_host(parts: Parts, host: str | None, publisher: str = "") -> HostSetting:
    """Ask one host and no other, or with None find hosts by DNS again.

    Raises: `settings/nowhere`.
    """
    if host is not None:
        table.check(table.lookup(table.Role.CLIENT, "host"), host)
        reach.check_host(table.split_host_port(host, 0)[0], host)
    return HostSetting(host, publisher or None, _change(parts, publisher, "host", host))


def set_domains(
    parts: Parts, suffixes: tuple[str, ...] | None, publisher: str = ""
) -> DomainSetting:
    """Look for hosts in these domains only, or with None in the machine's own."""
    value = None if suffixes is None else list(suffixes)
    changed = _change(parts, publisher, "suffixes", value)
    return DomainSetting(suffixes, publisher or None, changed)


def set_caching(parts: Parts, caching: bool, publisher: str = "") -> CachingSetting:
    """Ask the host that answered last first, or DNS each time."""
    changed = _change(parts, publisher, "host_caching", caching)
    return CachingSetting(caching, publisher or None, changed)


def set_tls(parts: Parts, host_tls: bool) -> TLSSetting:
    """Ask hosts over TLS only, or without TLS."""
    return TLSSetting(host_tls, _change(parts, "", "host_tls", host_tls))


def set_publisher(parts: Parts, url: str | None, publisher: str = "") -> PublisherSetting:
    """Say where the publisher's service listens, or with None forget it.

    Raises: `settings/nowhere`.
    """
    if url is not None:
        reach.check_url(url)
    changed = _change(parts, publisher, "publisher_url", url)
    return PublisherSetting(url, publisher or None, changed)


def _change(parts: Parts, publisher: str, name: str, value: object | None) -> bool:
    """Write one setting, and note it for each publisher that it concerns; whether it changed."""
    if publisher:
        check_publisher_id(publisher)
    if not settings.change(parts.root, publisher, name, value):
        return False
    detail = f"{name} is not set" if value is None else f"{name} = {value}"
    for publisher_id in store_files.publishers(parts.root, parts.disk):
        if publisher not in ("", publisher_id):
            continue
        store = parts.store(publisher_id)
        with store.lock():
            memory = load_present(store).memory
            store.save(parts.noted(memory, Audit.CLIENT_SETTING_CHANGE, detail=detail))
    return True
