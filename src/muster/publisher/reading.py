"""What acts and questions read alike in one state of the store: its newest documents, a product of
them, a key by what was typed.
"""

from __future__ import annotations

from muster.core.catalogue import error
from muster.core.identity import prefix_of
from muster.core.ids import proof_key
from muster.core.keys import KeyId, ProductKey, parse_product_key
from muster.core.products import Product, day_start
from muster.core.text import instant_text
from muster.db.engine import Reader
from muster.lease.catalogue import Catalogue, read_catalogue
from muster.lease.trust import Trust, parse_trust
from muster.publisher import tables
from muster.publisher.model import Content, IssuedKey


def newest_trust(reader: Reader) -> Trust:
    """The newest trust."""
    return parse_trust(tables.documents.newest_trust(reader).text)


def newest_documents(reader: Reader) -> tuple[Trust, Catalogue]:
    """The newest trust, and the newest catalogue verified under it."""
    trust = newest_trust(reader)
    return trust, read_catalogue(tables.documents.newest_catalogue(reader).text, trust)


def content_of(catalogue: Catalogue) -> Content:
    """What a catalogue says beside its revocations."""
    return Content(
        groups=catalogue.groups,
        applications=catalogue.applications,
        products=catalogue.products,
        conversions=catalogue.conversions,
    )


def product_of(catalogue: Catalogue, product: str) -> Product:
    """A product by its id. Raises: `publisher/product`."""
    for item in catalogue.products:
        if item.id == product:
            return item
    raise error("publisher/product", product=product)


def refuse_revoked(issued: IssuedKey) -> None:
    """Refuse to change a key that nobody can use. Raises: `publisher/change-revoked`."""
    if issued.revoked is not None:
        since = instant_text(day_start(issued.revoked))[:10]
        raise error("publisher/change-revoked", key=issued.key_id.text, since=since)


def _is_shown(text: str) -> bool:
    """Whether a text is how a key is shown, or its last group."""
    *hidden, last = text.split("-")
    return len(hidden) <= 4 and set(hidden) <= {"XXXXX"} and len(last) == 5 and last.isalnum()


def find_key(reader: Reader, publisher: str, text: str) -> IssuedKey:
    """The issued key of a key id, or of a product key as typed.

    A typed key is recognised as the service would: its serial was issued, and its tag proves
    itself by the proof key that was kept.

    Args:
        publisher: id of the publisher whose store is read.
    Raises: `key/…` (not a key), `publisher/other-key`, `publisher/unknown-key`, `key/tag`,
        `publisher/masked-key` (as a key is shown, or its last group alone).
    """
    typed: ProductKey | None = None
    if _is_shown(text.strip()):
        raise error("publisher/masked-key", text=text.strip())
    if text.count("-") == 2:
        key_id = KeyId.parse(text.strip())
    else:
        typed = parse_product_key(text)
        if typed.prefix != prefix_of(publisher):
            raise error("publisher/other-key", masked=typed.masked)
        key_id = typed.key_id
    issued = tables.keys.key(reader, key_id)
    if issued is None:
        raise error("publisher/unknown-key", key=key_id.text)
    if typed is not None:
        proof = proof_key(publisher, key_id, typed.tag_bytes)
        if proof != issued.proof_key:
            raise error("key/tag", masked=typed.masked)
    return issued
