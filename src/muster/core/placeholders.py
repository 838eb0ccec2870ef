"""Values that makers left in whole series of machines: told by their kind, not only by a list.

Decides whether a text can tell one machine from another. Refuses to know facts and their names.
The kinds: all symbols alike; digits counted up or down, also in groups or with separators; an
example (`ABC123`): a row of letters and a row of digits; the first numbers of a counter behind
zeros; texts that name the field or say that there is none, also before a number of these kinds;
bytes in a pattern; serial numbers of virtual disks. What is real but odd is kept: a Raspberry Pi's
eight zeros before its number, a UUID of zeros that ends in a card's address, a plant or a country
before any number, the last symbols of a serial number that happen to be a row, a service tag.

Sources of the values that the kinds were drawn from: osquery/osquery#8887 and #4374,
lf-edge/eve#6381, FOGProject/fogproject, glpi-project/glpi (Blacklist), FusionInventory,
fastfetch-cli/fastfetch, dylanaraps/neofetch, public dumps of lshw and dmidecode.
`tests/core/test_placeholders.py` holds the values, and real ones that must be kept.
"""

from __future__ import annotations

import re
from itertools import groupby, pairwise

from muster.core.patterns import pattern

_WORDS = frozenset(
    re.findall(
        r"[a-z]+",
        "tbf mfg manufacturing change changeme me replace recorded unprogrammed unused todo insert "
        "enter please information info prototype proto engineering es bios smbios uefi vmware "
        "virtualbox bochs kvm xen parallels innotek oracle microsoft qwerty qwertyuiop asdf asdfgh "
        "to be filled by oem odm out of spec default string system serial number num numb no "
        "nr sn ser base baseboard board mainboard motherboard mb main chassis product name "
        "version manufacturer model not specified applicable available defined define "
        "present settable set provided assigned unassigned programmed configured supported "
        "given found yet invalid inval none null na nil empty undefined uninitialized "
        "uninitialised unspecified unknown unknow unkown tbd tba asset tag type config "
        "configuration id identifier enclosure eval evaluation sample test testing demo "
        "dummy fake oems specific value field placeholder here your company corp inc "
        "computer computers pc tulip sku family location slot part fill in the is this "
        "reserved standard generic blank missing false true error fail failed bad bsn ssn "
        "csn sys series all square dimm module installed pcb pcbid qemu intel asus asrock "
        "gigabyte msi manufacture determined determine bad index ppid mp service see label "
        "customer array entry length kein keine keiner aucun non disponible desconocido "
        "eng engr engineer samples smpl es evt dvt pvt pre production preproduction preprod "
        "internaluseonly development mockup your seriennummer unbekannt inconnu "
        "desconhecido sconosciuto onbekend numero serie foo foobar lorem ipsum",
    )
)
"""Words of which filler texts are made, whatever is between them."""
_LONGEST_WORD = max(map(len, _WORDS))
_ALONE = frozenset({"board", "disk", "machine", "pc", "mb", "main", "model", "part", "slot"})
"""Words with which owners begin numbers of their own, such as `BOARD-1`."""
_KNOWN = frozenset(
    {
        "03142563",
        "31415926",
        "5ekpm18320000397",
        "77837084326590858269328677",
        "iatpass",
        "pcie2",
        "sn123456fvgv3i0b8o5n6n7k",
    }
)
_KNOWN_UUIDS = frozenset(
    {
        "6ab5b300-538d-1014-9fb5-b0684d007b53",
        "00000000-0000-1000-8000-00805f9b34fb",
        "01234567-8910-1112-1314-151617181920",
        "890e2d14-cacd-45d1-ae66-bc80e8bfeb0f",
        "8e275844-178f-44a8-aceb-a7d7e5178c63",
        "dc698397-fa54-4cf2-82c8-b1b5307a6a7f",
        "9e0a0b0c-0d0e-0f10-1112-131415161718",
    }
)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_ROWS_OF_KEYS = ("qwertyuiop", "qwertzuiop", "asdfghjkl")
_TAG = 7
"""Symbols of Dell's service tags, some of which are a row of letters and a row of digits."""
_SPELT = ("deadbeef", "cafebabe", "baadf00d", "feedface", "0badc0de", "deadc0de", "c0ffee")


