"""Starts a real Kerberos realm (MIT krb5kdc) for tests.

One realm in a folder of its own, in the foreground as a child of this process, stopped by its
process id. Nothing outside the folder is read or written: `environ` names its configuration.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from muster.testing.named import PartMissingError, end
from muster.testing.nanodns import bind_both

_START_SECONDS = 30.0
_SBIN = "/usr/sbin"


def find(program: str, package: str) -> str:
    """The path of a program. Raises: PartMissingError."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SBIN}")
    if path is None:
        raise PartMissingError(f"{program} is not installed: 'apt-get install {package}' brings it")
    return path


class Realm:
    """A realm on 127.0.0.1 with what `principal` adds to it.

    `ahead` are seconds that its clock is ahead.
    Usage: `with Realm() as realm: keytab = realm.principal("host/kms1.corp.test")`.
    """

    def __init__(self, name: str = "CORP.TEST", *, ahead: int = 0) -> None:
        self.name = name
        self._ahead = ahead
        self._kdc = find("krb5kdc", "krb5-kdc")
        self._kadmin = find("kadmin.local", "krb5-admin-server")
        self._util = find("kdb5_util", "krb5-kdc")
        find("kinit", "krb5-user")
        self._held: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path()

    @property
    def environ(self) -> dict[str, str]:
        """What programs need to belong to this realm."""
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "KRB5RCACHEDIR": str(self.folder),
            "KRB5_TRACE": "",
        }

    def principal(self, name: str, *more: str) -> Path:
        """Make a principal with a random key; its keytab, readable by its owner alone."""
        keytab = self.folder / f"{name.replace('/', '-')}.keytab"
        for one in (name, *more):
            self._admin(f"addprinc -randkey +requires_preauth {one}")
            self._admin(f"ktadd -k {keytab} {one}")
        keytab.chmod(0o600)
        return keytab

    def change_key(self, name: str) -> None:
        """Give a principal another key: its keytabs are worthless from now on."""
        self._admin(f"cpw -randkey {name}")

    def delete(self, name: str) -> None:
        """Forget a principal."""
        self._admin(f"delprinc -force {name}")

    def stop(self) -> None:
        """Stop the KDC by its process id: nobody gives tickets any more. Idempotent."""
        process, self._process = self._process, None
        end(process)

    def __enter__(self) -> Self:
        self._held = tempfile.TemporaryDirectory(prefix="muster-kdc-")
        self.folder = Path(self._held.name)
        udp, tcp = bind_both("127.0.0.1", 0)
        with udp, tcp:
            port = int(udp.getsockname()[1])
        self._configure(port)
        self._run([self._util, "create", "-s", "-r", self.name, "-P", "only for tests"])
        options = ["-P", str(self.folder / "pid"), "-T", str(self._ahead)]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._kdc, "-n", "-r", self.name, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environ},
                start_new_session=True,
            )
        limit = time.monotonic() + _START_SECONDS
        while time.monotonic() < limit and "commencing operation" not in self.log():
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        if "commencing operation" not in self.log():
            raise RuntimeError(f"krb5kdc did not start: {self.log()[-2000:]}")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._held is not None:
            self._held.cleanup()

    def log(self) -> str:
        """What the KDC wrote so far."""
        parts = [self.folder / "log", self.folder / "kdc.log"]
        return "".join(path.read_text(errors="replace") for path in parts if path.exists())

    def _configure(self, port: int) -> None:
        (self.folder / "krb5.conf").write_text(f"""[libdefaults]
    default_realm = {self.name}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
[realms]
    {self.name} = {{
        kdc = 127.0.0.1:{port}
    }}
[domain_realm]
    .{self.name.lower()} = {self.name}
[logging]
    kdc = FILE:{self.folder}/kdc.log
""")
        (self.folder / "kdc.conf").write_text(f"""[kdcdefaults]
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {self.name} = {{
        database_name = {self.folder}/principal
        key_stash_file = {self.folder}/stash
        acl_file = {self.folder}/acl
        max_life = 10h 0m 0s
    }}
""")

    def _admin(self, query: str) -> None:
        self._run([self._kadmin, "-r", self.name, "-q", query])

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command,
            env={**os.environ, **self.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stderr}{done.stdout}")
