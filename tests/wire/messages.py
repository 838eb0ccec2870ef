"""Messages that several tests of this folder send, and all readers."""

from __future__ import annotations

from muster.core.identity import machine_cmid
from muster.lease.jws import MemorySigningKey
from muster.wire import activation, exchange, problem, publisher, release, status

CLIENT = activation.ClientInfo(version="0.1.0", os="Linux", virtual=None)
KEY = MemorySigningKey(bytes(range(32)))
REQUEST = activation.ActivationRequest(
    publisher="abcdefghijklmnop",
    product="contoso-desktop-7-professional",
    cmid=machine_cmid("abcdefghijklmnop", "machine", KEY.public.raw),
    key=KEY.public.raw,
    nonce="A" * 22,
    line=("A" * 8,),
    fingerprint=("d0011223344556677", "u8899aabbccddeeff"),
    identity="machine",
    state=2,
    sent_at=1_790_000_000,
    client=CLIENT,
).prove(KEY)
READERS = (
    activation.decode_request,
    release.decode_release,
    publisher.decode_confirm_request,
    exchange.read_request_file,
    exchange.read_reply_file,
    exchange.read_publisher_file,
    lambda body: activation.decode_answer(body, "peer"),
    lambda body: publisher.decode_confirm_answer(body, "peer"),
    lambda body: status.decode_publishers(body, "peer"),
    lambda body: status.decode_grants(body, "peer"),
    lambda body: problem.decode_problem(409, body, "peer"),
    publisher.decode_batch_request,
    lambda body: publisher.decode_batch_answer(body, "peer"),
    exchange.read_confirmation_file,
    exchange.read_reply,
)
