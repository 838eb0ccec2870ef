"""The publishers, hosts, trust lines and catalogues in which the licences of the vectors live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.vectors.making.signing import (
    DAY,
    JSON,
    Key,
    grant_jti,
    host_binding,
    instant,
    jcs,
    product_key,
    publisher_id,
    sign,
    token,
    without_none,
)

TRUST, CATALOGUE = "muster-trust+jwt", "muster-catalogue+jwt"
START = instant(290)
"""When the publishers were founded: 2026-10-18."""
GRANT_DAY = 300
"""Day of the grants: 2026-10-28."""
LEASED = instant(320, 12 * 3600)
"""When leases were made: 2026-11-17, noon."""
NOW = instant(327, 12 * 3600)
"""When they are judged: a week later."""

WORKING, RESERVE = Key("contoso working root"), Key("contoso reserve root")
NEW_WORKING, NEW_RESERVE = Key("contoso second working root"), Key("contoso second reserve root")
GRANT_0, GRANT_1 = Key("contoso grant key 0"), Key("contoso grant key 1")
CATALOGUE_A, CATALOGUE_B = Key("contoso catalogue key a"), Key("contoso catalogue key b")
THIEF = Key("thief")
STRANGER = Key("stranger")
HOST, OTHER_HOST = Key("host of a customer"), Key("host of another customer")

CONTOSO = publisher_id(WORKING)
FABRIKAM_WORKING, FABRIKAM_RESERVE = Key("fabrikam working root"), Key("fabrikam reserve root")
FABRIKAM_GRANT = Key("fabrikam grant key 0")
FABRIKAM = publisher_id(FABRIKAM_WORKING)

HOST_KEY, MAK_KEY = "0-7-1234567", "1-7-7654321"
SETUP_KEY = "2-7-31415"
EVALUATION_KEY, RETAIL_KEY = "3-7-42", "4-7-0"
BINDING = "0123456789abcdef012345678"
OTHER_BINDING = "fedcba9876543210fedcba987"
HARDWARE = "a1b2c3d4e5f6"


def working_key(key: Key, role: str, index: int | None = None, until: int | None = None) -> JSON:
    """One record of a trust object's `keys`."""
    return without_none({"jwk": key.jwk, "role": role, "index": index, "until": until})


USUAL_KEYS = (working_key(CATALOGUE_A, "catalogue"), working_key(GRANT_0, "grant", 0))


def trust_payload(
    version: int,
    *,
    issuer: str = CONTOSO,
    label: str = "contoso",
    name: str = "Contoso",
    roots: Sequence[Key] = (WORKING, RESERVE),
    keys: Sequence[JSON] = USUAL_KEYS,
    muster: JSON | None = None,
    claims: JSON | None = None,
) -> JSON:
    """The payload of a trust object; `muster` and `claims` change or (None) drop members."""
    inner = {
        "v": 1,
        "version": version,
        "label": label,
        "name": name,
        "roots": [root.jwk for root in roots],
        "keys": list(keys),
    }
    outer: JSON = {
        "iss": issuer,
        "iat": START + version * DAY,
        "muster": without_none({**inner, **(muster or {})}),
    }
    return without_none({**outer, **(claims or {})})


def trust(version: int, signer: Key = WORKING, **changes: Any) -> str:
    """A signed trust object."""
    return sign(TRUST, trust_payload(version, **changes), signer)


def group(number: int, name: str, covers: Sequence[str], **changes: Any) -> JSON:
    """A key group record."""
    record: JSON = {
        "number": number,
        "id": name,
        "covers": sorted(covers),
        "max_lease": 180 * DAY,
        "terms": "none",
    }
    return {**record, **changes}


DESKTOP = group(7, "desktop-7", ["desktop-7"])
ENTERPRISE = group(9, "desktop-7-enterprise", ["desktop-7", "desktop-7-enterprise"])
OFFICE = group(20, "office-2010", ["office-2010"])
SHORT = group(11, "desktop-7-short", ["desktop-7", "desktop-7-short"], max_lease=30 * DAY)
GROUPS = (DESKTOP, ENTERPRISE, OFFICE, SHORT)


