"""Which names and addresses a program can connect to, and from where."""

from __future__ import annotations

import pytest

from muster.core import reach
from muster.core.errors import MusterError


@pytest.mark.parametrize(
    "host",
    [
        *("0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1", "255.255.255.255"),
        *("fe80::1", "fe80::ffff"),
    ],
)
def test_what_nothing_can_be_reached_by_is_refused(host: str) -> None:
    with pytest.raises(MusterError, match="settings/nowhere"):
        reach.check_host(host, host)
    url = f"http://[{host}]:16882" if ":" in host else f"http://{host}:16882/x"
    with pytest.raises(MusterError, match="settings/nowhere"):
        reach.check_url(url)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "::1", "192.0.2.7", "10.1.2.3", "169.254.1.1", "2001:db8::1"),
        *("fe80::1%eth0", "localhost", "kms1", "kms1.corp.example", ""),
    ],
)
def test_what_may_be_reached_is_taken(host: str) -> None:
    reach.check_host(host, host)
    scoped = host.replace("%", "%25")
    reach.check_url(f"https://[{scoped}]:16882" if ":" in host else f"https://{host}:16882")
    reach.check_url("http://[broken")


def test_names_that_mean_the_machine_itself() -> None:
    for name in ("localhost", "LOCALHOST.", "a.b.localdomain", "localhost6", "ip6-loopback"):
        assert reach.only_here(name)
    for name in ("kms1", "localhost.corp.example", "127.0.0.1", "my-localhost", ""):
        assert not reach.only_here(name)
