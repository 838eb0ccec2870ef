"""Publishes catalogues, and revokes products."""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.audit import Event, Who
from muster.core.catalogue import error
from muster.core.keys import Kind, parse_product_key
from muster.core.products import KeyGroup, Product
from muster.db.engine import Transaction
from muster.publisher import reading, rules, tables
from muster.publisher.act.keys import register
from muster.publisher.act.signing import Deed, issuer_of, read_ground, sign_next
from muster.publisher.conversions import with_withdrawn
from muster.publisher.issuer import NewKey
from muster.publisher.model import Change, Content
from muster.publisher.office import Office
from muster.publisher.results import CataloguePublished, Revoked


def publish(office: Office, content: Content) -> CataloguePublished:
    """Sign the next catalogue, with setup keys for the products that are new.

    Raises: `publisher/catalogue-file`, `publisher/catalogue-fixed`, and the errors of opening key
        files.
    """
    with office.alone() as now:
        rules.check_content(content)
        with office.view() as reader:
            before = reading.newest_documents(reader)[1]
            old = reading.content_of(before)
            rules.check_successor(old, content)
            changes = rules.diff(old, content)
            if not changes:
                return CataloguePublished(False, before.version)
            ground = read_ground(reader, now)
        known = {product.id: product.setup_key for product in before.products if product.setup_key}
        wanted = in_need_of_setup(content, known)
        keys: list[NewKey] = []
        if wanted:
            keys, again = _setup_keys(office, wanted, now)
            known |= again
            known |= {key.issued.product or "": key.key.text for key in keys}
        finished = with_withdrawn(old, rules.with_setup_keys(content, known), now)

        def act(tx: Transaction) -> Deed:
            register(tx, keys, now, office.actor)
            for change in changes:
                audit_change(tx, change, now, office.actor)
            return Deed(Event.CATALOGUE_SIGN, str(ground.catalogue.version + 1), {})

        version = sign_next(office, now, ground, act, finished)
    return CataloguePublished(True, version, changes)


def _setup_keys(
    office: Office, wanted: Sequence[tuple[Product, KeyGroup]], now: int
) -> tuple[list[NewKey], dict[str, str]]:
    """Setup keys of products that have none in the newest catalogue: new ones, and the texts
    of those that an earlier catalogue had."""
    issuer = issuer_of(office, now)
    with office.view() as reader:
        issued = {key.product: key.key_id for key in tables.keys.keys(reader, Kind.SETUP)}
        taken = {
            group.number: set(tables.keys.serials(reader, Kind.SETUP, group.number))
            for _, group in wanted
        }
    again = {
        product.id: issuer.again(issued[product.id]).text
        for product, _ in wanted
        if product.id in issued
    }
    new = [pair for pair in wanted if pair[0].id not in issued]
    return issuer.issue_setup(new, taken), again


def revoke_product(office: Office, product: str) -> Revoked:
    """Revoke a product in a new catalogue, by the key id of its setup key.

    Hosts that hold the catalogue refuse it; leases end within 30 days, activations at once.

    Raises: `publisher/product`, `publisher/no-setup-key`.
    Source: docs/spec/03-trust-and-catalogue.md, section 3.7.
    """
    with office.alone() as now:
        with office.view() as reader:
            before = reading.newest_documents(reader)[1]
            revoked = reading.product_of(before, product)
            if not revoked.setup_key:
                raise error("publisher/no-setup-key", product=revoked.id)
            setup = parse_product_key(revoked.setup_key).key_id.text
            if before.product_revoked(revoked) is not None:
                return Revoked(False, before.version, key=setup)
            ground = read_ground(reader, now)

        def act(tx: Transaction) -> Deed:
            tables.keys.revoke_key(tx, setup, rules.today(now))
            return Deed(Event.PRODUCT_REVOKE, revoked.id, {"key": setup})

        version = sign_next(office, now, ground, act)
    return Revoked(True, version, key=setup)


def audit_change(tx: Transaction, change: Change, now: int, actor: Who) -> None:
    """Say a change of the content in the audit table."""
    event = Event.PRODUCT_ADD if change.how == "added" else Event.PRODUCT_CHANGE
    detail = {"what": change.what, "how": change.how, "fields": list(change.fields)}
    tables.audit.write(tx, now, actor, event, change.id, detail)


def in_need_of_setup(content: Content, known: dict[str, str]) -> list[tuple[Product, KeyGroup]]:
    """Products that need a setup key and are not among `known`, with their groups."""
    groups = {group.id: group for group in content.groups}
    return [
        (product, groups[product.group])
        for product in content.products
        if rules.needs_setup_key(product) and product.id not in known
    ]