def product(publisher: str = CONTOSO, **changes: Any) -> JSON:
    """The product of the vectors: needs 25 machines."""
    record: JSON = {
        "id": "desktop-7.professional",
        "application": "desktop",
        "group": "desktop-7",
        "need": 25,
        "name": "Contoso Desktop 7 Professional",
        "edition": "Professional",
        "channel": "volume",
        "spans": {
            "lease": 180 * DAY,
            "renew_after": 7 * DAY,
            "retry_after": 7200,
            "initial_grace": 30 * DAY,
            "tolerance_grace": 30 * DAY,
        },
        "identity": ["machine", "device", "node"],
        "features": ["bitlock", "domain-join"],
        "setup_key": product_key(publisher, 2, 7, 0x2B5A17C0FFEE42, 31415),
    }
    return {**record, **changes}


def descriptor(anchor: str, record: JSON | None = None, groups: Sequence[JSON] = GROUPS) -> str:
    """A product descriptor: the groups that may license the product, and the pinned trust."""
    record = record or product()
    fitting = [item for item in groups if record["group"] in item["covers"]]
    return jcs({"v": 1, "trust": anchor, "product": record, "groups": fitting})


def catalogue_payload(
    version: int = 1,
    *,
    issuer: str = CONTOSO,
    iat: int = START + 10 * DAY,
    revocations: Sequence[JSON] = (),
    muster: JSON | None = None,
    claims: JSON | None = None,
) -> JSON:
    """The payload of a catalogue."""
    inner = {
        "v": 1,
        "version": version,
        "groups": list(GROUPS),
        "applications": [
            {"id": "desktop", "name": "Contoso Desktop and Server"},
            {"id": "office", "name": "Contoso Office"},
        ],
        "products": [
            product(issuer),
            product(
                issuer,
                id="office-2010.standard",
                application="office",
                group="office-2010",
                need=5,
                name="Contoso Office 2010",
                edition="",
                setup_key="",
            ),
        ],
        "conversions": [
            {
                "source": "desktop-7.professional",
                "target": "office-2010.standard",
                "rule": "refused",
                "way": "Install Contoso Office beside it.",
            }
        ],
        "revocations": list(revocations),
    }
    outer: JSON = {
        "iss": issuer,
        "iat": iat,
        "muster": without_none({**inner, **(muster or {})}),
    }
    return without_none({**outer, **(claims or {})})


def catalogue(version: int = 1, signer: Key = CATALOGUE_A, **changes: Any) -> str:
    """A signed catalogue."""
    return sign(CATALOGUE, catalogue_payload(version, **changes), signer)


@dataclass(frozen=True)
class World:
    """What a client knows: its descriptor, the trust line above it and a catalogue."""

    descriptor: str
    trust: tuple[str, ...] = ()
    catalogue: str | None = None

    def to_json(self) -> JSON:
        """As the vector file gives it."""
        return {
            "descriptor": self.descriptor,
            "trust": list(self.trust),
            "catalogue": self.catalogue,
        }


TRUST_1 = trust(1)
RETIRED_ON = 310
"""The last day of grant key 0 in the world "rotated"."""
ROTATED_KEYS = (
    working_key(CATALOGUE_A, "catalogue", until=RETIRED_ON),
    working_key(CATALOGUE_B, "catalogue"),
    working_key(GRANT_0, "grant", 0, until=RETIRED_ON),
    working_key(GRANT_1, "grant", 1),
)
TRUST_2 = trust(2, keys=ROTATED_KEYS)
WITHDRAWN_KEYS = (working_key(CATALOGUE_B, "catalogue"), working_key(GRANT_1, "grant", 1))
TRUST_3 = trust(3, keys=WITHDRAWN_KEYS)
NEW_ROOTS = (NEW_WORKING, NEW_RESERVE)
TRUST_NEW_ROOTS = trust(2, RESERVE, roots=NEW_ROOTS)
TRUST_AFTER_NEW_ROOTS = trust(3, NEW_WORKING, roots=NEW_ROOTS)