def fills_text(text: str) -> bool:
    """Whether a serial number is filler: it names nothing, or is on a whole series.

    Args:
        text: printable ASCII.
    """
    small = text.lower()
    symbols = re.sub(r"[^a-z0-9]", "", small.removeprefix("0x"))
    if symbols in _KNOWN or _patterned(symbols) or (len(symbols) < 4 and symbols.isdigit()):
        return True
    a_tag = len(symbols) == _TAG and small == symbols and len(set(symbols)) > 2
    is_number = small.startswith("0x") or a_tag
    if _counted_groups(small) or (_template(symbols) and not is_number):
        return True
    letters, digits = _ending_in_digits(symbols)
    if digits and not letters:
        return _begins_to_count(digits)
    if digits:
        if letters in _ALONE and (len(digits) < 4 or not _patterned(digits)):
            return False
        if _spelt(letters):
            return len(digits) < 3 or _patterned(digits) or _begins_to_count(digits)
        if letters.isalpha():
            return _filled_behind(letters, digits)
    unnumbered = re.sub(r"[0-9]", "", symbols)
    if len(unnumbered) < len(symbols) and not (
        len(unnumbered) >= 8 and len(symbols) - len(unnumbered) <= 2
    ):
        return False
    return _spelt(unnumbered)


def _filled_behind(letters: str, digits: str) -> bool:
    """Whether digits behind letters that are no filler words are filler.

    One or two letters are a plant or a country, and counted digits behind them may be a number.
    """
    if len(letters) <= 2:
        return len(digits) >= 6 and (alike(digits) or _begins_to_count(digits))
    return len(digits) >= (9 if alike(digits) else 10) and _patterned(digits)


def _begins_to_count(digits: str) -> bool:
    """Whether digits are the first of a counter, 0001, or of a long one any below ten, 000007."""
    number = digits.lstrip("0")
    return number in ("", "1") or (len(number) == 1 and len(digits) >= 6)


def _template(symbols: str) -> bool:
    """Whether a text is rows as people type them for an example: ABC123, 1234abcd, XYZ-789-AAA."""
    parts = re.findall(r"[a-z]+|[0-9]+", symbols)
    letters = [part for part in parts if part.isalpha()]
    digits = [part for part in parts if part.isdigit()]
    if not letters or not digits:
        return False
    if letters == ["ab"]:
        return len(digits) == 1 and len(digits[0]) >= 5 and _first_row(digits[0])
    whole = "".join(letters)
    if not _row_of_letters(whole) and not all(map(_row_of_letters, letters)):
        return False
    if len(whole) >= 4 and len(digits) == 1 and digits[0] in ("12", "01"):
        return True
    return all(
        len(digit) >= 3 and (_counted(digit) or _first_row(digit) or _begins_to_count(digit))
        for digit in digits
    )


def _row_of_letters(part: str) -> bool:
    """Whether letters are the first or last of the alphabet, a row of keys, or one alone."""
    return len(part) >= 3 and (
        alike(part)
        or _ALPHABET.startswith(part)
        or _ALPHABET.endswith(part)
        or any(row.startswith(part) for row in _ROWS_OF_KEYS)
    )


def _first_row(digits: str) -> bool:
    """Whether digits are 1234… or 0123…, over and over."""
    return ("1234567890" * 3).startswith(digits) or ("0123456789" * 3).startswith(digits)


def _counted_groups(text: str) -> bool:
    """Whether a text is groups of digits of which each is counted by itself: 123-1234-123."""
    groups = re.findall(r"[a-z0-9]+", text)
    return (
        len(groups) > 1
        and sum(map(len, groups)) >= 8
        and max(map(len, groups)) > 2
        and all(group.isdigit() and len(group) > 1 and _counted(group) for group in groups)
        and all(abs(int(group[1]) - int(group[0])) in (0, 1, 9) for group in groups)
    )


def _spelt(letters: str) -> bool:
    """Whether a text without spaces is made of filler words and crosses only."""
    text = re.sub(r"x{2,}", "", letters)
    ends = {0}
    for index in range(len(text)):
        if index in ends:
            ends |= {
                end
                for end in range(index + 1, min(len(text), index + _LONGEST_WORD) + 1)
                if text[index:end] in _WORDS
            }
    return len(text) in ends


def _ending_in_digits(symbols: str) -> tuple[str, str]:
    match = re.fullmatch(r"(.*?)([0-9]*)", symbols)
    return (symbols, "") if match is None else (match.group(1), match.group(2))


def alike(symbols: str) -> bool:
    """Whether a text is one symbol, however often, or none."""
    return len(set(symbols)) <= 1


