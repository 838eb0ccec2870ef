"""Site files: which hosts a machine asks, as a host signed it.

Decides the shape of a site file, the claims of its parts, and whether a host that the publisher
granted wrote one. Refuses to know where files are and who may write them (`muster.client.sites`):
whose hosts a machine asks is no matter of signatures. Obeys docs/spec/15-site-files.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.products import DAY, day_start
from muster.core.text import instant_text
from muster.core.values import dataclass
from muster.lease import claims, grant, strict
from muster.lease import steps as checks
from muster.lease.catalogue import Catalogue, still_valid
from muster.lease.claims import Claims
from muster.lease.jws import SITE_TYP, PublicKey, SigningKey, check_header, parse, sign
from muster.lease.jws import check_header_form as check_form
from muster.lease.steps import EARLY, Case
from muster.lease.strict import JSONObject, JSONValue
from muster.lease.trust import Trust, walk_store

FILE = "muster-site"
MAX_PARTS = 16
MAX_HOSTS = 16
MAX_SUFFIXES = 32
MAX_AUTHORITIES = 16
MAX_CERTIFICATE = 4_096
"""Bytes of one certificate in DER."""
MAX_TRUST = 16
LONGEST = 3_650 * DAY
"""Seconds that a site file may count at most."""

_WHAT = "site"


@dataclass(frozen=True, slots=True)
class SiteHost:
    """A host to ask: a name in lower case or an IP address; `tls`: over TLS only."""

    host: str
    port: int
    priority: int = 0
    weight: int = 0
    tls: bool = False


@dataclass(frozen=True, slots=True)
class SiteClaims:
    """What a site says. `iat` and `exp` Unix seconds; `authorities` certificates in DER."""

    publisher: str
    iat: int
    exp: int
    hosts: tuple[SiteHost, ...]
    suffixes: tuple[str, ...] = ()
    authorities: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SitePart:
    """What a site file holds for one publisher; nothing of it is verified."""

    publisher: str
    site: str
    grant: str
    signer: PublicKey
    trust: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifiedSite:
    """A site that passed every step; only `verify_site` makes one. `signer`: the key's `kid`."""

    claims: SiteClaims
    grant_jti: str
    signer: str


def make_site(site: SiteClaims, key: SigningKey) -> str:
    """Sign a site with the host signing key; returns the compact JWS.

    Raises:
        MusterError `licence/claims`: a claim is not of its grammar; `licence/malformed`: it is
            larger than readers take.
    Source: docs/spec/15-site-files.md, section 15.3.
    """
    payload: JSONObject = {
        "aud": site.publisher,
        "exp": site.exp,
        "iat": site.iat,
        "iss": key.public.kid,
        "muster": {
            "v": 1,
            "hosts": [
                {
                    "host": host.host,
                    "port": host.port,
                    "priority": host.priority,
                    "weight": host.weight,
                    "tls": host.tls,
                }
                for host in site.hosts
            ],
            "suffixes": site.suffixes,
            "ca": [strict.b64url_encode(authority) for authority in site.authorities],
        },
    }
    text = sign(payload, SITE_TYP, key)
    read_claims(Claims(parse(text, strict.SITE, _WHAT).payload, _WHAT))
    return text


def encode_site_file(parts: Sequence[SitePart]) -> bytes:
    """The bytes of a site file, one line of JSON."""
    sites: list[JSONValue] = [
        {
            "publisher": part.publisher,
            "site": part.site,
            "grant": part.grant,
            "signer": part.signer.jwk,
            "trust": part.trust,
        }
        for part in parts
    ]
    return strict.canonical({"v": 1, "file": FILE, "sites": sites}) + b"\n"


def read_site_file(data: bytes) -> tuple[SitePart, ...]:
    """Read a site file; nothing in it is believed before it is verified.

    Raises:
        MusterError `licence/malformed`, `licence/version`; nothing else, for any bytes.
    Source: docs/spec/15-site-files.md, section 15.3.
    """
    reader = Claims(
        strict.read(data, strict.SITE_FILE, "site file"), "site file", "licence/malformed"
    )
    claims.version(reader, "site file")
    reader.choice("file", (FILE,))
    parts = tuple(_part(item) for item in reader.objects("sites", MAX_PARTS))
    if not parts or len({part.publisher for part in parts}) != len(parts):
        reader.refuse("sites", "empty, or a publisher appears twice")
    return parts


def _part(item: Claims) -> SitePart:
    return SitePart(
        publisher=item.text("publisher", grammar.PUBLISHER_ID),
        site=item.text("site", grammar.COMPACT_JWS),
        grant=item.text("grant", grammar.COMPACT_JWS),
        signer=PublicKey.from_jwk(item.object("signer").value, f"{item.where}.signer", item.code),
        trust=item.texts("trust", grammar.COMPACT_JWS, MAX_TRUST, distinct=False),
    )


def read_claims(payload: Claims) -> SiteClaims:
    """Read the claims of a site, each typed; whose they are is not judged.

    Raises:
        MusterError `licence/version`, `licence/claims`.
    Source: docs/spec/15-site-files.md, section 15.3.
    """
    muster = payload.object("muster")
    claims.version(muster, _WHAT)
    payload.text("iss", grammar.BASE64URL_32)
    hosts = tuple(_host(item) for item in muster.objects("hosts", MAX_HOSTS))
    if not hosts or len({(host.host, host.port) for host in hosts}) != len(hosts):
        muster.refuse("hosts", "empty, or a host appears twice")
    return SiteClaims(
        publisher=payload.text("aud", grammar.PUBLISHER_ID),
        iat=payload.integer("iat"),
        exp=payload.integer("exp"),
        hosts=hosts,
        suffixes=muster.texts("suffixes", grammar.SITE_SUFFIX, MAX_SUFFIXES),
        authorities=tuple(
            _certificate(muster, text)
            for text in muster.texts("ca", grammar.CERTIFICATE, MAX_AUTHORITIES)
        ),
    )


