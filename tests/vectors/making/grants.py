"""grants.json: what G makes of its fields, and the confirmation ID that stands for it."""

from __future__ import annotations

from tests.vectors.making.cases import GRANT
from tests.vectors.making.signing import (
    JSON,
    Key,
    b64,
    confirmation_groups,
    grant_payload,
    header,
    host_binding,
    jcs,
)
from tests.vectors.making.worlds import (
    BINDING,
    CONTOSO,
    DESKTOP,
    ENTERPRISE,
    EVALUATION_KEY,
    FABRIKAM,
    FABRIKAM_GRANT,
    GRANT_0,
    GRANT_1,
    HARDWARE,
    HOST,
    HOST_KEY,
    MAK_KEY,
    OTHER_BINDING,
    RETAIL_KEY,
    SHORT,
    group,
)


def _case(
    name: str,
    kind: str,
    key_id: str,
    *,
    record: JSON = DESKTOP,
    publisher: str = CONTOSO,
    binding: str = BINDING,
    term: int = 0,
    day: int = 300,
    index: int = 0,
    key: Key = GRANT_0,
) -> JSON:
    hw = HARDWARE if kind == "host" else None
    payload = grant_payload(kind, publisher, key_id, binding, record, hw=hw, term=term, day=day)
    signed = f"{b64(jcs(header(GRANT, key.kid)).encode())}.{b64(jcs(payload).encode())}"
    signature = key.sign(signed.encode())
    return {
        "name": name,
        "kind": kind,
        "publisher": publisher,
        "key_id": key_id,
        "binding": binding,
        "hw": hw,
        "term": term,
        "day": day,
        "key_index": index,
        "key": key.jwk,
        "group": record,
        "signing_input": signed,
        "confirmation": confirmation_groups(index, day, term, signature),
        "grant": f"{signed}.{b64(signature)}",
    }


def grants() -> JSON:
    """The content of grants.json."""
    full = group(1023, "g" * 64, ["g" * 64, *(f"covered.group-{n:02}" for n in range(15))])
    return {
        "cases": [
            _case("mak", "mak", MAK_KEY),
            _case("mak, first day", "mak", MAK_KEY, day=0),
            _case(
                "mak, last day, longest term, last index",
                "mak",
                MAK_KEY,
                day=65_535,
                term=63,
                index=255,
                key=GRANT_1,
            ),
            _case("mak of serial 0", "mak", "1-7-0"),
            _case("mak of the last serial", "mak", "1-7-16777215"),
            _case("mak of the fullest group", "mak", "1-1023-1", record=full),
            _case("evaluation with a term", "evaluation", EVALUATION_KEY, term=6),
            _case("retail", "retail", RETAIL_KEY),
            _case("retail on other hardware", "retail", RETAIL_KEY, binding=OTHER_BINDING),
            _case("binding of zeros", "mak", MAK_KEY, binding="0" * 25),
            _case("host", "host", HOST_KEY, binding=host_binding(CONTOSO, HOST_KEY, HOST)),
            _case(
                "host with a term",
                "host",
                HOST_KEY,
                binding=host_binding(CONTOSO, HOST_KEY, HOST),
                term=12,
                day=321,
            ),
            _case(
                "host of a higher group",
                "host",
                "0-9-77",
                record=ENTERPRISE,
                binding=host_binding(CONTOSO, "0-9-77", HOST),
            ),
            _case(
                "host of a short group",
                "host",
                "0-11-5",
                record=SHORT,
                binding=host_binding(CONTOSO, "0-11-5", HOST),
            ),
            _case("another publisher", "mak", MAK_KEY, publisher=FABRIKAM, key=FABRIKAM_GRANT),
        ]
    }