def _patterned(symbols: str) -> bool:
    """Whether symbols are none, alike, counted up or down, or a short piece over and over."""
    if alike(symbols):
        return True
    if len(symbols) >= 8 and any(_period(symbols, piece) for piece in (2, 3, 4, 5)):
        return True
    if len(symbols) < 4:
        return len(symbols) == 3 and _step(*symbols[:2]) is not None and _counted(symbols)
    if _doubled(symbols) or _interleaved(symbols):
        return True
    number = symbols.lstrip("0")
    if len(symbols) - len(number) >= 2 and len(number) >= 4 and number.isdigit():
        return _patterned(number)
    before, runs = _runs(symbols)
    if not runs or (len(runs) > 1 and sum(runs) < 4 * len(runs)):
        return False
    if before and not symbols.isdigit() and symbols[before:].isdigit():
        return False  # letters and a number: judged as such
    if not symbols.isdigit() and max(runs) < 10 and min(runs) < (4 if len(runs) == 1 else 6):
        return False
    odd = len(symbols) - sum(runs)
    return odd <= (len(symbols) > 7) or (odd == 2 and max(runs) >= 8 and not before)


def _counted(symbols: str) -> bool:
    """Whether every symbol follows the one before by the same step."""
    steps = {_step(x, y) for x, y in pairwise(symbols)}
    if symbols.isdigit():
        steps = {(int(y) - int(x)) % 10 for x, y in pairwise(symbols)}
    return len(steps) == 1 and None not in steps


def _doubled(symbols: str) -> bool:
    """Whether each symbol appears twice or more, and they are counted: 1122334455, aaaabbbbcccc."""
    groups = [len(list(group)) for _, group in groupby(symbols)]
    return (
        len(groups) > 2
        and min(groups) > 1
        and len(set(groups)) == 1
        and _counted(symbols[:: groups[0]])
    )


def _interleaved(symbols: str) -> bool:
    """Whether it is counted by a step, or two counted rows in turn: 13579, 010203, a1b2c3d4."""
    if len(symbols) >= 5 and _counted(symbols):
        return True
    least = 6 if symbols.startswith(("a1", "1a")) else 8
    return len(symbols) >= least and _counted(symbols[::2]) and _counted(symbols[1::2])


def _period(symbols: str, piece: int) -> bool:
    return len(symbols) >= 2 * piece and symbols[piece:] == symbols[:-piece]


def _runs(symbols: str) -> tuple[int, list[int]]:
    """How many symbols stand before the first run, and the lengths of all runs.

    A run is three symbols and more that count up, count down, or stay. It goes on from digits to
    letters, or back, only behind four of its symbols: 6789ABCD, but not 90ABCDE.
    """
    lengths: list[int] = []
    before = index = 0
    while index < len(symbols) - 1:
        end = index
        step = _step(symbols[index], symbols[end + 1])
        while step is not None and end + 1 < len(symbols):
            other_kind = symbols[end].isdigit() != symbols[end + 1].isdigit()
            if _step(symbols[end], symbols[end + 1]) != step or (other_kind and end - index < 3):
                break
            end += 1
        if end - index >= 2:
            before = before if lengths else index
            lengths.append(end - index + 1)
            index = end + 1
        else:
            index += 1
    return before, lengths


def _step(symbol: str, other: str) -> int | None:
    """+1, -1 or 0 where the second symbol follows, precedes or repeats the first."""
    if symbol == other:
        return 0
    if symbol.isdigit() and other.isdigit():
        return {1: 1, 9: -1}.get((int(other) - int(symbol)) % 10)
    difference = ord(other) - ord(symbol)
    if (symbol, other) in (("9", "a"), ("0", "a")):
        return 1
    if (symbol, other) == ("a", "9"):
        return -1
    return difference if symbol.isalpha() and other.isalpha() and abs(difference) == 1 else None


def fills_bytes(raw: bytes) -> bool:
    """Whether bytes are a pattern: two values only, counted, or each of two equal digits."""
    digits = raw.hex()
    steps = [(y - x) % 256 for x, y in pairwise(raw)]
    turns = [_step(x, y) for x, y in pairwise(digits)]
    return (
        len(set(raw)) <= 2
        or len(set(steps)) == 1
        or len(set(steps[1:])) == 1
        or all(byte % 0x11 == 0 for byte in raw)
        or max(turns.count(1), turns.count(-1)) * 5 >= len(turns) * 4
    )


