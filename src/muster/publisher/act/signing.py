"""Signs the next catalogue: revocations, releases and publications make one necessary at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.identity import prefix_of
from muster.core.products import Revocation
from muster.core.values import dataclass
from muster.db.engine import Reader, Transaction
from muster.lease.catalogue import Catalogue, CatalogueClaims, make_catalogue
from muster.lease.jws import PublicKey, SigningKey
from muster.lease.trust import Trust
from muster.publisher import reading, rules, tables
from muster.publisher.issuer import Issuer
from muster.publisher.model import Content, KeyFileRecord, SignedText
from muster.publisher.office import Office


@dataclass(frozen=True, slots=True)
class Ground:
    """What the next catalogue follows from: the newest documents, and the key that may sign it.

    `record` tells where the private half of the key is; `iat` is in Unix seconds.
    """

    trust: Trust
    catalogue: Catalogue
    signer: PublicKey
    record: KeyFileRecord | None
    iat: int


def read_ground(reader: Reader, now: int) -> Ground:
    """The ground at an instant (Unix seconds). Raises: `publisher/no-key`, `publisher/clock`."""
    trust, catalogue = reading.newest_documents(reader)
    signer = rules.catalogue_key(trust, rules.today(now)).key
    iat = rules.stamp(now, max(trust.iat, catalogue.iat))
    return Ground(trust, catalogue, signer, tables.documents.key_file(reader, signer.kid), iat)


@dataclass(frozen=True, slots=True)
class Deed:
    """What a wish says of itself in its one row of the audit table."""

    event: Event
    subject: str
    detail: Mapping[str, object]


def sign_next(
    office: Office,
    now: int,
    ground: Ground,
    act: Callable[[Transaction], Deed],
    content: Content | None = None,
) -> int:
    """Do `act` and sign the catalogue that follows from it, in one transaction.

    The row of what was done names the catalogue that tells it, and who signed that.

    Args:
        now: Unix seconds.
        ground: what was read before; where it is not the newest any more, nothing is done.
        act: changes the tables, and returns what is to be said of it; may not sign.
        content: of the next catalogue; that of the newest by default.
    Returns:
        The version of the new catalogue.
    Raises: `publisher/changed`, and the errors of opening the catalogue key.
    """
    trust, catalogue = ground.trust, ground.catalogue
    key = office.vault.signing_key(ground.record, ground.signer)
    with office.edit() as tx:
        if (
            tables.documents.newest_trust(tx).version != trust.version
            or tables.documents.newest_catalogue(tx).version != catalogue.version
        ):
            raise error("publisher/changed")
        deed = act(tx)
        signed = sign_catalogue(
            trust,
            catalogue.version + 1,
            ground.iat,
            reading.content_of(catalogue) if content is None else content,
            tables.documents.revocations(tx),
            key,
        )
        tables.documents.add_catalogue(tx, signed)
        detail = {**deed.detail, **signed_by(signed, key)}
        tables.audit.write(tx, now, office.actor, deed.event, deed.subject, detail)
    return signed.version


def signed_by(signed: SignedText, key: SigningKey) -> dict[str, object]:
    """What the row of a wish says of the catalogue that was signed for it."""
    return {"catalogue": signed.version, "catalogue_signer": key.public.kid}


def sign_catalogue(
    trust: Trust,
    version: int,
    iat: int,
    content: Content,
    revocations: Sequence[Revocation],
    key: SigningKey,
) -> SignedText:
    """Sign a catalogue; `iat` in Unix seconds."""
    text = make_catalogue(
        CatalogueClaims(
            version=version,
            iat=iat,
            groups=content.groups,
            applications=content.applications,
            products=content.products,
            conversions=content.conversions,
            revocations=revocations,
        ),
        trust,
        key,
    )
    return SignedText(version, iat, text)


def issuer_of(office: Office, now: int) -> Issuer:
    """Who makes product keys at an instant (Unix seconds); opens the tag key."""
    tag_key = office.vault.tag_key()
    return Issuer(prefix_of(office.publisher.id), office.publisher.id, tag_key, office.dice, now)


def kids(keys: Sequence[PublicKey]) -> list[str]:
    """The ids of keys."""
    return [key.kid for key in keys]
