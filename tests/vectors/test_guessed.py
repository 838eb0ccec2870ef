"""What two builders of other verifiers had to guess: each choice is made, and vectors show it.

One test for each line of their list (section E of the list of faults): the vectors that settle it
are in the files, say what the chapter says, and are judged so. Whoever drops one of them, or turns
a choice round, fails here by the name of the question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.vectors import test_typed_vectors as typed
from tests.vectors import test_vectors as signed
from tests.vectors.reading import load

JUDGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "catalogues": signed.test_catalogue,
    "confirmations": signed.test_confirmation,
    "keys": typed.test_key,
    "licences": signed.test_licence,
    "names": typed.test_name,
    "terms": signed.test_terms,
    "trust": signed.test_trust_line,
    "typed": typed.test_typed,
}
MOST = 2**31 - 1


def settle(file: str, result: object, *names: str, step: int | None = None) -> None:
    """The vectors of these names are there, have this result (at this step), and are judged so."""
    found = {case["name"]: case for case in load(file)["cases"]}
    for name in names:
        assert name in found, f"{file}.json has no case {name!r}"
        case = found[name]
        assert case["result"] == result, name
        if step is not None:
            assert case["step"] == step, name
        JUDGES[file](case)


def test_a_signer_that_is_no_key_is_malformed() -> None:
    for name in (
        "signer with an extra member",
        "signer with a private half",
        "signer without crv",
        "signer on another curve",
        "signer of 31 bytes",
        "signer with padding",
        "lease by a signer of order 1",
        "notice by a signer of order 1",
    ):
        settle("licences", "licence/malformed", name, step=1)


def test_the_code_of_a_notice_has_a_form() -> None:
    settle("licences", "ok", "notice of the code host/duplicate-cmid", "notice of the code -/-")
    for name in (
        "notice of a code without a slash",
        "notice of a code in capitals",
        "notice of a code of an area of 33",
        "notice of a code that is empty",
    ):
        settle("licences", "licence/claims", name, step=5)


def test_spans_and_needs_end_below_2_31() -> None:
    for member in ("need", "max_lease", "lease", "renew_after", "retry_after"):
        settle("catalogues", 1, f"catalogue with a {member} of {MOST}")
        settle("catalogues", "catalogue/claims", f"catalogue with a {member} of {MOST + 1}")
    settle("licences", "ok", f"lease under a max_lease of {MOST}")
    settle("licences", "licence/claims", f"lease under a max_lease of {MOST + 1}", step=5)
    settle("terms", 1, f"terms of a max_lease of {MOST}")
    settle("terms", "terms/claims", "terms of a max_lease of 2^31")


def test_roles_and_features_have_a_grammar_and_features_are_distinct() -> None:
    settle("trust", 1, "a role of 64 characters", "a role with dots and dashes")
    settle("trust", "trust/claims", "a role of 65 characters", "a role in capitals")
    settle("catalogues", 1, "catalogue with a feature of 64 characters")
    settle(
        "catalogues",
        "catalogue/claims",
        "catalogue with a feature of 65 characters",
        "catalogue with a feature in capitals",
        "catalogue with a feature twice",
        "catalogue with the first and the last feature the same",
    )


def test_a_line_may_begin_with_the_version_held() -> None:
    settle("trust", 2, "a line may start at the version held")
    settle("trust", 1, "nothing but the version held")
    settle("trust", "trust/step", "the version held in other bytes")


def test_an_anchor_has_an_order_of_errors() -> None:
    order = {
        "malformed before header": "licence/malformed",
        "header before version": "licence/header",
        "version before claims": "licence/version",
        "claims before root": "trust/claims",
        "root before signature": "trust/root",
        "signature before publisher": "trust/signature",
        "publisher last": "trust/publisher",
    }
    for name, result in order.items():
        settle("trust", result, f"order of an anchor: {name}")


def test_ed25519_keys_of_small_order_and_in_other_bytes_are_none() -> None:
    settle(
        "keys",
        "refused",
        "key of order 1",
        "key of order 8, the fourth",
        "key of order 4, y the prime",
        "key of large order, y above the prime",
        "key of no point",
    )
    settle("keys", "ok", "key of a signing key", "key of large order, small y")


def test_a_serial_fills_24_bits_in_digits_and_five_symbols_in_keys() -> None:
    settle(
        "typed",
        "ok",
        "installation: of the last serial of product keys",
        "installation: of a serial that no product key has",
        "installation: of the last serial that fits",
    )
    settle("catalogues", "catalogue/claims", "catalogue with a revocation of serial 2^24")


def test_a_catalogue_without_iss_lacks_a_claim() -> None:
    settle(
        "catalogues",
        "catalogue/claims",
        "catalogue without iss",
        "order of a catalogue: no iss before other claims",
    )
    settle("catalogues", "licence/version", "order of a catalogue: version before a missing iss")


def test_arrays_are_levels_as_objects_are() -> None:
    settle("catalogues", 1, "catalogue of eight levels, the last an empty object")
    settle("catalogues", "licence/malformed", "catalogue of nine levels, the last an empty array")


def test_row_letters_may_be_small() -> None:
    settle("typed", "ok", *(f"groups: rows in small letters, {count} groups" for count in (15, 33)))


def test_names_hold_nothing_that_nobody_sees() -> None:
    for character in ("U+061C", "U+200B", "U+FEFF", "U+E0001", "U+E0041"):
        for place in ("inside", "alone", "first", "last"):
            settle("names", "refused", f"{character} {place}")


def test_a_setup_key_is_of_one_product() -> None:
    settle("catalogues", 1, "catalogue with two setup keys")
    settle(
        "catalogues",
        "catalogue/claims",
        "catalogue with one setup key of two products",
        "catalogue with two setup keys of one key id",
    )


def test_digits_rows_confirmations_and_terms_have_vectors() -> None:
    """Good ones and refused ones; every error of typed things has one besides."""
    settle("typed", "ok", "groups: printed rows, 15 groups", "groups: printed rows, 33 groups")
    settle("typed", "digits/symbol", "groups: the letter of another row")
    settle("confirmations", "confirmation/key", "of a key that was withdrawn")
    settle("confirmations", "confirmation/signature", "for another machine", "by a stranger")
    settle("terms", "terms/claims", "terms without limit", "terms of version 0")


def test_a_group_left_out_is_named() -> None:
    settle(
        "typed",
        "digits/group",
        "groups: group 1 left out, 15 expected",
        "groups: groups 3 and 4 left out",
        "confirmation: group 32 left out",
        "installation: group 1 of a host left out",
    )
    settle("typed", "digits/length", "installation: of a host, the last group left out")
