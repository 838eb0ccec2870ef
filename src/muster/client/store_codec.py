"""What a machine remembers as the JSON of its store, and back.

Decides the members of `state.json` and `secrets.json` and what of them may be missing: absent
members are absent, not null. Refuses to know files and generations (`muster.client.store`), and
believes nothing of what it reads (`muster.client.judge`). Obeys docs/client.md, "The store".
"""

from __future__ import annotations

from muster.client.discovery import Address
from muster.client.model import (
    MAX_ASIDES,
    MAX_DOUBTS,
    MAX_MARKS,
    MAX_NOTES,
    MAX_SALTS,
    Aside,
    BoundFact,
    CatalogueMark,
    Doubt,
    Failure,
    Identity,
    Memory,
    Note,
    ProductRecord,
)
from muster.client.requests import KEPT_HOSTS, KEPT_SEEDS, Requests, Secrets
from muster.core import grammar
from muster.core.audit import Event
from muster.core.errors import Kind, Retry
from muster.core.states import LicenceState
from muster.lease import strict
from muster.lease.claims import Claims

_MAX_PRODUCTS = 1024


def read_memory(
    publisher: str, value: Claims, trust: Claims | None, catalogue: Claims | None
) -> Memory:
    """The memory in the bodies of `state.json`, `trust.json` and `catalogue.json`.

    Args:
        publisher: whose folder it is.
        trust: None where there is no such file; `catalogue` alike.
    Raises: the code of the claims, where a member is missing or has another form.
    """
    mark = value.object("catalogue_mark") if value.has("catalogue_mark") else None
    records = value.objects("products", _MAX_PRODUCTS)
    return Memory(
        publisher=publisher,
        identity=_identity(value.object("identity")),
        products={record.product: record for record in map(_record, records)},
        trust=() if trust is None else tuple(_line(trust)),
        trust_marks=_trust_marks(value),
        catalogue="" if catalogue is None else _text(catalogue, "catalogue"),
        catalogue_mark=None
        if mark is None
        else CatalogueMark(
            mark.integer("version", 1),
            mark.text("kid", grammar.BASE64URL_32),
            mark.optional_integer("iat"),
        ),
        clock_mark=value.integer("clock_mark"),
        first_added={
            row.text("product", grammar.NAME): row.integer("at")
            for row in value.objects("first_added", _MAX_PRODUCTS)
        },
        salts=_salts(value),
        bound=_bound(value),
        requests=_requests(value),
        doubts=_doubts(value),
        history=tuple(_note(row) for row in value.objects("history", MAX_NOTES)),
    )


def read_secrets(value: Claims) -> Secrets:
    """The seeds in the body of `secrets.json`."""
    seeds = value.objects("seeds", KEPT_SEEDS) if value.has("seeds") else ()
    return Secrets({seed.text("cmid", grammar.UUID): bytes32(seed, "seed") for seed in seeds})


def secrets_to_dict(secrets: Secrets) -> strict.JSONObject:
    """The body of `secrets.json`."""
    encode = strict.b64url_encode
    seeds = [{"cmid": cmid, "seed": encode(seed)} for cmid, seed in secrets.seeds.items()]
    return {"seeds": seeds}


def state_to_dict(memory: Memory) -> strict.JSONObject:
    """The body of `state.json`; trust and catalogue are in files of their own."""
    value: dict[str, strict.JSONValue] = {
        "identity": _identity_to_dict(memory.identity),
        "products": [_record_to_dict(memory.products[name]) for name in sorted(memory.products)],
        "trust_marks": [
            {"anchor": name, "version": version}
            for name, version in list(memory.trust_marks.items())[-MAX_MARKS:]
        ],
        "clock_mark": memory.clock_mark,
        "first_added": [
            {"product": name, "at": at} for name, at in sorted(_first_added(memory).items())
        ],
        "history": [
            {
                "at": note.at,
                "event": note.event.value,
                "product": note.product,
                "detail": note.detail,
            }
            for note in memory.history
        ],
    }
    if memory.requests != Requests():
        value["requests"] = {
            "newest": "".join(memory.requests.newest),
            "first": memory.requests.first,
            "sent_at": memory.requests.sent_at,
            "hosts": [_request_host(memory.requests, *host) for host in memory.requests.hosts],
        }
    if memory.salts:
        value["salts"] = [
            {"key": key, "salt": strict.b64url_encode(salt)}
            for key, salt in list(memory.salts.items())[-MAX_SALTS:]
        ]
    if memory.doubts:
        value["doubts"] = [
            {
                "host": doubt.address.host,
                "port": doubt.address.port,
                "until": doubt.until,
                "times": doubt.times,
            }
            for doubt in memory.doubts[-MAX_DOUBTS:]
        ]
    if memory.bound:
        value["bound"] = [
            {"key": key, "fact": fact.name, "mark": fact.mark}
            for key, fact in list(memory.bound.items())[-MAX_SALTS:]
        ]
    if memory.catalogue_mark is not None:
        value["catalogue_mark"] = _mark_to_dict(memory.catalogue_mark)
    return value


