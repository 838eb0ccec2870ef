"""Audit events: what is written down for ever when somebody or something changes a thing.

Decides which events exist. Refuses to know who acted and when; the stores add actor, time and
detail in the same transaction as the change, so that no change goes without its line.

Grammar of a value: `area:noun:verb` in lower-case words. Values are never reused or reworded;
new ones are added. docs/audit.md is generated from this table.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from muster.core.values import dataclass, field


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `name` is the actor of a row, `detail` joins the detail of each."""

    name: str
    detail: Mapping[str, str] = field(default_factory=dict)


Who = Actor | str
"""Who acts: a person, or the name of a channel."""


class Event(enum.Enum):
    """Every audit event; `meaning` says what happened, for the page and the consoles."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Event:
        """Take the meaning apart from the value."""
        event = object.__new__(cls)
        event._value_ = value
        event.meaning = meaning
        return event

    PUBLISHER_INIT = "publisher:store:init", "The publisher's keys and store were created."
    PUBLISHER_BACKUP = (
        "publisher:store:backup",
        "A backup was written; the row covers what is in it.",
    )
    PUBLISHER_RESTORE = "publisher:store:restore", "The tables were filled from a backup."
    PUBLISHER_RESUME = "publisher:store:resume", "Draws go on after a restore."
    PRODUCT_ADD = "publisher:product:add", "A product, group or application was added."
    PRODUCT_CHANGE = "publisher:product:change", "A product was changed."
    CATALOGUE_SIGN = (
        "publisher:catalogue:sign",
        "A catalogue version was signed for changed products or dates.",
    )
    TRUST_SIGN = "publisher:trust:sign", "A trust version was signed: keys changed."
    CLOCK_CONFIRM = "publisher:clock:confirm", "Somebody said that the clock is right."
    GRANT_REDATE = (
        "publisher:grant:redate",
        "A grant that began in the future was signed again from today.",
    )
    REVOCATION_REDATE = (
        "publisher:revocation:redate",
        "A revocation that was dated in the future counts from today.",
    )
    KEY_ISSUE = "publisher:key:issue", "A product key was issued."
    KEY_REVOKE = "publisher:key:revoke", "A product key was revoked."
    KEY_LIMIT = "publisher:key:limit", "A host key got other limits of hosts and activations."
    PRODUCT_REVOKE = "publisher:product:revoke", "A product was revoked, by its setup key."
    HOST_ACTIVATE = "publisher:host:activate", "A host drew on its key and got a grant."
    HOST_RELEASE = "publisher:host:release", "A host's place on its key was freed."
    HOST_REVOKE = "publisher:host:revoke", "Grants of a host were revoked."
    HOST_TERMS = "publisher:host:terms", "Terms of a host's grant were signed."

    MACHINE_ACTIVATE = (
        "publisher:machine:activate",
        "A machine used an activation of a pool and got a grant.",
    )
    MACHINE_REVOKE = "publisher:machine:revoke", "The activation of a machine was revoked."
    POOL_CORRECT = "publisher:pool:correct", "Staff gave activations back to a pool."
    POOL_EXTEND = "publisher:pool:extend", "A pool got a new size."
    POOL_ALERT = "publisher:pool:alert", "A pool reached an alert level."

    HOST_INIT = "host:store:init", "A publisher was added to the host from its file."
    HOST_BACKUP = "host:store:backup", "A backup of the host was written."
    HOST_RESTORE = "host:store:restore", "A backup was put back, or merged; or the database was."
    HOST_KEY_INSTALL = "host:key:install", "A host key was installed."
    HOST_KEY_REMOVE = "host:key:remove", "A host key was removed."
    HOST_GRANT_ACCEPT = "host:grant:accept", "The host took a grant; it may lease now."
    HOST_GRANT_REFUSE = "host:grant:refuse", "A grant was asked for and did not come."
    HOST_CATALOGUE_ACCEPT = "host:catalogue:accept", "The host took a newer catalogue."
    HOST_TRUST_FOLLOW = "host:trust:follow", "The host updated trust to a newer version."
    HOST_TERMS_ACCEPT = "host:terms:accept", "The host took terms."
    HOST_PUBLISHER_REMOVE = "host:publisher:remove", "A publisher was removed from the host."
    HOST_MACHINE_REMOVE = "host:machine:remove", "An administrator removed a machine."
    HOST_CLONES_FIND = "host:clones:find", "Several machines were found to share a store."
    HOST_LEASE_RELEASE = "host:lease:release", "A machine gave its lease back."
    HOST_DNS_PUBLISH = "host:dns:publish", "The host's DNS records were published."
    HOST_DNS_WITHDRAW = "host:dns:withdraw", "The host's DNS records were withdrawn."
    HOST_SITE_SIGN = "host:site:sign", "A site file for machines was signed."
    HOST_SETTING_CHANGE = "host:setting:change", "A setting of the host was changed."
    HOST_CLOCK_MEND = "host:clock:mend", "Rows from the future were set to now."

    CLIENT_PRODUCT_ADD = "client:product:add", "A product was set up on the machine."
    CLIENT_PRODUCT_REMOVE = "client:product:remove", "A product was removed from the machine."
    CLIENT_KEY_INSTALL = "client:key:install", "A product key was installed."
    CLIENT_KEY_REMOVE = "client:key:remove", "A product key was uninstalled or hidden."
    CLIENT_LICENCE_ACCEPT = "client:licence:accept", "A licence was verified and stored."
    CLIENT_LICENCE_RELEASE = "client:licence:release", "A licence was given back."
    CLIENT_CMID_RENEW = "client:cmid:renew", "The machine took another CMID."
    CLIENT_CLOCK_MARK_RESET = "client:clock-mark:reset", "The clock mark was reset by hand."
    CLIENT_CLOCK_MARK_LOWER = (
        "client:clock-mark:lower",
        "A new lease showed that the clock mark was of a clock that was ahead.",
    )
    CLIENT_SETTING_CHANGE = "client:setting:change", "A setting of the client was changed."

    INVENTORY_READ = (
        "manager:inventory:read",
        "An inventory was read: machines were added or changed.",
    )
    MACHINES_TAG = "manager:machine:tag", "Machines got a tag."
    MACHINES_UNTAG = "manager:machine:untag", "A tag was taken from machines."
    MACHINES_REMOVE = "manager:machine:remove", "Machines were removed from the inventory."
    FILTER_SAVE = "manager:filter:save", "A filter was saved."
    FILTER_REMOVE = "manager:filter:remove", "A saved filter was removed."
