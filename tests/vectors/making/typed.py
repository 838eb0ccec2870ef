"""typed.json: digit groups, IDs and product keys as people type and paste them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from tests.vectors.making.signing import (
    ALPHABET,
    JSON,
    Key,
    check_digit_of,
    confirmation_groups,
    digit_groups,
    product_key,
)
from tests.vectors.making.worlds import CONTOSO

PASSED = (
    "9 A B C D 20 85 A0 1680 2000 2004 200A 2028 2029 202F 205F 3000 21 22 23 24 27 2A 2C 2D 2E"
    " 2F 3A 3B 3C 3E 3F 40 5B 5D 5E 5F 60 7B 7C 7E A6 AB AF B4 B7 BB 58A 5BE 60C 61B 66B 66C 6D4"
    " 1806 2010 2011 2012 2013 2014 2015 2018 201C 2022 2026 2027 2030 2039 203A 2043 205E 2212"
    " 2500 2502 257F 25A0 25CF 25FF 2E3A 2E3B 3001 3003 3008 301C 301F 30FB FE10 FE19 FE30 FE58"
    " FE63 FE6B FF01 FF0C FF0D FF0F FF1A FF20 FF3B FF40 FF5B FF65 FFFD AD 34F 61C 180B 180E 200B"
    " 200C 200D 200F 202A 202E 2060 2065 206F FE00 FE0F FEFF"
)
"""White space, ASCII marks, dashes and other marks, and what nobody sees."""
REFUSED = (
    "0 8 E 1B 1F 25 26 3D 5C 7F 80 84 86 9F A1 A8 AA B2 B3 B5 B9 BA BC BD BE D7 E9 131 17F 660"
    " 663 669 6F4 966 1D2 200 300 410 412 E50 115F 1680A 2070 2071 2074 20E3 212A 2160 2189 2460"
    " 2776 2800 3005 3007 3021 30FC 3164 4E00 FF10 FF13 FF19 FF21 FF22 FF2B FF41 FFFC 10107 1D7CE"
    " 1F101 E0030 E0041"
)
"""Among them digits and letters of other scripts, those that some library takes for A, K or S, and
characters next to the ranges that are passed over."""


class Typed:
    """Collects cases whose names are unique."""

    def __init__(self) -> None:
        self.cases: list[JSON] = []
        self._names: set[str] = set()

    def add(self, kind: str, name: str, text: str, result: str, **more: Any) -> None:
        """One case: `result` is "ok" or the error code; `more` has `group`, `expected`, `value`."""
        name = f"{kind}: {name}"
        if name in self._names:
            raise ValueError(f"{name} is there twice")
        self._names.add(name)
        case = {"name": name, "kind": kind, "text": text, **more, "result": result}
        self.cases.append(case)


def printed(groups: Sequence[str]) -> str:
    """In lettered rows of four."""
    return "\n".join(
        f"{'ABCDEFGHI'[at // 4]}  {' '.join(groups[at : at + 4])}"
        for at in range(0, len(groups), 4)
    )


def rows_of(groups: Sequence[str], out: Collection[int]) -> str:
    """As printed, but for the groups at some places; a row of which nothing is left has no line."""
    lines = []
    for at in range(0, len(groups), 4):
        kept = [one for place, one in enumerate(groups[at : at + 4], at) if place not in out]
        if kept:
            lines.append(f"{'ABCDEFGHI'[at // 4]}  {' '.join(kept)}")
    return "\n".join(lines)


def _chars(codes: str) -> list[str]:
    return [chr(int(code, 16)) for code in codes.split()]


WAYS: dict[str, Callable[[str], str]] = {
    "printed rows": str,
    "rows in small letters": str.lower,
    "rows with CR LF": lambda text: text.replace("\n", "\r\n"),
    "rows with CR": lambda text: text.replace("\n", "\r"),
    "rows with U+2028": lambda text: text.replace("\n", "\u2028"),
    "rows with U+0085": lambda text: text.replace("\n", "\x85"),
    "quoted rows": lambda text: "\n".join(f"> {line}" for line in text.split("\n")),
    "rows quoted twice": lambda text: "\n".join(f">> > {line}" for line in text.split("\n")),
    "a table": lambda text: "\n".join(f"| {' | '.join(x.split())} |" for x in text.split("\n")),
    "letters with colons": lambda text: text.replace("  ", ": "),
    "letters with a no-break space": lambda text: text.replace("  ", "\xa0"),
    "letters in lines of their own": lambda text: text.replace("  ", "\n"),
    "letters in brackets": lambda text: "\n".join(f"({x[0]}) {x[1:]}" for x in text.split("\n")),
    "a byte order mark before the letter": lambda text: f"\ufeff{text}",
    "a blank line between rows": lambda text: text.replace("\n", "\n \n"),
    "a letter behind everything": lambda text: f"{text}\n",
}


def _groups(c: Typed) -> None:
    fifteen = digit_groups(10**74 // 7, 15)
    long = digit_groups(10**164 // 7, 33)

    def ok(name: str, text: str, groups: Sequence[str]) -> None:
        c.add("groups", name, text, "ok", expected=[len(groups)], value="-".join(groups))

    def no(
        name: str, text: str, code: str, group: int | None = None, expected: Sequence[int] = (15,)
    ) -> None:
        more = {} if group is None else {"group": group}
        c.add("groups", name, text, code, expected=list(expected), **more)

    for groups in (fifteen, long):
        for way, change in WAYS.items():
            ok(f"{way}, {len(groups)} groups", change(printed(groups)), groups)
    ok("joined by dashes", "-".join(fifteen), fifteen)
    ok("without anything between", "".join(fifteen), fifteen)
    ok("a space behind each digit", " ".join("".join(fifteen)), fifteen)
    ok("all zeros but the check digits", "".join(digit_groups(0, 12)), digit_groups(0, 12))
    ok(
        "a letter only at the second row",
        "".join(fifteen[:4]) + "\nb " + "".join(fifteen[4:]),
        fifteen,
    )
    ok("4,000 characters", "-".join(fifteen).ljust(4000), fifteen)
    for character in _chars(PASSED):
        ok(f"U+{ord(character):04X} between", character.join(fifteen), fifteen)
        ok(
            f"U+{ord(character):04X} inside and around",
            f"{character}{fifteen[0][:2]}{character}{''.join(fifteen)[2:]}{character}",
            fifteen,
        )
        ok(
            f"U+{ord(character):04X} around a letter",
            f"{character}A{character}{''.join(fifteen)}",
            fifteen,
        )
    for character in _chars(REFUSED):
        text = "-".join((*fifteen[:9], fifteen[9][:4] + character + fifteen[9][5:], *fifteen[10:]))
        no(f"U+{ord(character):04X} for a digit", text, "digits/symbol", 10)
    # Letters.
    plain = "-".join(fifteen)
    for name, text, group in (
        ("a letter right before a digit", f"A{plain}", 1),
        ("the letter of another row", f"B {plain}", 1),
        ("a wrong letter of the second row", printed(fifteen).replace("B", "C"), 5),
        ("the letter of another row and no digit behind it", f"B read: {plain}", 1),
        (
            "a row left out before a group cut short",
            rows_of(fifteen, {4, 5, 6, 7}).replace(fifteen[8], f"{fifteen[8][:5]}x"),
            5,
        ),
        (
            "a row left out before a group that is wrong",
            rows_of(fifteen, {4, 5, 6, 7}).replace(fifteen[8], fifteen[9]),
            5,
        ),
        ("two letters", f"A A {plain}", 1),
        ("two letters that touch", f"AA {plain}", 1),
        ("a letter inside a line", printed(fifteen).replace("\n", " "), 5),
        ("a letter at the end of the text", f"{plain[:27]}\nB", 5),
        ("a letter beyond I", "".join(digit_groups(0, 33)) + "000000" * 3 + "\nJ 0", 37),
        ("a letter of another script", f"\u0410 {plain}", 1),
        ("a full-width letter", f"\uff21 {plain}", 1),
        ("a dotless i for I", printed(long).replace("I ", "\u0131 "), 33),
        ("words before", f"Confirmation ID: {plain}", 1),
        ("an escaped space", plain.replace("-", "%20", 1), 2),
        ("an escaped dash of HTML", plain.replace("-", "&#8211;", 1), 2),
        ("an escaped dash of JSON", plain.replace("-", "\\u2013", 1), 2),
        ("quoted-printable", plain.replace("-", "=E2=80=93", 1), 2),
    ):
        no(name, text, "digits/symbol", group, expected=(15, 33) if group > 16 else (15,))
    # Letters of rows that do not begin there.
    for name, text, group in (
        ("row A left out", rows_of(fifteen, {0, 1, 2, 3}), 1),
        ("a row behind the end", printed(fifteen) + "\nE 1", 16),
        ("a letter after two groups", f"{'-'.join(fifteen[:2])}\nA {'-'.join(fifteen[2:])}", 3),
        ("row B left out", rows_of(fifteen, {4, 5, 6, 7}), 5),
        ("row B twice", printed(fifteen).replace("\nC", f"\nb {' '.join(fifteen[4:8])}\nC"), 9),
        ("half of row B twice", printed(fifteen).replace("\nB", f"\nB {fifteen[4]}\nB"), 6),
    ):
        no(name, text, "digits/group", group)
    for place in range(12):
        text = rows_of(fifteen, {place})
        no(f"group {place + 1} left out of lettered rows", text, "digits/group", place + 1)
        no(
            f"group {place + 1} left out of lettered rows in a quoted mail",
            "\n".join(f"> {line.lower()}" for line in text.split("\n")),
            "digits/group",
            place + 1,
        )
    for out, group in (({0, 1}, 1), ({5, 6, 7}, 6), ({9, 11}, 10), ({2, 9}, 3), ({1, 2, 3, 4}, 2)):
        name = f"groups {', '.join(str(one + 1) for one in sorted(out))} left out of lettered rows"
        no(name, rows_of(fifteen, out), "digits/group", group)
    for row in range(3):
        place = row * 4 + 3
        text = printed(fifteen).replace(fifteen[place], fifteen[place][:4])
        no(f"two digits left out at the end of row {row + 1}", text, "digits/group", place + 1)
    # Groups that are not right.
    for place in (0, 1, 4, 9, 10, 14):
        one = fifteen[place]
        wrong = one[:5] + str((int(one[5]) + 1) % 10)
        at = next(i for i in range(5) if one[i] != one[i + 1])
        swapped = one[:at] + one[at + 1] + one[at] + one[at + 2 :]
        rest = fifteen[:place], fifteen[place + 1 :]
        no(
            f"a wrong check digit in group {place + 1}",
            "-".join((*rest[0], wrong, *rest[1])),
            "digits/group",
            place + 1,
        )
        no(
            f"neighbours swapped in group {place + 1}",
            "-".join((*rest[0], swapped, *rest[1])),
            "digits/group",
            place + 1,
        )
        for expected in ((15,), (12, 15), (15, 33)):
            name = f"group {place + 1} left out, {' or '.join(map(str, expected))} expected"
            text = "-".join((*rest[0], *rest[1]))
            if place == 14:
                no(name, text, "digits/length", expected=expected)
            else:
                no(name, text, "digits/group", place + 1, expected)
        name = f"group {place + 1} said twice"
        text = "-".join((*fifteen[: place + 1], *fifteen[place:]))
        if place == 14:
            no(name, text, "digits/length")
        else:
            no(name, text, "digits/group", place + 2)
    swapped_groups = (*fifteen[:3], fifteen[4], fifteen[3], *fifteen[5:])
    no("two groups swapped", "-".join(swapped_groups), "digits/group", 4)
    no("groups 3 and 4 left out", "-".join((*fifteen[:2], *fifteen[4:])), "digits/group", 3)
    no("groups 3 to 5 left out", "-".join((*fifteen[:2], *fifteen[5:])), "digits/group", 3)
    no("groups 3 to 6 left out", "-".join((*fifteen[:2], *fifteen[6:])), "digits/length")
    no(
        "groups 3 and 9 left out",
        "-".join((*fifteen[:2], *fifteen[3:8], *fifteen[9:])),
        "digits/group",
        3,
    )
    strange = f"12345{check_digit_of(5, '12345')}"
    no(
        "a strange group put in at 4",
        "-".join((*fifteen[:3], strange, *fifteen[3:])),
        "digits/group",
        4,
    )
    no(
        "a wrong group at 4 and the last left out",
        "-".join((*fifteen[:3], strange, *fifteen[4:14])),
        "digits/group",
        4,
    )
    stranger = f"12345{check_digit_of(9, '12345')}"
    no(
        "another wrong group at 4 and the last left out",
        "-".join((*fifteen[:3], stranger, *fifteen[4:14])),
        "digits/length",
    )
    # Numbers of digits.
    twelve = digit_groups(10**59 // 3, 12)
    for name, text in (
        ("nothing", ""),
        ("nothing but marks", " - > | \n"),
        ("one digit", "0"),
        ("one group", fifteen[0]),
        ("the last digit missing", plain[:-1]),
        ("one digit more", plain + "1"),
        ("a group more", f"{plain}-{fifteen[0]}"),
        ("twice", f"{plain} {plain}"),
        ("4,001 characters", plain.ljust(4001)),
        ("4,001 letters", "x" * 4001),
    ):
        no(name, text, "digits/length")
    no(
        "a whole one of twelve and zeros",
        f"{'-'.join(twelve)}-000000",
        "digits/length",
        expected=(12, 15),
    )
    no(
        "a whole one of twelve, and more that fits",
        "-".join((*twelve, twelve[-1])),
        "digits/length",
        expected=(12, 15),
    )
    no("thirteen of fifteen", "-".join(fifteen[:13]), "digits/length", expected=(12, 15))
    no("a digit left out of group 3", plain[:14] + plain[15:], "digits/length")


def _confirmations(c: Typed) -> None:
    def text(version: int = 0, high: int = 0, **changes: Any) -> list[str]:
        fields = {
            "index": 7,
            "day": 400,
            "term": 3,
            "signature": Key("somebody").sign(b"x"),
            **changes,
        }
        return confirmation_groups(**fields, version=version + high * 4)

    def ok(name: str, **changes: Any) -> None:
        fields = {
            "index": 7,
            "day": 400,
            "term": 3,
            "signature": Key("somebody").sign(b"x"),
            **changes,
        }
        signature = fields.pop("signature")
        value = {**fields, "signature": signature.hex()}
        c.add(
            "confirmation",
            name,
            "-".join(confirmation_groups(**fields, signature=signature)),
            "ok",
            value=value,
        )

    ok("an ordinary one")
    ok("zeros", index=0, day=0, term=0, signature=bytes(64))
    ok("the highest values", index=255, day=65_535, term=63, signature=b"\xff" * 63 + b"\x1f")
    ok("R that is no point passes here", signature=b"\xff" * 32 + bytes(32))
    order = 2**252 + 27742317777372353535851937790883648493
    ok(
        "S not below the group order passes here",
        signature=bytes(32) + order.to_bytes(32, "little"),
    )
    for version in (1, 2, 3):
        c.add("confirmation", f"version {version}", "-".join(text(version)), "id/version")
    for high in (1, 64):
        c.add("confirmation", f"{high} times 2^541", "-".join(text(high=high)), "id/range")
    largest = digit_groups(10**165 - 1, 33)
    c.add("confirmation", "the largest number", "-".join(largest), "id/range")
    c.add("confirmation", "2^541 and version 3", "-".join(text(3, 1)), "id/range")
    good = text()
    c.add("confirmation", "an installation ID", "-".join(digit_groups(7, 12)), "digits/length")
    c.add(
        "confirmation",
        "as rows in a mail",
        "\n".join(f"> {x}" for x in printed(good).split("\n")),
        "ok",
        value={"index": 7, "day": 400, "term": 3, "signature": Key("somebody").sign(b"x").hex()},
    )
    for place in (0, 9, 31):
        left = "\u2013".join((*good[:place], *good[place + 1 :]))
        c.add("confirmation", f"group {place + 1} left out", left, "digits/group", group=place + 1)


def _installations(c: Typed) -> None:
    def number(version: int, key: tuple[int, int, int], hw: bool, **more: int) -> int:
        kind, group, serial = key
        fields = [(version, 3), (more.get("residue", 1), 8), (kind, 3), (group, 10), (serial, 24)]
        fields += [(more.get("binding", 0x123456789ABCDEF0123456789), 100)]
        fields += [(0xA1B2C3D4E5F6, 48)] if hw else []
        fields += [(more.get("proof", 0x0F1E2D3C4B5A), 48)]
        total = more.get("above", 0)
        for value, bits in fields:
            total = total << bits | value
        return total

    def add(
        name: str, result: str, version: int, key: tuple[int, int, int], hw: bool, **more: int
    ) -> None:
        text = "-".join(digit_groups(number(version, key, hw, **more), 15 if hw else 12))
        value = None
        if result == "ok":
            value = {
                "residue": more.get("residue", 1),
                "key_id": "-".join(map(str, key)),
                "binding": f"{more.get('binding', 0x123456789ABCDEF0123456789):025x}",
                "hw": "a1b2c3d4e5f6" if hw else None,
                "proof": more.get("proof", 0x0F1E2D3C4B5A),
            }
        c.add("installation", name, text, result, **({} if value is None else {"value": value}))

    add("of a machine with a MAK", "ok", 0, (1, 12, 345_678), False)
    add("of a host", "ok", 0, (0, 7, 1), True)
    add("of the last serial of product keys", "ok", 0, (1, 1023, 24**5 - 1), False)
    add("of a serial that no product key has", "ok", 0, (1, 1023, 24**5), False)
    add("of the last serial that fits", "ok", 0, (4, 1023, 2**24 - 1), False)
    add("of zeros", "ok", 0, (1, 0, 0), False, residue=0, binding=0, proof=0)
    add(
        "of the highest values",
        "ok",
        0,
        (3, 1023, 2**24 - 1),
        False,
        residue=255,
        binding=2**100 - 1,
        proof=2**48 - 1,
    )
    add("of a setup key", "ok", 0, (2, 1, 1), False)
    for version in (1, 7):
        add(f"version {version} of a machine", "id/version", version, (1, 1, 1), False)
        add(f"version {version} of a host", "id/version", version, (0, 1, 1), True)
    for kind in (5, 6, 7):
        add(f"kind {kind}", "key/kind", 0, (kind, 1, 1), False)
        add(f"kind {kind} in 15 groups", "key/kind", 0, (kind, 1, 1), True)
    add("a host key without a hardware id", "id/shape", 0, (0, 1, 1), False)
    add("a MAK with a hardware id", "id/shape", 0, (1, 1, 1), True)
    add("a number above 196 bits", "id/range", 0, (1, 1, 1), False, above=1)
    add("a number above 244 bits", "id/range", 0, (0, 1, 1), True, above=1)
    add("a later version and a reserved kind", "id/version", 1, (7, 1, 1), False)
    add("above its bits and a later version", "id/range", 1, (1, 1, 1), False, above=1)
    text = digit_groups(number(0, (0, 7, 1), True), 15)
    for place in (0, 8, 12, 13):
        left = " \u2014 ".join((*text[:place], *text[place + 1 :]))
        c.add(
            "installation",
            f"group {place + 1} of a host left out",
            left,
            "digits/group",
            group=place + 1,
        )
    c.add(
        "installation", "of a host, the last group left out", "-".join(text[:14]), "digits/length"
    )


def _keys(c: Typed) -> None:
    good = product_key(CONTOSO, 1, 12, 0x2B5A17C0FFEE42, 345_678)
    value = {"text": good, "key_id": "1-12-345678"}

    def ok(name: str, text: str) -> None:
        c.add("product-key", name, text, "ok", value=value)

    def no(name: str, text: str, code: str, group: int | None = None) -> None:
        c.add("product-key", name, text, code, **({} if group is None else {"group": group}))

    ok("as printed", good)
    ok("in small letters", good.lower())
    ok("without dashes", good.replace("-", ""))
    ok("1,000 characters", good.ljust(1000))
    for character in _chars(PASSED):
        ok(f"U+{ord(character):04X} for dashes", good.replace("-", character))
        ok(
            f"U+{ord(character):04X} inside and around",
            f"{character}{character.join(good)}{character}",
        )
    for character in _chars(REFUSED):
        text = good[:14] + character + good[15:]
        no(f"U+{ord(character):04X} for a symbol", text, "key/symbol", 3)
    for symbol in "AEILNOSUZ015ailsuz":
        no(f"{symbol} for a symbol", good[:-1] + symbol, "key/symbol", 5)
    no("a row letter", f"A {good}", "key/symbol", 1)
    no("an escaped dash", good.replace("-", "%E2%80%93", 1), "key/symbol", 2)
    no("nothing", "", "key/length")
    no("nothing but marks", " - > |", "key/length")
    no("24 symbols", good[:-1], "key/length")
    no("26 symbols", good + "B", "key/length")
    no("a group left out", good[6:], "key/length")
    no("twice", f"{good} {good}", "key/length")
    no("1,001 characters", good.ljust(1001), "key/length")
    no("1,001 letters", "A" * 1001, "key/length")
    place = next(i for i in range(4) if good[i] != good[i + 1])
    no(
        "neighbours swapped",
        good[:place] + good[place + 1] + good[place] + good[place + 2 :],
        "key/check",
    )
    other = ALPHABET[(ALPHABET.index(good[0]) + 1) % 24]
    no("another first symbol", other + good[1:], "key/check")
    no(
        "another check symbol",
        good[:-1] + ALPHABET[(ALPHABET.index(good[-1]) + 1) % 24],
        "key/check",
    )
    for version in (1, 2, 3):
        no(f"version {version}", product_key(CONTOSO, version * 8 + 1, 1, 7, 7), "key/version")
    for kind in (5, 6, 7):
        no(f"kind {kind}", product_key(CONTOSO, kind, 1, 7, 7), "key/kind")
    no("version 1 and kind 7", product_key(CONTOSO, 15, 1, 7, 7), "key/version")
    no("a head of 32 bits", product_key(CONTOSO, 1 << 5, 1, 7, 7), "key/range")
    no("a tag of 56 bits", product_key(CONTOSO, 1, 1, 1 << 55, 7), "key/range")
    no("a tag of 56 bits and version 1", product_key(CONTOSO, 9, 1, 1 << 55, 7), "key/range")
    last = product_key(CONTOSO, 4, 1023, (1 << 55) - 1, 24**5 - 1)
    c.add(
        "product-key",
        "the highest values",
        last,
        "ok",
        value={"text": last, "key_id": f"4-1023-{24**5 - 1}"},
    )
    first = product_key(CONTOSO, 0, 0, 0, 0)
    c.add("product-key", "the lowest values", first, "ok", value={"text": first, "key_id": "0-0-0"})


def typed() -> JSON:
    """The content of typed.json."""
    c = Typed()
    _groups(c)
    _confirmations(c)
    _installations(c)
    _keys(c)
    return {"cases": c.cases}
