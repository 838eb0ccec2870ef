"""The composed publisher of an engineer: each question of `look` and each act of `act` as a method.

For those who hold one publisher open and do much with it. Decides nothing.
"""

from __future__ import annotations

from pathlib import Path

from muster.core.clock import Clock, Dice
from muster.publisher import look
from muster.publisher.act import catalogue as catalogue_acts
from muster.publisher.act import hosts as host_acts
from muster.publisher.act import keys as key_acts
from muster.publisher.act import pools as pool_acts
from muster.publisher.act import trust as trust_acts
from muster.publisher.office import Office
from muster.publisher.store import open_store
from muster.publisher.vault import Vault


class Admin(Office):
    """The questions and acts of an engineer on one publisher, as methods.

    Each is the function of that name, documented there.
    """

    def __enter__(self) -> Admin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    trust = look.trust
    trusts = look.trusts
    catalogue = look.catalogue
    product = look.product
    descriptor = look.descriptor
    export = look.export
    keys = look.keys
    find_key = look.find_key
    hosts = look.hosts
    machines = look.machines
    difference = look.difference
    audit = look.audit
    check_audit = look.check_audit
    export_audit = look.export_audit

    issue_host_keys = key_acts.issue_host_keys
    issue_pool_keys = key_acts.issue_pool_keys
    revoke_key = key_acts.revoke_key

    correct_pool = pool_acts.correct_pool
    extend_pool = pool_acts.extend_pool
    revoke_activation = pool_acts.revoke_activation

    revoke_host = host_acts.revoke_host
    release_host = host_acts.release_host
    issue_terms = host_acts.issue_terms

    publish = catalogue_acts.publish
    revoke_product = catalogue_acts.revoke_product

    rotate = trust_acts.rotate
    recover = trust_acts.recover


def open_admin(
    folder: Path, vault: Vault, clock: Clock, dice: Dice, actor: str, url: str = ""
) -> Admin:
    """Open the acts on the publisher in a store folder; `url` as `open_store` takes it.

    Raises: `publisher/none`, and the errors of opening its database.
    """
    store = open_store(folder, clock.now(), url=url)
    try:
        return Admin(folder, store, vault, clock, dice, actor)
    except BaseException:
        store.close()
        raise
