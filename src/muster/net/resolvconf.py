"""Reads resolv.conf as the C library does: the one decoder of that file.

Decides which DNS servers and suffixes the system names, and what a name is. A line that cannot be
read is passed over, as glibc does; there is no content of the file that raises. Refuses to know who
asks.
Obeys docs/spec/07-discovery.md, section 7.2; the rules are those of glibc's `res_init.c`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import socket
from pathlib import Path

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass

PATH = Path("/etc/resolv.conf")
MAX_SERVERS = 3
"""Servers that are asked, as resolv.conf(5) has it."""
LOOPBACK = "127.0.0.1"
"""Who is asked where the file names nobody."""
_LIMIT = 64 * 1024
_BLANK = " \t"
_NUMBERS = re.compile(r"[0-9A-Fa-fxX.]+")


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """What the file says: addresses of servers, at least one and at most 3, and the suffixes of
    the search list in their order, as written."""

    servers: tuple[str, ...]
    suffixes: tuple[str, ...]


def read(path: Path = PATH) -> ResolvConf:
    """Read the file; one that is missing, unreadable or no file is as good as an empty one.

    Of a larger file the first 64 KiB count.
    """
    data = b""
    with contextlib.suppress(OSError):
        # A pipe without a writer must not hold the program.
        flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
        number = os.open(path, flags)
        with os.fdopen(number, "rb", buffering=0) as file:
            while len(data) <= _LIMIT and (piece := file.read(_LIMIT + 1 - len(data))):
                data += piece
    return parse(data)


def check_name(name: str) -> str:
    """The name in lower case without the last dot.

    Only letters, digits, hyphen and underscore are taken, as hosts and services are named.
    Raises: `net/dns-name`.
    """
    text = name.lower().removesuffix(".")
    if len(text) > 253 or not grammar.DNS_NAME.fullmatch(text):
        raise error("net/dns-name", name=ascii(name)[1:-1][:80])
    return text


def system_suffixes(resolv_conf: Path = PATH) -> tuple[str, ...]:
    """The DNS suffixes of this machine, best first: its own domain, then the search list.

    Reads the machine's name and the resolver's file; asks nobody.
    """
    domain = socket.gethostname().partition(".")[2]
    found = [domain] if domain else []
    found.extend(read(resolv_conf).suffixes)
    names: list[str] = []
    for suffix in found:
        try:
            name = check_name(suffix)
        except MusterError:
            continue
        if name not in names:
            names.append(name)
    return tuple(names)


def parse(data: bytes) -> ResolvConf:
    """The content of a file. Raises nothing."""
    servers: list[str] = []
    suffixes: tuple[str, ...] = ()
    if len(data) > _LIMIT:
        # The last line is cut, and half an address can be another one.
        data = data[:_LIMIT].rpartition(b"\n")[0]
    for raw in data.split(b"\n"):
        # The C library reads lines as texts that end with NUL. Any byte is a character here.
        line = raw.partition(b"\0")[0].decode("latin-1")
        # A key word is at the start of its line; so `#` and `;` make comments.
        word, rest = _word(line)
        if not rest:
            continue
        if word == "nameserver":
            server = _server(_word(rest)[0])
            if server is not None and len(servers) < MAX_SERVERS:
                servers.append(server)
        elif word == "domain":
            # The last of several lines counts, of either kind.
            suffixes = (_word(rest)[0],)
        elif word == "search":
            suffixes = tuple(word for word in re.split(f"[{_BLANK}]+", rest) if word)
    return ResolvConf(tuple(servers) or (LOOPBACK,), suffixes)


def _word(text: str) -> tuple[str, str]:
    """The first word and what comes behind the blanks after it."""
    index = next((index for index, character in enumerate(text) if character in _BLANK), len(text))
    return text[:index], text[index:].strip(_BLANK)


def _server(text: str) -> str | None:
    """An address as `nameserver` takes it, in its usual form; None where it is none."""
    if _NUMBERS.fullmatch(text) and len(text) <= 64:
        # The C library takes 127.1, octal and hexadecimal numbers too.
        with contextlib.suppress(OSError):
            return socket.inet_ntoa(socket.inet_aton(text))
    host, mark, scope = text.partition("%")
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return None
    # A scope that cannot be used is left out; it means something on a link only.
    if mark and address.is_link_local and grammar.ZONE_ID.fullmatch(scope):
        return f"{address}%{scope}"
    return str(address)
