"""Updates of DNS that are signed by GSS-TSIG (RFC 3645), as Active Directory wants them.

Decides how a keytab becomes a ticket and a ticket an update, and what a failure means. The programs
that administrators know do it: kinit (krb5-user) and nsupdate (bind9-dnsutils), as children, each
in an environment of its own. A ticket is got for each update and forgotten after it, so that none
has to be renewed and a changed keytab is followed (docs/spec/07-discovery.md, section 7.6).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass, field, replace

KEYTAB_LIMIT = 1024 * 1024
_SECONDS = 20
"""For one child."""
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
_PACKAGES = {"kinit": "krb5-user", "nsupdate": "bind9-dnsutils"}
_FAILURES: Sequence[tuple[str, str]] = (
    # What is said, in small letters, and the error that it is; the first counts.
    ("clock skew", "dns/kerberos-clock"),
    ("badtime", "dns/kerberos-clock"),
    ("server dns/", "dns/kerberos-server"),
    ("server not found in kerberos database", "dns/kerberos-server"),
    ("not found in kerberos database", "dns/kerberos-principal"),
    ("preauthentication failed", "dns/kerberos-principal"),
    ("password incorrect", "dns/kerberos-principal"),
    ("client's credentials have been revoked", "dns/kerberos-principal"),
    ("client expired", "dns/kerberos-principal"),
    ("cannot contact any kdc", "dns/kerberos-kdc"),
    ("cannot find kdc", "dns/kerberos-kdc"),
    ("cannot resolve", "dns/kerberos-kdc"),
    ("cannot determine realm", "dns/kerberos-kdc"),
    ("tkey", "dns/kerberos-server"),
    ("gss", "dns/kerberos-server"),
)


@dataclass(frozen=True, slots=True)
class Kerberos:
    """Who signs updates: a principal whose key is in a keytab; "" takes the keytab's first.

    `keytab` is its path, `read` gives what is in it now and raises where others can read it.
    """

    keytab: str
    read: Callable[[], bytes] = field(compare=False, repr=False)
    principal: str = ""

    def checked(self) -> Kerberos:
        """The same with its principal. Raises: `dns/keytab`; as `read`."""
        return replace(self, principal=_chosen(self, self.read()))


def keytab_principals(data: bytes) -> tuple[str, ...]:
    """The principals in a keytab of version 2, each once, in its order.

    Raises: ValueError for bytes that are none.
    Source: MIT Kerberos, "Keytab file format".
    """
    if data[:2] != b"\x05\x02":
        raise ValueError("it is no keytab of version 2")
    found: dict[str, None] = {}
    at = 2
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big", signed=True)
        entry = data[at + 4 : at + 4 + abs(length)]
        if length == 0 or len(entry) != abs(length):
            raise ValueError("it is cut")
        if length > 0:  # a hole is where an entry was deleted
            found[_principal(entry)] = None
        at += 4 + abs(length)
    return tuple(found)


def _principal(entry: bytes) -> str:
    number = int.from_bytes(entry[:2], "big")
    texts: list[str] = []
    at = 2
    for _ in range(number + 1):
        length = int.from_bytes(entry[at : at + 2], "big")
        text = entry[at + 2 : at + 2 + length]
        if len(text) != length or not length:
            raise ValueError("it is cut")
        texts.append(text.decode("utf-8", "replace"))
        at += 2 + length
    return f"{'/'.join(texts[1:])}@{texts[0]}"


def _chosen(kerberos: Kerberos, data: bytes) -> str:
    try:
        known = keytab_principals(data)
    except ValueError as fault:
        raise error("dns/keytab", path=kerberos.keytab, detail=str(fault)) from None
    if not known:
        raise error("dns/keytab", path=kerberos.keytab, detail="it holds no key")
    if not kerberos.principal:
        return known[0]
    wanted = kerberos.principal
    for principal in known:
        if wanted in (principal, principal.rpartition("@")[0]):
            return principal
    detail = f"it has no key of {wanted}, but of {', '.join(known[:4])}"
    raise error("dns/keytab", path=kerberos.keytab, detail=detail)


def send_update(kerberos: Kerberos, script: str, server: str, zone: str) -> None:
    """Get a ticket and have nsupdate send an update that it signs.

    Args:
        kerberos: by whom.
        script: what nsupdate reads, from `server` to `send`.
        server, zone: for errors.
    Raises: `dns/refused`, `dns/notauth`, `dns/timeout`, `dns/failed`, `dns/kerberos…`,
        `dns/keytab`; as `Kerberos.read`.
    """
    programs = {name: _program(name) for name in _PACKAGES}
    data = kerberos.read()
    principal = _chosen(kerberos, data)
    with tempfile.TemporaryDirectory(prefix="muster-kerberos-") as folder:
        # What was judged is what is used, whoever replaces the file meanwhile.
        keytab = Path(folder) / "keytab"
        keytab.touch(0o600)
        keytab.write_bytes(data)
        environ = _environment(folder)
        said = _run([programs["kinit"], "-k", "-t", str(keytab), "--", principal], environ, "")
        if said is not None:
            raise _failure(said, principal, server, zone, script)
        said = _run([programs["nsupdate"], "-v", "-g"], environ, script)
    if said is not None:
        raise _failure(said, principal, server, zone, script)


def _program(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SBIN}")
    if path is None:
        raise error("dns/kerberos-program", program=name, package=_PACKAGES[name])
    return path


def _environment(folder: str) -> dict[str, str]:
    # A wrong clock is told as that, and not made up for: the DNS server would only say "no".
    own = Path(folder) / "krb5.conf"
    own.write_text("[libdefaults]\n    kdc_timesync = 0\n", "ascii")
    configured = os.environ.get("KRB5_CONFIG") or "/etc/krb5.conf"
    return {
        "PATH": os.environ.get("PATH", _SBIN),
        "KRB5_CONFIG": f"{own}:{configured}",
        "KRB5CCNAME": f"FILE:{folder}/tickets",
        "HOME": folder,
        "LC_ALL": "C",  # the words of messages, whatever the administrator's language
    }


def _run(command: Sequence[str], environ: Mapping[str, str], text: str) -> str | None:
    """Run a child; what it said where it failed, None where it succeeded."""
    try:
        done = subprocess.run(
            command,
            input=text,
            env=environ,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return "timed out"
    except OSError as fault:
        return f"{command[0]}: {fault.strerror}"
    if done.returncode == 0 and not done.stderr.strip():
        return None
    return " ".join(f"{done.stderr} {done.stdout}".split()) or f"exit code {done.returncode}"


def _failure(said: str, principal: str, server: str, zone: str, script: str) -> MusterError:
    """What a child said, as the error that it is."""
    small = said.lower()
    detail = said[:300].rstrip(".")
    signer = f"the principal {principal}"
    if "update failed: refused" in small:
        lines = [line.split() for line in script.splitlines() if line.startswith("update ")]
        names = ", ".join(dict.fromkeys(f"{words[2].rstrip('.')} SRV" for words in lines))
        return error("dns/refused", server=server, zone=zone, signer=signer, names=names)
    # A code in brackets is that of the signature, as in NOTAUTH(BADTIME).
    if "update failed" in small and "(bad" not in small:
        if "notauth" in small or "notzone" in small:
            return error("dns/notauth", server=server, zone=zone)
        return error("dns/failed", server=server, zone=zone, detail=detail)
    for words, code in _FAILURES:
        if words in small:
            return error(
                code,
                principal=principal,
                realm=principal.rpartition("@")[2],
                server=server,
                detail=detail,
            )
    if "timed out" in small or "timeout" in small:
        return error("dns/timeout", server=server, seconds=f"{_SECONDS}")
    return error("dns/kerberos", principal=principal, detail=detail)
