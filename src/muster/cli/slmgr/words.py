"""One call of slmgr, and the words that have no meaning here.

Decides what is refused and with which hint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from muster.cli import compose
from muster.cli.output import emit
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


Word = tuple[str, str, Callable[[Call], None]]
"""What may follow a word, what the word does, who does it."""


def act_type(call: Call) -> None:
    """`/act-type`: hosts are the one type of volume activation, so there is nothing to set."""
    from muster.cli.slmgr.records import ActivationType

    given = call.values[0] if call.values else "0"
    if given not in _TYPES:
        raise error("client/slmgr-usage", detail="/act-type takes 0, 1, 2 or 3")
    if given in ("1", "3"):
        why, fix = (_NO_FOREST, _SET_UP) if given == "1" else (_NO_TOKENS, _ASK)
        raise refused(f"/act-type {given}", why, fix)
    text = "Volume activation type: KMS. The installed product key decides; nothing was changed."
    emit(ActivationType(int(given), changed=False), [text])


_TYPES = ("0", "1", "2", "3")
"""All, directory, KMS, token."""
_SET_UP = "Set up a host: 'muster host init'."
_ASK = "Use 'muster slmgr /ato'."
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
    "/ilc": (_NO_FILES, "Use 'muster client product add FILE' with the product's descriptor."),
    "/rilc": (_NO_FILES, "Use 'muster client product add FILE' with the product's descriptor."),
    "/spri": (
        "A host runs at the priority that its service manager gives it.",
        "Set Nice= in the unit of the host's service.",
    ),
    "/cpri": (
        "A host runs at the priority that its service manager gives it.",
        "Set Nice= in the unit of the host's service.",
    ),
    "/lil": (_NO_TOKENS, _ASK),
    "/ril": (_NO_TOKENS, _ASK),
    "/ltc": (_NO_TOKENS, _ASK),
    "/fta": (_NO_TOKENS, _ASK),
    "/stao": (_NO_TOKENS, _ASK),
    "/ctao": (_NO_TOKENS, _ASK),
    "/ad-activation-online": (_NO_FOREST, _SET_UP),
    "/ad-activation-get-iid": (_NO_FOREST, _SET_UP),
    "/ad-activation-apply-cid": (_NO_FOREST, _SET_UP),
    "/ao-list": (_NO_FOREST, _SET_UP),
    "/del-ao": (_NO_FOREST, _SET_UP),
}
"""Words that have no meaning here: why, and what to do instead."""


def refused(word: str, why: str, fix: str) -> MusterError:
    """Why a word has no meaning here, and what to do instead."""
    return error("client/slmgr-word", word=word, why=why.rstrip("."), fix=fix.rstrip("."))


def unknown(word: str) -> MusterError:
    """A word that slmgr never had."""
    shown = ascii(word)[1:-1][:40]
    return error("client/slmgr-usage", detail=f"{shown} is not one of its options")