def fills_uuid(text: str) -> bool:
    """Whether a system UUID is filler.

    Args:
        text: lower case with hyphens; either byte order is judged alike.
    """
    raw = bytes.fromhex(text.replace("-", ""))
    if _numbered_by_hand(raw):
        return False
    if raw[4:] == b"\xff" * 12:
        return True
    turned = raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]
    return text in _KNOWN_UUIDS or _fills_sixteen(raw) or _fills_sixteen(turned)


def _fills_sixteen(raw: bytes) -> bool:
    digits = raw.hex()
    if len(set(digits)) <= 5 or sorted(raw) == list(range(min(raw), min(raw) + 16)):
        return True
    turns = [_step(x, y) for x, y in pairwise(digits)]
    if max(turns.count(1), turns.count(-1)) >= 18:
        return True
    pairs = [digits[at : at + 2] for at in range(0, 32, 2)]
    if sum(pair[0] == pair[1] for pair in pairs) >= 14 or any(s in digits for s in _SPELT):
        return True
    if digits[8:] == digits[:-8]:
        return True
    zeros = sum("0" in pair for pair in pairs) >= 14 or digits[:20].count("0") >= 14
    if zeros and not _ends_in_address(raw):
        return True
    return _dell_without_tag(raw) or _spells_filler(raw)


def _ends_in_address(raw: bytes) -> bool:
    """Whether the last six bytes are some card's address, which makes the UUID one of a kind."""
    card = raw[10:]
    return sum(byte != 0 for byte in card) >= 5 and not card[0] & 3 and not fills_bytes(card)


def _numbered_by_hand(raw: bytes) -> bool:
    """Whether somebody numbered machines with UUIDs of version 4, of zeros but for the end."""
    return raw[:10] == bytes.fromhex("00000000000040008000") and raw[10:] != bytes(6)


def _dell_without_tag(raw: bytes) -> bool:
    """Dell's UUID holds the service tag; where nobody wrote one there are blanks, or one symbol."""
    if raw[:4] not in (b"LLED", b"DELL") or (raw[7] != 0x10 and raw[6] != 0x10):
        return False
    third = raw[6] if raw[7] == 0x10 else raw[7]
    second = raw[5] if raw[4] == 0 else raw[4]
    tag = bytes([second, third, raw[9], raw[10] & 0x7F, raw[13], raw[14], raw[15]])
    text = tag.decode("ascii", "replace")
    return not text.isalnum() or fills_text(text)


def _spells_filler(raw: bytes) -> bool:
    """Whether all bytes are letters that spell a filler text."""
    if not all(0x20 <= byte < 0x7F for byte in raw):
        return False
    return fills_text(raw.decode("ascii"))


_VIRTUAL_DISKS = pattern(
    "|".join(
        (
            r"qm\d{5}",  # QEMU's IDE and SATA disks, counted in the machine
            r".*(?:qemu|vbox|virtualbox|vmware|virtio|virtual[ _-]?(?:hd|disk|drive)|bochs).*",
            r"(?:naa\.|wwn-0x)?6000c29[0-9a-f]*",  # VMware: is in the disk's file
            r"vb[0-9a-f]{8}-[0-9a-f]{8}",  # VirtualBox: is in the disk's file
            r"(?:nvme\.)?1b36-.*",  # QEMU's NVMe disks
            r".*(?:persistent[ _-]?disk|nvme_card).*",  # Google Cloud: the same on all machines
            r"dd5641988[0-9a-f]*",  # JMicron's bridges, every one
        )
    )
)
_NAME_OF_DISK = pattern(r"[a-z]+(?:[-_. ][a-z]+)*[-_. ]?[0-9]{0,2}")
HYPER_V_DISK = pattern(r"(?:naa\.|wwn-0x)?60022480[0-9a-f]*")
"""Identifier of a virtual disk of Hyper-V: all that lasts under WSL2, copied with the disk
elsewhere. Under WSL2 no address of a card is a fact; beside one it is the disk of a guest."""


def fills_disk(text: str) -> bool:
    """Whether the serial number of a disk is filler, or is in what is copied with the disk.

    A name that somebody gave a virtual disk (`drive-scsi0`, `rootfs`) is of the second sort.
    """
    small = text.lower()
    if _VIRTUAL_DISKS.fullmatch(small):
        return True
    if _NAME_OF_DISK.fullmatch(text):
        return True
    bare = re.sub(r"^(?:(?:naa|eui|nvme|t10)\.|wwn-0x)", "", small)
    return fills_text(bare)
