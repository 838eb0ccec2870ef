"""confirmations.json: digits that become a grant, under the trust of a line (section 4.4)."""

from __future__ import annotations

from collections.abc import Sequence

from tests.vectors.making.cases import GRANT
from tests.vectors.making.points import L, OddKey, P, encoded
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
from tests.vectors.making.typed import printed
from tests.vectors.making.worlds import (
    BINDING,
    CONTOSO,
    DESKTOP,
    EVALUATION_KEY,
    GRANT_0,
    GRANT_1,
    HARDWARE,
    HOST,
    HOST_KEY,
    MAK_KEY,
    OTHER_BINDING,
    RETIRED_ON,
    STRANGER,
    TRUST_1,
    TRUST_2,
    TRUST_3,
    trust,
    working_key,
)

KINDS = ("host", "mak", "setup", "evaluation", "retail")


def confirmations() -> JSON:
    """The content of confirmations.json."""
    cases: list[JSON] = []

    def add(
        name: str,
        result: str = "ok",
        *,
        key_id: str = MAK_KEY,
        binding: str = BINDING,
        record: JSON = DESKTOP,
        index: int = 0,
        day: int = 300,
        term: int = 0,
        signer: Key = GRANT_0,
        listed: Key | None = None,
        line: Sequence[str] = (),
        start: str = TRUST_1,
        signature: bytes | None = None,
        rows: bool = False,
    ) -> None:
        kind = KINDS[int(key_id[0])]
        hw = HARDWARE if kind == "host" else None
        payload = grant_payload(kind, CONTOSO, key_id, binding, record, hw=hw, term=term, day=day)
        kid = (listed or signer).kid
        signed = f"{b64(jcs(header(GRANT, kid)).encode())}.{b64(jcs(payload).encode())}"
        if signature is None:
            signature = signer.sign(signed.encode())
        groups = confirmation_groups(index, day, term, signature)
        case: JSON = {
            "name": name,
            "anchor": start,
            "line": list(line),
            "key_id": key_id,
            "binding": binding,
            "hw": hw,
            "group": record,
            "text": printed(groups) if rows else "-".join(groups),
            "result": result,
        }
        if result == "ok":
            case["grant"] = f"{signed}.{b64(signature)}"
        cases.append(case)

    bound = host_binding(CONTOSO, HOST_KEY, HOST)
    add("of a MAK")
    add("as rows", rows=True)
    add("of a host with a term", key_id=HOST_KEY, binding=bound, term=12)
    add("of an evaluation", key_id=EVALUATION_KEY, term=6)
    add("of the highest values", index=1, day=65_535, term=63, signer=GRANT_1, line=[TRUST_2])
    add("of the last day of a retired key", day=RETIRED_ON, line=[TRUST_2])
    key = "confirmation/key"
    add("of the day after a key was retired", key, day=RETIRED_ON + 1, line=[TRUST_2])
    add("of a key that was withdrawn", key, line=[TRUST_2, TRUST_3])
    add("of an index that trust does not have", key, index=1, signer=GRANT_1)
    add("of the last index", key, index=255)
    add("key before signature", key, index=9, signature=bytes(64))
    wrong = "confirmation/signature"
    add("for another machine", wrong)
    cases[-1]["binding"] = OTHER_BINDING
    for name, other in (("for another key", "1-7-1"), ("for a key of another kind", "4-7-7654321")):
        add(name, wrong)
        cases[-1]["key_id"] = other
    add("for another host", wrong, key_id=HOST_KEY, binding=bound)
    cases[-1]["hw"] = "0" * 12
    add("under another record", wrong, key_id=HOST_KEY, binding=bound)
    cases[-1]["group"] = {**DESKTOP, "max_lease": 86_400}
    add("by a stranger", wrong, signer=STRANGER, listed=GRANT_0)
    add("by the key of another index", wrong, signer=GRANT_0, index=1, line=[TRUST_2])
    add("of an evaluation for ever", wrong, key_id=EVALUATION_KEY)
    for name, raw in {
        "of zeros": bytes(64),
        "of a neutral R": encoded(1, 0) + bytes(32),
        "of an R above the prime": encoded(P + 1, 0) + bytes(32),
        "of an R that is no point": b"\xff" * 32 + bytes(32),
        "of an S of the group order": bytes(32) + L.to_bytes(32, "little"),
        "of the highest S": encoded(4, 0) + (2**253 - 1).to_bytes(32, "little"),
    }.items():
        add(name, wrong, signature=raw)
    for way, result in (
        ("both", "ok"),
        ("cofactor", wrong),
        ("neutral R", wrong),
        ("R and more", wrong),
    ):
        odd = OddKey("confirmation", way, mixed=way in ("both", "cofactor"))
        add(
            f"of an odd key, {way}",
            result,
            signer=odd,
            start=trust(1, keys=[working_key(odd, "grant", 0)]),
        )
    return {"cases": cases}
