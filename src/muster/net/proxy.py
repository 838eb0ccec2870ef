"""Which proxy a request to the world outside goes by, and how the proxy is told who asks.

Decides by the variables of the environment, as curl, wget and Go programs do (docs/spec/08-http.md,
section 8.12): `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, each also in capitals. Where
none of them is set, the settings of Windows and macOS count. Refuses to know how a request is
sent. A login never leaves this module but as the header that it is for.
"""

from __future__ import annotations

import base64
import fnmatch
import ipaddress
import os
import re
import sys
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import shown_url
from muster.core.values import dataclass, field

_LONGEST = 4096
_LOGIN = 1024
_ENTRIES = 1024
_HOST = re.compile(
    r"\[([0-9A-Fa-f:.%]{2,64})\](?::([0-9]{1,5}))?|([^\[\]:/?#@\s]{1,253})(?::([0-9]{1,5}))?"
)
_NO_WAY = frozenset({502, 503, 504, 522, 523, 524})
"""Statuses of a proxy that did not get to the server; the last three are Cloudflare's."""
_SCHEMES = ("Basic", "Digest", "NTLM", "Negotiate", "Bearer")
_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that is asked over HTTP; `authorization` is the value of Proxy-Authorization or "",
    and no part of what is printed of the object. `variable` says where the proxy is named."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)
    variable: str = "http_proxy"

    def refused(self, peer: str, wanted: str) -> MusterError:
        """The error of its answer 407; `wanted` is its Proxy-Authenticate.

        Only names of schemes that we know are taken from what it says.
        """
        names = [
            scheme for scheme in _SCHEMES if re.search(rf"(?i)(?<![\w-]){scheme}(?![\w-])", wanted)
        ]
        given = "refused the login that the address of the proxy holds"
        detail = given if self.authorization else "wants a login, and none is given"
        asks = f"; it takes {', '.join(names)}" if names else ""
        return error("net/proxy-login", peer=peer, detail=f"{detail}{asks}", variable=self.variable)

    def gave_none(self, peer: str, server: str, status: int) -> MusterError:
        """The error of an answer of its own with which it gives no way to the server."""
        detail = f"it answered with status {status}"
        if status in _NO_WAY:
            detail += ", so it could not reach the server itself"
        elif 400 <= status < 500:
            detail += ", so its rules may forbid it"
        return error("net/proxy", peer=peer, server=server, detail=detail, variable=self.variable)


def proxy_for(
    scheme: str, host: str, port: int, environ: Mapping[str, str] | None = None
) -> Proxy | None:
    """The proxy for a server, or None where it is asked directly.

    Args:
        scheme: http or https.
        host: name or IP address of the server, without brackets.
        port: of the server.
        environ: the environment; the process's own by default.
    Raises: `net/proxy-address` where the variable holds no address of a proxy.
    """
    env = os.environ if environ is None else environ
    if environ is None and not any(_get(env, name) for name in _VARIABLES):
        return _of_system(scheme, host)
    setting = _chosen(env, scheme)
    if setting is None:
        return None
    name, value = setting
    if is_excepted(host, port, _get(env, "no_proxy") or ""):
        return None
    return parse_proxy(value, name)


def _of_system(scheme: str, host: str) -> Proxy | None:
    platform: str = sys.platform  # a plain text: both branches are checked everywhere
    if platform not in ("win32", "darwin"):
        return None
    from urllib.request import getproxies, proxy_bypass

    value = getproxies().get(scheme)
    return None if not value or proxy_bypass(host) else parse_proxy(value, "the system's settings")


def _chosen(env: Mapping[str, str], scheme: str) -> tuple[str, str] | None:
    """Name and value of the variable that decides, or None."""
    for name in (f"{scheme}_proxy", "all_proxy"):
        for spelled in (name, name.upper()):
            if spelled == "HTTP_PROXY" and "REQUEST_METHOD" in env:
                continue  # In a CGI program that is the header Proxy: of whoever asks.
            if spelled in env:
                value = env[spelled].strip()
                return (spelled, value) if value else None
    return None


