"""names.json: names for people, by the ranges of section 2.5.1, at the edges of each."""

from __future__ import annotations

from tests.vectors.making.signing import JSON

HIDDEN = (
    "0000-001F 007F-009F 00AD 034F 0600-0605 061C 06DD 070F 0890-0891 08E2 115F-1160 17B4-17B5"
    " 180B-180F 200B-200F 2028-202E 2060-206F 2800 3164 D800-F8FF FDD0-FDEF FE00-FE0F FEFF FFA0"
    " FFF0-FFFB FFFE-FFFF 110BD 110CD 13430-1343F 1BCA0-1BCA3 1D159 1D173-1D17A DFFFE-10FFFF "
) + " ".join(f"{plane:X}FFFE-{plane:X}FFFF" for plane in range(1, 13))
SPACES = "0020 00A0 1680 2000-200A 202F 205F 3000"


def _ranges(text: str) -> list[tuple[int, int]]:
    pairs = [part.partition("-") for part in text.split()]
    return [(int(low, 16), int(high or low, 16)) for low, _, high in pairs]


def _in(number: int, ranges: list[tuple[int, int]]) -> bool:
    return any(low <= number <= high for low, high in ranges)


def names() -> JSON:
    """The content of names.json."""
    hidden, spaces = _ranges(HIDDEN), _ranges(SPACES)
    edges = {
        edge
        for low, high in [*hidden, *spaces]
        for edge in (low - 1, low, (low + high) // 2, high, high + 1)
        if 0 <= edge <= 0x10FFFF and not 0xD800 <= edge <= 0xDFFF
    }
    edges |= {0xE0001, 0xE0020, 0xE0041, 0xE007F, 0xE0100, 0xE01EF, 0xE0FFF, 0xF0000, 0x10FFFD}
    cases: list[JSON] = []

    def add(name: str, text: str, good: bool) -> None:
        cases.append({"name": name, "text": text, "result": "ok" if good else "refused"})

    for edge in sorted(edges):
        seen = not _in(edge, hidden)
        add(f"U+{edge:04X} inside", f"a{chr(edge)}b", seen)
        add(f"U+{edge:04X} alone", chr(edge), seen and not _in(edge, spaces))
        add(f"U+{edge:04X} first", f"{chr(edge)}b", seen and not _in(edge, spaces))
        add(f"U+{edge:04X} last", f"a{chr(edge)}", seen and not _in(edge, spaces))
    add("empty", "", False)
    add("one letter", "a", True)
    add("200 letters", "a" * 200, True)
    add("201 letters", "a" * 201, False)
    add("200 code points beyond U+FFFF", "\U0001f701" * 200, True)
    add("201 code points beyond U+FFFF", "\U0001f701" * 201, False)
    add("spaces inside", "a" + " " * 198 + "b", True)
    add("nothing but spaces", " " * 3, False)
    add("a line end at the end", "Contoso\n", False)
    add("other scripts", "Ĉontoso Šoftware 株式会社 🜁 عربى ไทย", True)
    add("combining marks", "Cafe\u0301", True)
    add("quotes and marks", "\"&<>\\'%{}$`|", True)
    return {"cases": cases}
