"""One call of slmgr, and the words that have no meaning here.

Decides what is refused and with which hint.
"""

from __future__ import annotations

from collections.abc import Mapping

from muster.cli import compose
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass

_ALL = "all"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the word, what follows it, and where."""

    word: str
    values: tuple[str, ...]
    product: str | None
    machine: compose.Machine

    def value(self, what: str) -> str:
        """The one value that the word needs."""
        if not self.values:
            raise error("client/slmgr-usage", detail=f"{self.word} needs {what}")
        return self.values[0]

    def key(self, what: str) -> str:
        """The product key that the word needs: a value, `-` for standard input, or a prompt."""
        from muster.cli.keys import read_key
        from muster.cli.output import interactive

        return read_key(self.value(what) if self.values or not interactive() else None)

    def chosen(self) -> str | None:
        """The product: from the option, or as an activation ID after the word; None for all."""
        given = self.values[0] if self.values else None
        if given is not None and given.lower() == _ALL:
            return None
        return self.product if given is None else given


_NO_TOKENS = "There are no activation tokens here: machines ask hosts, which need no login."
_NO_FOREST = "There is no directory activation: a host serves machines of every domain and of none."
_NO_FILES = "A product's licence terms are in its descriptor; there are no licence files."
REFUSED: Mapping[str, tuple[str, str]] = {
    "/rearm": (
        "No rearm is needed before an image is made, and this release does not offer one.",
        "For an image of many machines see 'Golden images' in docs/client.md.",
    ),
    "/rearm-app": (
        "Grace periods belong to single products, and this release does not restart them.",
        "For an image of many machines see 'Golden images' in docs/client.md.",
    ),
    "/rearm-sku": (
        "No rearm is needed before an image is made, and this release does not offer one.",
        "For an image of many machines see 'Golden images' in docs/client.md.",
    ),
    "/act-type": (
        "Hosts are the only kind of volume activation, so there is nothing to choose.",
        "The installed product key decides: 'muster slmgr /ipk KEY'.",
    ),
    "/ilc": (_NO_FILES, "Use 'muster client product add FILE' with the product's descriptor."),
    "/rilc": (_NO_FILES, "Use 'muster client product add FILE' with the product's descriptor."),
    "/sprt": ("The port belongs to a host.", "On the host: 'muster host set port PORT'."),
    "/sai": (
        "The activation interval belongs to a host, in seconds.",
        "On the host: 'muster host set retry_interval SECONDS'.",
    ),
    "/sri": (
        "The renewal interval belongs to a host, in seconds.",
        "On the host: 'muster host set renewal_interval SECONDS'.",
    ),
    "/sdns": (
        "DNS publishing belongs to a host.",
        "On the host: 'muster host set publish_dns true'.",
    ),
    "/cdns": (
        "DNS publishing belongs to a host.",
        "On the host: 'muster host set publish_dns false'.",
    ),
    "/spri": (
        "A host runs at the priority that its service manager gives it.",
        "Set Nice= in the unit of the host's service.",
    ),
    "/cpri": (
        "A host runs at the priority that its service manager gives it.",
        "Set Nice= in the unit of the host's service.",
    ),
    "/lil": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/ril": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/ltc": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/fta": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/stao": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/ctao": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/ad-activation-online": (_NO_FOREST, "Set up a host: 'muster host init'."),
    "/ad-activation-get-iid": (_NO_FOREST, "Set up a host: 'muster host init'."),
    "/ad-activation-apply-cid": (_NO_FOREST, "Set up a host: 'muster host init'."),
    "/ao-list": (_NO_FOREST, "Set up a host: 'muster host init'."),
    "/del-ao": (_NO_FOREST, "Set up a host: 'muster host init'."),
}
"""Words that have no meaning here: why, and what to do instead."""


def refused(word: str, why: str, fix: str) -> MusterError:
    """Why a word has no meaning here, and what to do instead."""
    return error("client/slmgr-word", word=word, why=why.rstrip("."), fix=fix.rstrip("."))


def unknown(word: str) -> MusterError:
    """A word that slmgr never had."""
    shown = ascii(word)[1:-1][:40]
    return error("client/slmgr-usage", detail=f"{shown} is not one of its options")