def _get(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name)
    return env.get(name.upper()) if value is None else value


def parse_proxy(value: str, where: str) -> Proxy:
    """Read `[http://][user[:password]@]host[:port][/]`; the port is 80 where none is said.

    User and password may be percent-encoded. A password may hold any character: everything up to
    the last "@" is the login, and the first ":" ends the user.

    Args:
        value: of the variable.
        where: the variable, for messages.
    Raises: `net/proxy-address`; it shows no login.
    """

    def bad(detail: str) -> MusterError:
        return error("net/proxy-address", variable=where, url=shown_url(value), detail=detail)

    if len(value) > _LONGEST:
        raise bad("it is too long")
    scheme, mark, rest = value.partition("://")
    if not mark:
        scheme, rest = "http", value
    if scheme.lower() != "http":
        raise bad("Muster asks proxies over http:// only")
    login, mark, address = rest.rpartition("@")
    match = _HOST.fullmatch(re.split(r"[/?#]", address, maxsplit=1)[0])
    if match is None:
        raise bad("it names no server")
    six, six_port, name, name_port = match.groups()
    host, digits = (six, six_port) if six else (name, name_port)
    if not host.isascii() or not host.isprintable():
        raise bad("it has characters that do not belong there")
    port = int(digits) if digits else 80
    if not 1 <= port <= 65535:
        raise bad("the port is not from 1 to 65535")
    if not mark or not login:
        return Proxy(host, port, variable=where)
    user, _, password = login.partition(":")
    secret = b":".join(
        unquote_to_bytes(part.encode("utf-8", "surrogateescape")) for part in (user, password)
    )
    if len(secret) > _LOGIN:
        raise bad("the login is too long")
    login = "Basic " + base64.b64encode(secret).decode("ascii")
    return Proxy(host, port, login, where)


# Exceptions.


def is_excepted(host: str, port: int, no_proxy: str) -> bool:
    """Whether `no_proxy` names a server.

    Entries are separated by commas, semicolons or white space. `*` names every server; `corp.test`,
    `.corp.test` and `*.corp.test` the domain and everything below it; an address itself; a network
    `10.0.0.0/8` or `fd00::/8` the addresses in it; `10.1.*` by its star. Each may end with a port.
    An entry that is none of these names nobody.
    """
    name = host.lower().rstrip(".")
    address = _address(name)
    entries = re.split(r"[,;\s]+", no_proxy[: 64 * _LONGEST])[:_ENTRIES]
    return any(_names(entry.lower(), name, address, port) for entry in entries if entry)


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _names(entry: str, name: str, address: _Address | None, port: int) -> bool:
    if entry == "*":
        return True
    for form, wanted in _forms(entry):
        if wanted is not None and wanted != port:
            continue
        network = _network(form)
        if network is not None:
            if address is not None and address.version == network.version and address in network:
                return True
            continue
        domain = form.removeprefix("*").lstrip(".").rstrip(".")
        if "*" in domain:
            if fnmatch.fnmatchcase(name, domain.replace("[", "[[]")):
                return True
        elif domain and address is None and (name == domain or name.endswith(f".{domain}")):
            return True
    return False


def _forms(entry: str) -> Iterable[tuple[str, int | None]]:
    """The entry as a whole, and without the port that it may end with."""
    if entry.startswith("["):
        inner, _, rest = entry[1:].partition("]")
        if not rest:
            yield inner, None
        elif rest.startswith(":") and grammar.PORT.fullmatch(rest[1:]):
            yield inner, int(rest[1:])
        elif rest.startswith("/"):
            yield inner + rest, None
        return
    yield entry, None
    head, mark, digits = entry.rpartition(":")
    if mark and ":" not in head and grammar.PORT.fullmatch(digits):
        yield head, int(digits)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        plain = network.network_address.ipv4_mapped
        if plain is not None:
            return ipaddress.ip_network(f"{plain}/{network.prefixlen - 96}")
    return network


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