def _host(item: Claims) -> SiteHost:
    return SiteHost(
        host=item.text("host", grammar.SITE_HOST),
        port=item.integer("port", 1, 65_535),
        priority=item.integer("priority", 0, 65_535),
        weight=item.integer("weight", 0, 65_535),
        tls=item.flag("tls"),
    )


def _certificate(muster: Claims, text: str) -> bytes:
    try:
        return strict.b64url_decode(text, MAX_CERTIFICATE)
    except MusterError as fault:
        muster.refuse("ca", str(fault.params["detail"]))


# The steps (section 15.4).


@dataclass(frozen=True, slots=True)
class _Asked:
    """One part under verification, and the time and catalogue that it is judged by."""

    part: SitePart
    case: Case
    catalogue: Catalogue | None
    now: int


def _readable(asked: _Asked) -> None:
    """Step S1."""
    case, part = asked.case, asked.part
    case.signed = parse(part.site, strict.SITE, _WHAT)
    case.grant = parse(part.grant, strict.SMALL, "grant")
    case.signer = part.signer


def _headers(asked: _Asked) -> None:
    """Step S2."""
    check_header(asked.case.signed, SITE_TYP, _WHAT)
    check_form(asked.case.grant, "grant")


def _granted(asked: _Asked) -> None:
    """Step S3."""
    checks.host_grant(asked.case)


def _signed(asked: _Asked) -> None:
    """Step S4."""
    checks.signed_by_host(asked.case, _WHAT)


def _claims(asked: _Asked) -> None:
    """Step S5."""
    site = asked.case.of_signed(_WHAT)
    claims.version(site.object("muster"), _WHAT)
    claims.version(asked.case.of_grant().object("muster"), "grant")
    read_claims(site)
    grant.read_claims(asked.case.grant)


def _audience(asked: _Asked) -> None:
    """Step S6."""
    publisher = asked.case.of_signed(_WHAT).text("aud", grammar.PUBLISHER_ID)
    if publisher != asked.case.publisher:
        raise error("licence/audience", detail=f"it is for {publisher}, not {asked.case.publisher}")


def _dates(asked: _Asked) -> None:
    """Step S7."""
    site, granted = asked.case.of_signed(_WHAT), asked.case.of_grant()
    iat, exp = site.integer("iat"), site.integer("exp")
    if iat < granted.integer("iat") - EARLY:
        raise error("licence/dates", detail="it is older than the host's grant")
    if not iat < exp <= iat + LONGEST:
        raise error("licence/dates", detail="it ends before it begins, or after ten years")
    last = granted.optional_integer("exp")
    if last is not None and exp > last:
        raise error(
            "licence/dates", detail=f"it ends after the host's grant ({instant_text(last)})"
        )


def _standing(asked: _Asked) -> None:
    """Step S8."""
    catalogue, granted = asked.catalogue, asked.case.of_grant()
    if catalogue is not None and still_valid(catalogue, asked.case.trust):
        jti = granted.text("jti", grammar.BASE64URL_16)
        key = granted.object("muster").text("key", grammar.KEY_ID)
        day = catalogue.revoked(jti, key)
        if day is not None:
            raise error("licence/revoked", at=instant_text(day_start(day)))
    exp = asked.case.of_signed(_WHAT).integer("exp")
    if asked.now >= exp:
        raise error("licence/expired", expires=instant_text(exp), now=instant_text(asked.now))


SITE_STEPS: tuple[tuple[str, Callable[[_Asked], None], tuple[str, ...]], ...] = (
    ("S1", _readable, ("licence/malformed",)),
    ("S2", _headers, ("licence/header",)),
    ("S3", _granted, ("licence/grant",)),
    ("S4", _signed, ("licence/signer",)),
    ("S5", _claims, ("licence/version", "licence/claims")),
    ("S6", _audience, ("licence/audience",)),
    ("S7", _dates, ("licence/dates",)),
    ("S8", _standing, ("licence/revoked", "licence/expired")),
)
"""Steps of a site: number, check, and the errors that it may raise (section 15.4)."""


def verify_site(
    part: SitePart, trust: Trust, catalogue: Catalogue | None, now: int, *, without: str = ""
) -> VerifiedSite:
    """Verify the part of a site file that is the publisher's of `trust`.

    Args:
        part: as it was read.
        trust: walked from the caller's own descriptor; it is walked on over the part's own.
        catalogue: the newest verified one, or None.
        now: the later of the local clock and the clock mark, Unix seconds.
        without: the number of a step that is left out; only tests pass one.
    Raises:
        MusterError of the first step that fails; see `SITE_STEPS`. Nothing else, for any part.
    Source: docs/spec/15-site-files.md, section 15.4.
    """
    trust = walk_store(trust, part.trust)
    asked = _Asked(part, Case.of_anybody(b"", trust, trust.issuer), catalogue, now)
    for number, check, _ in SITE_STEPS:
        if number != without:
            check(asked)
    site = read_claims(asked.case.of_signed(_WHAT))
    return VerifiedSite(
        site, asked.case.of_grant().text("jti", grammar.BASE64URL_16), part.signer.kid
    )
