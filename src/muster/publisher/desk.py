"""The telephone desk: an installation ID typed group by group, a confirmation ID read back. Pure.

Decides what is told of each group as it is typed, and how digits are cut for a voice. A wrong group
is said at once and never kept; what was right stays, so that entry goes on where it stopped.
Refuses to know terminals and pages: the command of the desk uses it, and so can a page.
Obeys docs/spec/01-identities.md, section 1.9.
"""

from __future__ import annotations

from collections.abc import Iterator

from muster.core.digits import (
    GROUP,
    ROW,
    check_group,
    label_of,
    row_of,
    rows,
    symbols,
    wrong_length,
    wrong_symbol,
)
from muster.core.errors import MusterError
from muster.core.ids import HOST_GROUPS, MACHINE_GROUPS, InstallationId, parse_installation_id
from muster.core.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Entry:
    """What was typed so far: `groups` that are right, and `part`, the digits of the one begun."""

    groups: tuple[str, ...] = ()
    part: str = ""

    @property
    def next_label(self) -> str:
        """Where the next group stands, such as "B2": row letter and number in the row."""
        return label_of(len(self.groups))

    @property
    def may_end(self) -> bool:
        """Whether this is a whole installation ID: 12 groups of a machine, or 15 of a host."""
        return not self.part and len(self.groups) in (MACHINE_GROUPS, HOST_GROUPS)

    @property
    def must_end(self) -> bool:
        """Whether no installation ID goes on from here."""
        return len(self.groups) >= HOST_GROUPS

    @property
    def rows(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What is there, in lettered rows, to be compared."""
        return tuple(rows(self.groups))

    def typed(self, text: str) -> tuple[Entry, MusterError | None]:
        """Take what was typed next: digits of one group, of several, or of part of one.

        Args:
            text: digits with whatever is passed over between them; the letter of a row in front
                of it, as rows are printed, is passed over too.
        Returns:
            The entry with every group up to the first wrong one, and the error that names that
            one; what followed it is dropped, because nobody knows where it stood. A character
            that is no digit drops the group in which it stands.
        """
        entry = self
        for symbol in symbols(text, len(self.groups) * GROUP + len(self.part)):
            entry, fault = entry._symbol(symbol)
            if fault is not None:
                return entry, fault
        return entry, None

    def _symbol(self, symbol: str) -> tuple[Entry, MusterError | None]:
        if not ("0" <= symbol <= "9"):
            return replace(self, part=""), wrong_symbol(symbol, "".join(self.groups) + self.part)
        if self.must_end:
            hint = f"All groups up to {label_of(HOST_GROUPS - 1)} are right; more follows."
            return self, wrong_length(f"more than {HOST_GROUPS * GROUP}", {HOST_GROUPS}, hint)
        part = self.part + symbol
        if len(part) < GROUP:
            return replace(self, part=part), None
        try:
            check_group(part, len(self.groups))
        except MusterError as fault:
            return replace(self, part=""), fault
        return Entry((*self.groups, part)), None

    def without_last(self) -> Entry:
        """The entry without the group that was begun, or else without the last whole one."""
        return replace(self, part="") if self.part else Entry(self.groups[:-1])

    def installation_id(self) -> InstallationId:
        """The installation ID. Raises: `digits/length`, `id/…`."""
        return parse_installation_id("".join(self.groups) + self.part)


@dataclass(frozen=True, slots=True)
class Reading:
    """A confirmation ID read back row by row; `index` is that of the row that is read next."""

    groups: tuple[str, ...]
    index: int = 0

    @classmethod
    def of(cls, confirmation: str) -> Reading:
        """Begin to read; `confirmation` has groups joined by dashes."""
        return cls(tuple(confirmation.split("-")))

    @property
    def count(self) -> int:
        """How many rows there are."""
        return -(-len(self.groups) // ROW)

    @property
    def ended(self) -> bool:
        """Whether every row was read."""
        return self.index >= self.count

    def row(self, index: int | None = None) -> tuple[str, tuple[str, ...]]:
        """Letter and groups of a row; of the next one by default."""
        chosen = self.index if index is None else index
        return row_of(chosen * ROW), self.groups[chosen * ROW : (chosen + 1) * ROW]

    def spoken(self) -> str:
        """The next row as a voice says it: "A: 12 34 56, 78 90 12, …"."""
        letter, groups = self.row()
        return f"{letter}: " + ", ".join(" ".join(_pairs(group)) for group in groups)

    def on(self) -> Reading:
        """After the row was repeated by the other side."""
        return replace(self, index=min(self.index + 1, self.count))

    def back(self) -> Reading:
        """To the row before."""
        return replace(self, index=max(self.index - 1, 0))

    def to(self, letter: str) -> Reading:
        """To the row of a letter; where there is none nothing changes."""
        for index in range(self.count):
            if row_of(index * ROW) == letter.upper():
                return replace(self, index=index)
        return self


def _pairs(group: str) -> Iterator[str]:
    for start in range(0, len(group), 2):
        yield group[start : start + 2]