REVOKED_ON = 325
HOST_BINDING = host_binding(CONTOSO, HOST_KEY, HOST)
HOST_JTI = grant_jti(CONTOSO, HOST_KEY, HOST_BINDING)
MAK_JTI = grant_jti(CONTOSO, MAK_KEY, BINDING)


def _worlds() -> dict[str, World]:
    plain = descriptor(TRUST_1)

    def revoking(*entries: JSON) -> World:
        return World(plain, (), catalogue(2, iat=instant(326), revocations=entries))

    others = [{"jti": token(f"somebody else {n}"), "at": 300} for n in range(20)]
    explicit = product(identity=["machine", "device", "node", "explicit"])
    office = product(id="office-2010.standard", group="office-2010", need=5, application="office")
    fabrikam_trust = trust(
        1,
        FABRIKAM_WORKING,
        issuer=FABRIKAM,
        label="fabrikam",
        name="Fabrikam",
        roots=(FABRIKAM_WORKING, FABRIKAM_RESERVE),
        keys=[
            working_key(CATALOGUE_B, "catalogue"),
            working_key(FABRIKAM_GRANT, "grant", 0),
        ],
    )
    return {
        "contoso": World(plain, (), catalogue(1, revocations=others)),
        "no-catalogue": World(plain),
        "explicit": World(descriptor(TRUST_1, explicit)),
        "office": World(descriptor(TRUST_1, office)),
        "fabrikam": World(descriptor(fabrikam_trust, product(FABRIKAM))),
        "non-ascii": World(descriptor(trust(1, name='Ĉontoso Šoftware 株式会社 🜁 "&<>\\'))),
        "rotated": World(plain, (TRUST_2,), catalogue(3, CATALOGUE_B, iat=instant(315))),
        "retired-catalogue": World(plain, (TRUST_2,), catalogue(2, iat=instant(RETIRED_ON))),
        "withdrawn": World(plain, (TRUST_2, TRUST_3), catalogue(3, CATALOGUE_B, iat=instant(315))),
        "new-roots": World(plain, (TRUST_NEW_ROOTS, TRUST_AFTER_NEW_ROOTS)),
        "reserve-jumps": World(plain, (trust(40, RESERVE, keys=ROTATED_KEYS),)),
        "pinned-higher": World(descriptor(TRUST_2), (TRUST_3,)),
        "revoked-host": revoking(*others, {"jti": HOST_JTI, "at": REVOKED_ON}),
        "revoked-host-early": revoking({"jti": HOST_JTI, "at": 319}),
        "revoked-host-same-day": revoking({"jti": HOST_JTI, "at": 320}),
        "revoked-host-key": revoking({"key": HOST_KEY, "at": REVOKED_ON}),
        "revoked-host-twice": revoking(
            {"jti": HOST_JTI, "at": 326}, {"key": HOST_KEY, "at": 319}, {"jti": HOST_JTI, "at": 324}
        ),
        "revoked-mak": revoking(*others, {"jti": MAK_JTI, "at": REVOKED_ON}),
        "revoked-product": revoking({"key": SETUP_KEY, "at": REVOKED_ON}),
        "revoked-product-early": revoking({"key": SETUP_KEY, "at": 319}),
        "revoked-product-and-host": revoking(
            {"jti": HOST_JTI, "at": 326}, {"key": SETUP_KEY, "at": 319}
        ),
        "revoked-host-and-product": revoking(
            {"key": SETUP_KEY, "at": 326}, {"jti": HOST_JTI, "at": 319}
        ),
        "revoked-other-product": revoking({"key": "2-7-31416", "at": 319}),
        "revoked-product-without-setup-key": World(
            descriptor(TRUST_1, product(setup_key="")),
            (),
            catalogue(2, iat=instant(326), revocations=[{"key": SETUP_KEY, "at": 319}]),
        ),
        "revoked-mak-key": revoking({"key": MAK_KEY, "at": REVOKED_ON}),
    }


WORLDS = _worlds()
