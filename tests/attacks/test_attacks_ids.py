"""Confirmation IDs, installation IDs and product keys that were forged, misread or misheard."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from tests.attacks.conftest import BINDING, MAK_KEY, NOW, Scene, refusal
from tests.house.growth import growth

from muster.core.digits import check_digit, encode_groups, format_rows
from muster.core.ids import (
    CONFIRMATION_GROUPS,
    ConfirmationId,
    check_proof,
    make_installation_id,
    parse_confirmation_id,
    parse_installation_id,
)
from muster.core.keys import ALPHABET, Kind, make_product_key, mask_keys, parse_product_key
from muster.core.products import day_of
from muster.lease.grant import confirmation_of, read_grant, rebuild_grant
from muster.lease.verify import verify_activation
from muster.testing.tiny_publisher import GROUPS

PROOF_KEY = b"p" * 32
ARABIC = {48 + digit: 0x0660 + digit for digit in range(10)}
WIDE = {48 + digit: 0xFF10 + digit for digit in range(10)}
ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the base point of Ed25519 (RFC 8032)."""


def joined(groups: list[str]) -> str:
    return "-".join(groups)


def rebuild(scene: Scene, confirmation: ConfirmationId) -> str:
    return rebuild_grant(
        confirmation, scene.id, MAK_KEY, BINDING, None, GROUPS[0], scene.publisher.trust
    )


def test_no_misheard_group_of_an_installation_id_passes() -> None:
    good = list(make_installation_id(1, MAK_KEY, BINDING, None, PROOF_KEY).groups)

    def enter(groups: list[str]) -> None:
        check_proof(parse_installation_id(joined(groups)), PROOF_KEY)

    assert refusal(lambda: enter(good)) == ""
    for place, column, digit in itertools.product(range(12), range(6), "0123456789"):
        if digit != good[place][column]:
            heard = good[place][:column] + digit + good[place][column + 1 :]
            spoilt = [*good[:place], heard, *good[place + 1 :]]
            assert refusal(lambda: enter(spoilt)) == "digits/group"  # noqa: B023
    for one, other in itertools.permutations(range(12), 2):
        repeated, swapped = list(good), list(good)
        repeated[one] = good[other]
        swapped[one], swapped[other] = good[other], good[one]
        for spoilt in (repeated, swapped):
            assert spoilt == good or refusal(lambda: enter(spoilt))  # noqa: B023


def test_no_changed_group_of_a_confirmation_id_passes(scene: Scene) -> None:
    """Each digit of data changed, with a check digit that fits; each pair of groups swapped."""
    good = list(confirmation_of(scene.activation_grant(), 0).groups)

    def enter(groups: list[str]) -> str:
        return rebuild(scene, parse_confirmation_id(joined(groups)))

    assert enter(good) == scene.activation_grant()
    for place, column, further in itertools.product(range(33), range(5), (1, 5, 9)):
        digit = str((int(good[place][column]) + further) % 10)
        data = good[place][:column] + digit + good[place][column + 1 : 5]
        spoilt = [*good[:place], data + check_digit(data, place), *good[place + 1 :]]
        assert refusal(lambda: enter(spoilt))  # noqa: B023
    for one, other in itertools.combinations(range(33), 2):
        spoilt = list(good)
        spoilt[one], spoilt[other] = good[other], good[one]
        code = refusal(lambda: enter(spoilt))  # noqa: B023
        assert code == "digits/group" or (code and (other - one) % 10 == 0)


def test_a_confirmation_id_has_one_form_for_one_grant(scene: Scene) -> None:
    """S + k·L would verify in a lax library: some of them still fit their 253 bits."""
    good = confirmation_of(scene.activation_grant(), 0)
    s = int.from_bytes(good.signature[32:], "little")
    fitting = 0
    for times in range(1, 8):
        tail = (s + times * ORDER).to_bytes(32, "little")

        def enter(tail: bytes = tail) -> str:
            return rebuild(
                scene, ConfirmationId(0, good.day, good.term, good.signature[:32] + tail)
            )

        code = refusal(enter)
        assert code in {"confirmation/signature", "id/range"}
        fitting += code == "confirmation/signature"
    assert fitting == 1
    for change in ((1, good.day, good.term), (0, good.day + 1, good.term), (0, good.day, 1)):
        code = refusal(lambda: rebuild(scene, ConfirmationId(*change, good.signature)))  # noqa: B023
        assert code in {"confirmation/signature", "confirmation/key"}


def test_numbers_beyond_their_bits_and_reserved_versions() -> None:
    for version in (1, 2, 3):
        text = joined(list(encode_groups(version << 539, CONFIRMATION_GROUPS)))
        assert refusal(lambda: parse_confirmation_id(text)) == "id/version"  # noqa: B023
    for number in (2**541, 10**165 - 1):
        text = joined(list(encode_groups(number, CONFIRMATION_GROUPS)))
        assert refusal(lambda: parse_confirmation_id(text)) == "id/range"  # noqa: B023
    for groups, bits in ((12, 196), (15, 244)):
        for version in range(1, 8):
            text = joined(list(encode_groups(version << (bits - 3), groups)))
            assert refusal(lambda: parse_installation_id(text)) == "id/version"  # noqa: B023
        for number in (1 << bits, 10 ** (5 * groups) - 1):
            text = joined(list(encode_groups(number, groups)))
            assert refusal(lambda: parse_installation_id(text)) == "id/range"  # noqa: B023


