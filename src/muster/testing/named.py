"""Starts a real BIND 9 `named` for tests and the demo.

One zone that takes TSIG-signed updates, in a folder of its own, in the foreground as a child of
this process, ready when it answers a question, stopped by its process id. Nothing outside the
folder is read or written.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from muster.net.dnsupdate import TSIGKey
from muster.testing.nanodns import bind_both

_START_SECONDS = 30.0
_ATTEMPTS = 5
PACKAGE = "bind9"
"""The Debian package that brings `named`."""


class PartMissingError(RuntimeError):
    """A program is not installed; the text names its Debian package."""


def find_named() -> str:
    """The path of `named`. Raises: PartMissingError."""
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin" + os.pathsep + "/usr/local/sbin"
    program = shutil.which("named", path=path)
    if program is None:
        raise PartMissingError(f"named is not installed: 'apt-get install {PACKAGE}' brings it")
    return program


def end(process: subprocess.Popen[bytes] | None) -> None:
    """End a child by its process id, where it runs: by SIGTERM, and by SIGKILL if it stays."""
    if process is not None and process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(15)


class Named:
    """One `named` with one zone.

    Args:
        zone: name of the zone.
        address: where it listens, an address of this machine (or of the namespace, see `prefix`).
        port: 0 takes a free one.
        keys: whoever signs with one of them may change any record of the zone.
        records: more lines of the zone file; names without a last dot are below the zone.
        prefix: words before the command, such as `("ip", "netns", "exec", "lan")`.
        policy: `update-policy` statements in place of `grant <key> zonesub ANY;` for each key.

    `keytab`, set before it starts, is its key for updates signed by GSS-TSIG; `environ` is added to
    its environment.
    """

    def __init__(
        self,
        zone: str = "example.test",
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        keys: Sequence[TSIGKey] = (),
        records: Sequence[str] = (),
        prefix: Sequence[str] = (),
        policy: str | None = None,
    ) -> None:
        self._program = find_named()
        self.zone = zone.removesuffix(".")
        self.address = address
        self._wanted_port = port
        self.port = port
        self._keys = tuple(keys)
        self._records = tuple(records)
        self._prefix = tuple(prefix)
        self._policy = policy
        self.keytab: Path | None = None
        self.environ: Mapping[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def server(self) -> str:
        """`address:port`, as `Resolver` and `DynamicUpdate` take it."""
        return (
            f"[{self.address}]:{self.port}"
            if ":" in self.address
            else (f"{self.address}:{self.port}")
        )

    @property
    def pid(self) -> int | None:
        """The process id of the child; of the prefix's first word where there is one."""
        return None if self._process is None else self._process.pid

    def start(self) -> Named:
        """Start, and return when it answers.

        Raises: RuntimeError with the end of its log when it does not start.
        """
        for attempt in range(_ATTEMPTS):
            try:
                self._start_once()
            except _PortTakenError:
                # Somebody took the free port between our look and named's.
                if self._wanted_port or attempt == _ATTEMPTS - 1:
                    raise RuntimeError(f"port {self.port} is taken") from None
            else:
                return self
        raise AssertionError("the loop returns or raises")

    def stop(self) -> None:
        """Stop it by its process id and remove its folder. Idempotent."""
        process, self._process = self._process, None
        end(process)
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    def log(self) -> str:
        """What named wrote so far."""
        if self._folder is None:
            return ""
        path = Path(self._folder.name) / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Named:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_once(self) -> None:
        self.stop()
        if not self._wanted_port:
            self.port = 53 if self._prefix else _free_port(self.address)
        self._folder = tempfile.TemporaryDirectory(prefix="muster-named-")
        folder = Path(self._folder.name)
        (folder / "zone.db").write_text(self._zone_text(), encoding="ascii")
        (folder / "named.conf").write_text(self._config(folder), encoding="ascii")
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*self._prefix, self._program, "-g", "-n", "1", "-c", str(folder / "named.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at the terminal is for whoever runs it
                cwd=folder,
                env={**os.environ, **self.environ},
            )
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            process = self._process
            if process is None or process.poll() is not None:
                break
            if self._answers():
                return
            if "not loaded due to errors" in self.log():
                break
            time.sleep(0.05)
        log = self.log()
        self.stop()
        if "address in use" in log:
            raise _PortTakenError
        raise RuntimeError("named did not start:\n" + log[-2000:])

    def _answers(self) -> bool:
        if self._prefix:
            asked = subprocess.run(
                [
                    *self._prefix,
                    "dig",
                    f"@{self.address}",
                    "-p",
                    str(self.port),
                    "+time=1",
                    "+tries=1",
                    "+short",
                    "SOA",
                    self.zone,
                ],
                capture_output=True,
                check=False,
            )
            return asked.returncode == 0 and bool(asked.stdout.strip())
        import dns.exception
        import dns.message
        import dns.query
        import dns.rcode

        with contextlib.suppress(dns.exception.DNSException, OSError):
            query = dns.message.make_query(self.zone + ".", "SOA")
            answer = dns.query.udp(query, self.address, 0.5, port=self.port)
            return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)
        return False

    def _zone_text(self) -> str:
        kind = "AAAA" if ipaddress.ip_address(self.address).version == 6 else "A"
        return "\n".join(
            [
                f"$ORIGIN {self.zone}.",
                "$TTL 60",
                "@ IN SOA ns admin 1 60 60 600 5",
                "@ IN NS ns",
                f"ns IN {kind} {self.address}",
                *self._records,
                "",
            ]
        )

    def _config(self, folder: Path) -> str:
        keys = "\n".join(
            f'key "{key.name}" {{ algorithm {key.algorithm};'
            f' secret "{base64.b64encode(key.secret).decode("ascii")}"; }};'
            for key in self._keys
        )
        policy = self._policy
        if policy is None:
            policy = " ".join(f'grant "{key.name}" zonesub ANY;' for key in self._keys)
        updates = f"update-policy {{ {policy} }};" if policy else "allow-update { none; };"
        gss = "" if self.keytab is None else f'tkey-gssapi-keytab "{self.keytab}";'
        six = ipaddress.ip_address(self.address).version == 6
        listen = f"port {self.port} {{ {self.address}; }}"
        return f"""
options {{
    directory "{folder}";
    listen-on {"{ none; }" if six else listen};
    listen-on-v6 {listen if six else "{ none; }"};
    pid-file none;
    session-keyfile none;
    managed-keys-directory "{folder}";
    recursion no;
    dnssec-validation no;
    empty-zones-enable no;
    notify no;
    allow-transfer {{ any; }};
    allow-query {{ any; }};
    {gss}
}};
controls {{ }};
{keys}
zone "{self.zone}" {{
    type primary;
    file "{folder}/zone.db";
    {updates}
}};
"""


class _PortTakenError(Exception):
    """The free port was taken by another program."""


def _free_port(address: str) -> int:
    udp, tcp = bind_both(address, 0)
    with udp, tcp:
        return int(udp.getsockname()[1])


def key_text(key: TSIGKey) -> str:
    """A key in the form of BIND's key files."""
    secret = base64.b64encode(key.secret).decode("ascii")
    return f'key "{key.name}" {{\n\talgorithm {key.algorithm};\n\tsecret "{secret}";\n}};\n'