def _mark_to_dict(mark: CatalogueMark) -> strict.JSONObject:
    iat = {} if mark.iat is None else {"iat": mark.iat}
    return {"version": mark.version, "kid": mark.kid, **iat}


def _first_added(memory: Memory) -> dict[str, int]:
    """As many as are read again: those of present products, then the latest."""
    rest = sorted(
        memory.first_added.items(), key=lambda pair: (pair[0] in memory.products, pair[1])
    )
    return dict(rest[-_MAX_PRODUCTS:])


def _identity_to_dict(identity: Identity) -> strict.JSONObject:
    return {
        "mode": identity.mode,
        "cmid": identity.cmid,
        "salt": strict.b64url_encode(identity.salt),
        "store_random": strict.b64url_encode(identity.store_random),
        "given": identity.given,
        "made_on": list(identity.made_on),
        "boot": identity.boot,
        "changed": identity.changed,
    }


def _identity(value: Claims) -> Identity:
    return Identity(
        mode=value.choice("mode", ("machine", "device", "node", "explicit")),
        cmid=value.text("cmid", grammar.UUID),
        salt=bytes32(value, "salt"),
        store_random=bytes32(value, "store_random"),
        given=_text(value, "given"),
        made_on=value.texts("made_on", grammar.COMMITMENT, 16),
        boot=_text(value, "boot"),
        changed=value.integer("changed"),
    )


def _record_to_dict(record: ProductRecord) -> strict.JSONObject:
    value: dict[str, strict.JSONValue] = {
        "product": record.product,
        "added": record.added,
        "key": record.key,
        "masked": record.masked,
        "state": int(record.state),
        "since": record.since,
        "licence": record.licence,
        "nonce": record.nonce,
        "last_ip": record.last_ip,
        "last_contact": record.last_contact,
        "last_attempt": record.last_attempt,
        "next_attempt": record.next_attempt,
        "scheduled": record.scheduled,
        "failures": record.failures,
        "aside": [
            {"host": aside.address.host, "port": aside.address.port, "until": aside.until}
            for aside in record.aside[-MAX_ASIDES:]
        ],
    }
    if record.last_good is not None:
        value["last_good"] = {"host": record.last_good.host, "port": record.last_good.port}
    if record.failure is not None:
        value["failure"] = _failure_to_dict(record.failure)
    if record.count is not None:
        value["count"] = record.count
    if record.need is not None:
        value["need"] = record.need
    return value


def _record(value: Claims) -> ProductRecord:
    return ProductRecord(
        product=value.text("product", grammar.NAME),
        added=value.integer("added"),
        key=_text(value, "key"),
        masked=_text(value, "masked"),
        state=LicenceState(value.integer("state", 0, 6)),
        since=value.integer("since"),
        licence=_text(value, "licence"),
        nonce=_text(value, "nonce"),
        last_good=_address(value.object("last_good")) if value.has("last_good") else None,
        last_ip=_text(value, "last_ip"),
        last_contact=value.integer("last_contact"),
        last_attempt=value.integer("last_attempt"),
        next_attempt=value.integer("next_attempt"),
        # Older stores kept only when the try was made.
        scheduled=value.integer("scheduled" if value.has("scheduled") else "last_attempt"),
        failures=value.integer("failures"),
        failure=_failure(value.object("failure")) if value.has("failure") else None,
        aside=tuple(
            Aside(_address(row), row.integer("until")) for row in value.objects("aside", MAX_ASIDES)
        ),
        count=value.optional_integer("count"),
        need=value.optional_integer("need"),
    )


