"""`muster verify FILE`: who, what, until when, by whose authority, and the numbered steps.

Reads a licence, an activation or a notice and runs the steps of docs/spec/05-verification.md from
a descriptor on, offline. What names the machine (steps 7, 11 and A6) is judged where the file is
this machine's own licence, and told as not judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.output import MusterCommand, emit, exit_code
from muster.cli.verified import (
    JudgedFile,
    ProvedFile,
    Said,
    first_error,
    judged_step,
    report_lines,
)
from muster.core import grammar
from muster.core.records import widened

if TYPE_CHECKING:
    from muster.client.model import Memory
    from muster.client.store import Loaded, Store
    from muster.core.identity import Fact
    from muster.lease.catalogue import Catalogue
    from muster.lease.descriptor import Descriptor
    from muster.lease.steps import Expected
    from muster.lease.strict import JSONObject
    from muster.lease.verify import StepResult

_MACHINE_STEPS = ("7", "11", "N7", "A6")
"""Steps that compare with the machine."""
_BUNDLE_LIMIT = 64 * 1024


@dataclass(frozen=True)
class _Judgement:
    """What to judge by, and the steps that cannot be judged here."""

    expected: Expected
    skip: tuple[str, ...]
    anchor: str


@click.command(cls=MusterCommand)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--descriptor",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The product's descriptor; by default the one that was added on this machine.",
)
@click.option(
    "--publisher",
    "publisher_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Publisher file with newer trust and a catalogue, verified from the descriptor.",
)
@click.option(
    "--now", "when", help="Verify as of this time: Unix seconds, or 2026-11-24T05:00:00Z."
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="MUSTER_STORE",
    help="Folder under which this machine's store is.",
)
@click.option(
    "--facts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="This machine's facts file, for the step that compares the hardware.",
)
def verify(
    file: Path,
    descriptor: Path | None,
    publisher_file: Path | None,
    when: str | None,
    store: Path | None,
    facts: Path | None,
) -> None:
    """Check a licence file offline, step by step."""
    from muster.lease.descriptor import read_descriptor
    from muster.lease.strict import DESCRIPTOR
    from muster.lease.verify import explain
    from muster.system.textfile import read_text

    now = compose.clock().now() if when is None else _instant(when)
    data = read_text(file, _BUNDLE_LIMIT)
    if descriptor is not None:
        anchor = read_descriptor(read_text(descriptor, DESCRIPTOR.bytes))
        judgement = _from_descriptor(data, anchor, str(descriptor), publisher_file, now)
    else:
        judgement = _from_store(data, store, facts, publisher_file, now)
    results = explain(data, judgement.expected, judgement.skip)
    report = _report(str(file), data, judgement, results)
    emit(report, report_lines(report, results))
    fault = first_error(results)
    if fault is not None:
        click.get_current_context().exit(exit_code(fault))


def _instant(text: str) -> int:
    from muster.core.text import parse_instant

    instant = parse_instant(text)
    if instant is None:
        raise click.UsageError("--now takes Unix seconds, or a time as in ISO 8601.")
    return instant


def _from_descriptor(
    data: bytes, anchor: Descriptor, name: str, publisher_file: Path | None, now: int
) -> _Judgement:
    """Judge from the pinned roots alone, and what was followed from them."""
    from muster.lease.catalogue import read_catalogue
    from muster.lease.steps import Expected
    from muster.lease.trust import walk_store

    trust, catalogue = anchor.trust, None
    if publisher_file is not None:
        from muster.system.textfile import read_text
        from muster.wire.exchange import FILE_LIMITS, read_publisher_file

        file = read_publisher_file(read_text(publisher_file, FILE_LIMITS.bytes))
        trust = walk_store(trust, (file.anchor, *file.trust))
        catalogue = read_catalogue(file.catalogue, trust)
    became = _converted(data, anchor, catalogue)
    expected = Expected(descriptor=became, trust=trust, now=now, catalogue=catalogue)
    return _Judgement(expected, _MACHINE_STEPS, name)


def _converted(data: bytes, anchor: Descriptor, catalogue: Catalogue | None) -> Descriptor:
    """The descriptor by which the file is judged: of an evaluation, that of what it became.

    Raises: UsageError where only a catalogue can say what that is, and there is none.
    """
    from muster.client.conversion import EVALUATION, as_named

    named, build = _product_named(data), anchor.product
    if named is None or build.channel != EVALUATION or named == (anchor.publisher, build.id):
        return anchor
    publisher, product = named
    if catalogue is None and publisher == anchor.publisher:
        raise click.UsageError(
            f"The licence is for {product}, and what the evaluation {build.id} may become is"
            " in the publisher's catalogue: name --publisher FILE."
        )
    return as_named(anchor, product, catalogue, _issued(data))


def _from_store(
    data: bytes,
    store: Path | None,
    facts_file: Path | None,
    publisher_file: Path | None,
    now: int,
) -> _Judgement:
    """Judge from the descriptor that was added here, with what this machine knows of itself."""
    from muster.client.authority import authority
    from muster.client.disk import SystemDisk
    from muster.client.store import Store
    from muster.core.errors import MusterError
    from muster.core.facts import clean_facts
    from muster.core.identity import commitments
    from muster.lease.descriptor import read_descriptor
    from muster.lease.steps import Expected
    from muster.system.facts import read_facts
    from muster.system.paths import store_root

    named = _audience(data)
    if named is None:
        raise click.UsageError("The file does not say its product: name --descriptor FILE.")
    publisher, product = named
    machine_store = Store(store_root(store), publisher, SystemDisk())
    try:
        product = _product_of(machine_store, product, data, now)
        anchor = read_descriptor(machine_store.anchor(product))
    except MusterError as fault:
        if fault.code not in ("file/missing", "client/not-added"):
            raise
        raise click.UsageError(
            f"The product {product} of the publisher {publisher} was not added on this machine:"
            " name --descriptor FILE."
        ) from None
    product = anchor.product.id
    name = f"product added on this machine ({product})"
    loaded = machine_store.load()
    memory = loaded.memory if loaded else None
    record = memory.product(product) if memory else None
    if memory is None or record is None or publisher_file is not None:
        return _from_descriptor(data, anchor, name, publisher_file, now)
    held = authority(anchor, memory, now)
    own = record.licence.encode("utf-8") == _canonical(data)
    facts = clean_facts(read_facts(facts_file)) if own else ()
    expected = Expected(
        descriptor=_converted(data, anchor, held.catalogue),
        trust=held.trust,
        now=now,
        catalogue=held.catalogue,
        cmid=memory.identity.cmid,
        identity=memory.identity.mode,
        nonce=record.nonce,
        fingerprint=commitments(memory.identity.salt, facts),
        binding=_binding(memory, data, facts) if own else "",
        clock_mark=held.clock_mark,
    )
    return _Judgement(expected, () if own else _MACHINE_STEPS, name)


def _product_of(store: Store, named: str, data: bytes, now: int) -> str:
    """The product here that a licence is for: a lease names it, or what it became, and an
    activation names a key group.

    Of the products here that it fits, the one that holds this very licence, else the one that it
    names, else the first.
    """
    from muster.client.judge import is_activation
    from muster.lease.descriptor import read_descriptor

    activation = is_activation(data.decode("utf-8", "replace"))
    loaded, own = store.load(), _canonical(data).decode("utf-8")
    fits = [named] if not activation and named in store.products() else []
    for product in store.products():
        anchor = read_descriptor(store.anchor(product))
        if (
            any(group.id == named for group in anchor.groups)
            if activation
            else loaded is not None and product != named and _became(anchor, loaded, data, now)
        ):
            record = None if loaded is None else loaded.memory.product(product)
            holds = record is not None and record.licence == own
            fits.insert(0 if holds else len(fits), product)
    return fits[0] if fits else named


def _became(anchor: Descriptor, loaded: Loaded, data: bytes, now: int) -> bool:
    """Whether a product here is an evaluation that may be the product that the object names."""
    from muster.client import conversion
    from muster.client.authority import authority

    if anchor.product.channel != conversion.EVALUATION:
        return False
    catalogue = authority(anchor, loaded.memory, now).catalogue
    named = (_product_named(data) or ("", ""))[1]
    return conversion.by_name(anchor.product, named, catalogue, _issued(data)).id == named


def _binding(memory: Memory, data: bytes, facts: Sequence[Fact]) -> str:
    """The binding of this machine for the key of an activation; "" for a lease."""
    from muster.client.bound import binding_like

    claims = _signed(data).get("muster")
    claims = claims if isinstance(claims, dict) else {}
    key = claims.get("key", "")
    salt = memory.salts.get(key) if isinstance(key, str) else None
    if salt is None:
        return ""
    wanted = claims.get("binding", "")
    own, _ = binding_like(memory, key, salt, facts, str(wanted))
    return own


def _canonical(data: bytes) -> bytes:
    """The licence bundle in the form in which stores keep it; b"" for what is none."""
    from muster.client.judge import is_activation
    from muster.core.errors import MusterError
    from muster.lease.bundle import read_activation_bundle, read_bundle

    try:
        if is_activation(data.decode("utf-8", "replace")):
            return read_activation_bundle(data).encode()
        return read_bundle(data).encode()
    except MusterError:
        return b""


def _signed(data: bytes) -> JSONObject:
    """The payload of the object, unproved; empty for what cannot be read."""
    from muster.core.errors import MusterError
    from muster.lease import strict
    from muster.lease.jws import parse

    try:
        value = strict.read(data, strict.BUNDLE)
        for member in ("lease", "notice", "grant"):
            if isinstance(value.get(member), str):
                return parse(value[member], strict.SMALL).payload
    except MusterError:
        pass
    return {}


def _audience(data: bytes) -> tuple[str, str] | None:
    """Publisher and product that a licence says it is for: only to find the descriptor."""

    value = _signed(data).get("aud")
    if not isinstance(value, str) or not grammar.AUDIENCE.fullmatch(value):
        return None
    publisher, _, product = value.partition("/")
    return publisher, product


def _product_named(data: bytes) -> tuple[str, str] | None:
    """Publisher and product that a lease or a notice says it is for; None for an activation."""
    from muster.client.judge import is_activation

    return None if is_activation(data.decode("utf-8", "replace")) else _audience(data)


def _issued(data: bytes) -> int | None:
    """When the object says that it was issued, unproved."""
    issued = _signed(data).get("iat")
    return issued if type(issued) is int else None


def _report(
    file: str, data: bytes, judgement: _Judgement, results: Sequence[StepResult]
) -> JudgedFile:
    """What the object says, as far as signatures prove it: nothing when an early step failed."""
    expected = judgement.expected
    trust = expected.trust
    judged = JudgedFile(
        file=file,
        good=first_error(results) is None,
        time=expected.now,
        anchor=judgement.anchor,
        publisher=trust.issuer,
        publisher_name=trust.name,
        trust=trust.version,
        roots=tuple(root.kid for root in trust.roots),
        catalogue=expected.catalogue.version if expected.catalogue else None,
        steps=tuple(map(judged_step, results)),
    )
    proved = [result for result in results if result.outcome in ("passed", "skipped")]
    if len(proved) < (4 if results[0].number.startswith("A") else 5):
        return judged
    return widened(ProvedFile, judged, **_said(data, expected, results[0].number))


def _said(data: bytes, expected: Expected, first_step: str) -> Said:
    """What a proved object says of itself."""
    from muster.lease import strict
    from muster.lease.grant import read_claims
    from muster.lease.jws import parse
    from muster.lease.steps import WIND_DOWN

    value = strict.read(data, strict.BUNDLE)
    grant = read_claims(parse(value["grant"], strict.SMALL))
    payload = _signed(data)
    expires = _integer(payload, "exp")
    revoked = _revoked(expected, grant.jti, grant.key)
    if revoked is not None and expires is not None and first_step == "1":
        expires = min(expires, revoked + WIND_DOWN)
    return {
        "kind": {"1": "lease", "N": "notice"}.get(first_step[0], grant.kind),
        "for_": str(payload.get("aud", "")),
        "machine": _text(payload, "sub"),
        "issued_at": _integer(payload, "iat"),
        "expires_at": expires,
        "revoked_at": revoked,
        "grant": grant.jti,
        "key": grant.key,
        "signer": _text(payload, "iss"),
    }


def _integer(payload: JSONObject, name: str) -> int | None:
    value = payload.get(name)
    return value if isinstance(value, int) else None


def _text(payload: JSONObject, name: str) -> str | None:
    value = payload.get(name)
    return value if isinstance(value, str) else None


def _revoked(expected: Expected, jti: str, key: str) -> int | None:
    """Since when the catalogue revokes the grant or the product, in Unix seconds."""
    from muster.core.products import day_start

    if expected.catalogue is None:
        return None
    named = expected.catalogue.revoked(jti, key)
    product = expected.catalogue.product_revoked(expected.descriptor.product)
    days = [day for day in (named, product) if day is not None]
    return day_start(min(days)) if days else None
