"""Attacks on the routes that activate: bits, digits and bytes of requests, turned by a program.

Whoever sends, types, scans or speaks a wrong installation ID is refused, and draws nothing; only a
whole ID of somebody who holds the key draws (docs/spec/01-identities.md, sections 1.9 and 1.10).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from muster.core.digits import decode_groups, encode_groups
from muster.core.errors import MusterError
from muster.core.keys import Kind
from muster.net.http import HTTPClient
from muster.net.serve import ThreadServer
from muster.publisher.api import PublisherAPI
from muster.publisher.service import PublisherService
from muster.wire.exchange import RequestFile, read_request_file
from muster.wire.publisher import ConfirmRequest

from .conftest import Shop

POOL = 50


class Target:
    """A publisher with a pool and a host key, and what was drawn on them."""

    def __init__(self, shop: Shop) -> None:
        self.admin = shop.admin()
        self.service: PublisherService = shop.service()
        self.key = self.admin.issue_pool_keys(Kind.MAK, "client-volume", POOL)[0].key
        host_key = self.admin.issue_host_keys("server-c")[0].key
        self.machine = shop.machines(self.key, 1, first=0x1234567890ABCDEF)[0].digits()
        self.host = shop.host(host_key).digits()
        self.host_key = host_key

    @property
    def drawn(self) -> tuple[int, int]:
        return (
            self.admin.find_key(self.key.key_id.text).drawn,
            self.admin.find_key(self.host_key.key_id.text).hosts,
        )

    def refused(self, digits: str, channel: str = "desk") -> str:
        """The code with which an ID was refused; fails if it was not."""
        with pytest.raises(MusterError) as caught:
            self.service.activate(digits, channel)
        assert caught.value.what
        assert caught.value.fix
        return caught.value.code


@pytest.fixture
def target(shop: Shop) -> Target:
    return Target(shop)


@pytest.mark.parametrize("whose", ["machine", "host"])
def test_every_bit_turned_with_check_digits_made_anew(target: Target, whose: str) -> None:
    """A forger who can make groups, but does not hold the key."""
    groups = tuple(getattr(target, whose).split("-"))
    value, codes = decode_groups(groups), Counter[str]()
    for bit in range(196 if whose == "machine" else 244):
        forged = encode_groups(value ^ (1 << bit), len(groups))
        codes[target.refused("-".join(forged))] += 1
    assert target.drawn == (0, 0)
    assert set(codes) <= {
        "id/proof",
        "id/version",
        "id/shape",
        "key/kind",
        "publisher/unknown-key",
        "publisher/not-machine-key",
    }
    assert codes["id/proof"] > 140


@pytest.mark.parametrize("whose", ["machine", "host"])
def test_every_digit_every_neighbour_and_every_group(target: Target, whose: str) -> None:
    right = getattr(target, whose)
    plain = right.replace("-", "")
    wrong = {one for one in slips(right) if one.replace("-", "") != plain}
    for digits in wrong:
        target.refused(digits)
    assert target.drawn == (0, 0)
    # The one right ID draws, through any separators, and once.
    target.service.activate(right, "desk")
    target.service.activate(right.replace("-", " "), "file")
    assert sum(target.drawn) == 1
    for digits in wrong:
        target.refused(digits)
    assert sum(target.drawn) == 1


def slips(right: str) -> Iterator[str]:
    """What people do to digits."""
    for place, digit in enumerate(right):
        if digit == "-":
            continue
        for other in "0123456789":
            yield right[:place] + other + right[place + 1 :]
        yield right[:place] + right[place + 1 :]
        yield right[:place] + digit + right[place:]
    plain = right.replace("-", "")
    for place in range(len(plain) - 1):
        yield plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
    groups = right.split("-")
    for place, group in enumerate(groups):
        rest = groups[:place] + groups[place + 1 :]
        yield "-".join(rest)
        yield "-".join([*groups[:place], group, *groups[place:]])
        for target in range(len(groups)):
            yield "-".join([*rest[:target], group, *rest[target:]])
            swapped = groups[:]
            swapped[place], swapped[target] = swapped[target], swapped[place]
            yield "-".join(swapped)


@examples(150, shared=True)
@given(text=st.text(alphabet="0123456789- \t\n٣３²aA", max_size=120))
def test_any_digits(target: Target, text: str) -> None:
    target.refused(text)
    assert target.drawn == (0, 0)


def test_bytes_of_a_request_file_are_turned(target: Target) -> None:
    """A file that came damaged, or was altered: refused, or the same machine asks."""
    publisher = target.admin.publisher.id
    whole = RequestFile(publisher, ConfirmRequest(target.machine)).encode()
    dice = random.Random(7)
    asked: set[str] = set()
    for place in range(len(whole)):
        for new in {whole[place] ^ (1 << dice.randrange(8)), dice.randrange(256), 0, 0x20, 0x30}:
            data = whole[:place] + bytes([new]) + whole[place + 1 :]
            for variant in (data, data[: place + 1], whole[:place] + bytes([new]) + whole[place:]):
                try:
                    found = read_request_file(variant)
                except MusterError as fault:
                    assert fault.code in ("wire/not-exchange", "wire/version")
                    continue
                if found.publisher != publisher:
                    continue  # the command says so: publisher/other-request
                asked.add(found.request.installation_id)
    for digits in asked - {target.machine}:
        try:
            target.service.activate(digits, "file")
        except MusterError as fault:
            assert fault.fix
    assert target.drawn in ((0, 0), (1, 0))
    bound = {one.binding for one in target.admin.machines()}
    assert bound <= {f"{0x1234567890ABCDEF:025x}"}


def test_bytes_of_http_requests_are_turned(target: Target) -> None:
    """Every answer is a refusal with a code, or the answer to the right machine."""
    body = ConfirmRequest(target.machine).encode()
    client, dice = HTTPClient(timeout=30), random.Random(8)
    statuses: Counter[int] = Counter()
    with ThreadServer(PublisherAPI(target.service).router()) as server:
        url = server.url + "/v1/activations"
        for turn in range(300):
            data = bytearray(body)
            for _ in range(1 + turn % 3):
                data[dice.randrange(len(data))] = dice.randrange(256)
            if bytes(data) == body:
                continue
            answer = client.request("POST", url, bytes(data), {"Content-Type": "application/json"})
            statuses[answer.status] += 1
            if answer.status != 200:
                assert answer.headers["content-type"].startswith("application/problem+json")
    assert set(statuses) <= {200, 400, 404, 409, 422, 429, 403}, statuses
    assert target.drawn[0] <= 1
    bound = {one.binding for one in target.admin.machines()}
    assert bound <= {f"{0x1234567890ABCDEF:025x}"}