def test_the_last_day_and_the_longest_term_are_a_good_licence(scene: Scene) -> None:
    text = scene.activation_grant(term=63, day=65_535)
    assert rebuild(scene, confirmation_of(text, 0)) == text
    grant = read_grant(text, scene.publisher.trust, scene.id)
    assert grant.exp == grant.iat + 63 * 30 * 86_400
    then = scene.expected(now=grant.iat)
    assert verify_activation(scene.activation(text), then).expires == grant.exp
    now = scene.expected()
    assert refusal(lambda: verify_activation(scene.activation(text), now)) == "licence/clock"
    for change in ({"term": 64}, {"day": 65_536}, {"day": -1}, {"term": -1}):
        assert refusal(lambda: scene.activation_grant(**change)) == "grant/range"  # noqa: B023


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(lambda text: text.translate(ARABIC), id="arabic"),
        pytest.param(lambda text: text.translate(WIDE), id="wide"),
        pytest.param(lambda text: text + "\x00", id="NUL"),
        pytest.param(lambda text: "A A " + text, id="two row letters"),
        pytest.param(lambda text: "B " + text, id="letter of another row"),
        pytest.param(lambda text: text[:-1], id="cut"),
        pytest.param(lambda text: text + text, id="twice"),
        pytest.param(lambda text: text + " " * 5000, id="long"),
    ],
)  # fmt: skip
def test_texts_that_only_look_like_digits(spoilt: Callable[[str], str]) -> None:
    text = make_installation_id(1, MAK_KEY, BINDING, None, PROOF_KEY).text
    assert refusal(lambda: parse_installation_id(spoilt(text))) in {
        "digits/symbol",
        "digits/length",
    }


def test_what_people_type_around_the_digits_is_forgiven() -> None:
    iid = make_installation_id(1, MAK_KEY, BINDING, None, PROOF_KEY)
    rows = format_rows(iid.groups)
    for text in (
        rows,
        rows.lower(),
        rows.replace("\n", "\r\n"),
        " \t" + rows,
        iid.text.replace("-", ""),
        iid.text.replace("-", "\u2010"),
        iid.text + "\u200b",
    ):
        assert parse_installation_id(text) == iid


def test_no_mistyped_product_key_passes() -> None:
    plain = make_product_key(b"t" * 32, Kind.HOST, 12_345, 7, 4711).text.replace("-", "")
    for place, symbol in itertools.product(range(25), ALPHABET):
        if symbol != plain[place]:
            spoilt = plain[:place] + symbol + plain[place + 1 :]
            assert refusal(lambda: parse_product_key(spoilt)) == "key/check"  # noqa: B023
    for place in range(24):
        if plain[place] != plain[place + 1]:
            spoilt = plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
            assert refusal(lambda: parse_product_key(spoilt)) == "key/check"  # noqa: B023
    for letter in ("ſ", "\u212a", "İ", "ß", "0", "é", "\x00"):
        assert refusal(lambda: parse_product_key(letter + plain[1:])) == "key/symbol"  # noqa: B023


def test_no_escape_hides_a_product_key_from_the_mask() -> None:
    """Logs and traces write what was typed with escapes before and behind it."""
    key = make_product_key(b"t" * 32, Kind.HOST, 12_345, 7, 4711).text
    secret = key.replace("-", "")[5:20]
    around = [
        json.dumps({"typed": f"a\t{key}\n"}),
        repr(f"\n{key}\r"),
        f"GET /?key=%20{key}%0A",
        f"key{key}x",
        f"1{key}",
        f"{key}{key}",
        repr(["muster", key]),
        f"KeyError: '\\n{key.replace('-', ' ')}'",
    ]
    dashes = (
        "--",
        " - ",
        "  ",
        "\t",
        "\r\n",
        "",
        " ",
        "–",
        " — ",
        "\u00a0",
        "\u2212",
        "\u200b",
        ", ",
    )
    between = [key.replace("-", one) for one in dashes]
    between += [json.dumps(one) for one in between] + [quote(one) for one in between]
    for text in (*around, *between, *(one.lower() for one in between), key[:-1]):
        hidden = mask_keys(text).upper()
        left = "".join(one for one in hidden.replace("X", "") if one in ALPHABET)
        assert not any(secret[at : at + 6] in left for at in range(10)), hidden


def test_masking_costs_no_more_than_the_length_of_the_text() -> None:
    for unit in ("BBBBBB", "BCDFG-", "BCDFG ", "B C D F G - "):
        assert growth(mask_keys, unit * 500, unit * 5_000) < 5


def test_a_grant_is_for_one_machine_key_and_publisher(scene: Scene) -> None:
    """The digits of one machine, typed on another one or for another key."""
    from muster.core.keys import KeyId

    good = confirmation_of(scene.activation_grant(), 0)
    trust = scene.publisher.trust
    for publisher, key_id, binding, group in (
        ("a" * 16, MAK_KEY, BINDING, GROUPS[0]),
        (scene.id, KeyId(Kind.MAK, 1, 816), BINDING, GROUPS[0]),
        (scene.id, KeyId(Kind.RETAIL, 1, 815), BINDING, GROUPS[0]),
        (scene.id, KeyId(Kind.MAK, 2, 815), BINDING, GROUPS[1]),
        (scene.id, MAK_KEY, "f" * 25, GROUPS[0]),
    ):
        code = refusal(lambda: rebuild_grant(good, publisher, key_id, binding, None, group, trust))  # noqa: B023
        assert code == "confirmation/signature"
    assert day_of(NOW) == 330