def _trust_marks(value: Claims) -> dict[str, int]:
    """The marks by anchor; none in older stores, whose one mark was tied to no anchor."""
    if not value.has("trust_marks"):
        return {}
    return {
        row.text("anchor", grammar.SHA256_HEX): row.integer("version", 1)
        for row in value.objects("trust_marks", MAX_MARKS)
    }


def _requests(value: Claims) -> Requests:
    if not value.has("requests"):
        return Requests()
    claims = value.object("requests")
    sent_at = claims.integer("sent_at")
    if not claims.has("newest"):  # older stores kept nonces
        return Requests(sent_at=sent_at)
    newest = claims.text("newest", grammar.NONCE_LINE)
    hosts = claims.objects("hosts", KEPT_HOSTS)
    return Requests(
        tuple(newest[at : at + 8] for at in range(0, len(newest), 8)),
        claims.text("first", grammar.NONCE_PREFIX_OR_EMPTY),
        sent_at,
        tuple((_text(host, "host"), host.text("nonce", grammar.NONCE_PREFIX)) for host in hosts),
        tuple(
            (_text(host, "host"), host.text("challenge", grammar.BASE64URL_16))
            for host in hosts
            if host.given("challenge")
        ),
    )


def _request_host(requests: Requests, host: str, prefix: str) -> strict.JSONObject:
    challenge = requests.challenge_of(host)
    given = {"challenge": challenge} if challenge else {}
    return {"host": host, "nonce": prefix, **given}


def bytes32(value: Claims, name: str) -> bytes:
    """32 bytes, written as 43 characters of base64url."""
    return strict.b64url_decode(value.text(name, grammar.BASE64URL_32), 32)


def _salts(value: Claims) -> dict[str, bytes]:
    if not value.has("salts"):
        return {}
    return {
        row.text("key", grammar.KEY_ID): strict.b64url_decode(
            row.text("salt", grammar.BASE64URL_32), 32
        )
        for row in value.objects("salts", MAX_SALTS)
    }


def _doubts(value: Claims) -> tuple[Doubt, ...]:
    """The hosts in doubt; none in stores of programs that kept none."""
    if not value.has("doubts"):
        return ()
    return tuple(
        Doubt(_address(row), row.integer("until"), row.integer("times", 1))
        for row in value.objects("doubts", MAX_DOUBTS)
    )


def _bound(value: Claims) -> dict[str, BoundFact]:
    if not value.has("bound"):
        return {}
    return {
        row.text("key", grammar.KEY_ID): BoundFact(
            row.text("fact", grammar.FACT_NAME), row.text("mark", grammar.FACT_MARK)
        )
        for row in value.objects("bound", MAX_SALTS)
    }


def _note(value: Claims) -> Note:
    return Note(
        at=value.integer("at"),
        event=Event(value.choice("event", tuple(event.value for event in Event))),
        product=_text(value, "product"),
        detail=_text(value, "detail"),
    )


def _failure_to_dict(failure: Failure) -> strict.JSONObject:
    return {
        "code": failure.code,
        "field_code": failure.field_code,
        "kind": failure.kind.value,
        "retry": failure.retry.value,
        "what": failure.what,
        "why": failure.why,
        "fix": failure.fix,
        "at": failure.at,
    }


def _failure(value: Claims) -> Failure:
    return Failure(
        code=_text(value, "code"),
        field_code=_text(value, "field_code"),
        kind=Kind(value.integer("kind", 1, 3)),
        retry=Retry(value.choice("retry", tuple(retry.value for retry in Retry))),
        what=_text(value, "what"),
        why=_text(value, "why"),
        fix=_text(value, "fix"),
        at=value.integer("at"),
    )


def _address(value: Claims) -> Address:
    return Address(_text(value, "host"), value.integer("port", 1, 65535))


def _line(value: Claims) -> list[str]:
    texts = value.value.get("trust")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        value.refuse("trust", "not a list of texts")
    return texts


def _text(value: Claims, name: str) -> str:
    text = value.value.get(name)
    if not isinstance(text, str):
        value.refuse(name, "not a text")
    return text
