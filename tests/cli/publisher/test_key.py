"""`muster publisher key`: issued, shown, revoked."""

from __future__ import annotations

import json

from tests.cli.publisher.conftest import Desk

from muster.core.keys import parse_product_key


def test_keys_are_shown_in_full_once_and_masked_after(desk: Desk) -> None:
    issue = ("key", "issue", "--kind", "host", "--group", "server-c")
    made = desk.data(*issue, "--count", "2", "--term", "12", "--customer", 'Fabrikam "x" {y}')
    first, second = (one["key"] for one in made["keys"])
    assert first != second
    assert made["keys"][0]["term_days"] == 360
    for words in (
        ("key", "list"),
        ("key", "list", "--kind", "host"),
        ("key", "show", first),
        ("key", "show", made["keys"][0]["id"]),
        ("audit",),
    ):
        said = desk.text(*words) + json.dumps(desk.data(*words))
        assert first not in said
        if words[0] == "key":
            assert f"XXXXX-XXXXX-XXXXX-XXXXX-{first[-5:]}" in said
            assert 'Fabrikam "x" {y}' in desk.text(*words)
    (line,) = [one for one in desk.text(*issue).splitlines() if one.count("-") == 6]
    assert parse_product_key(line.split()[0]).masked in desk.text("key", "list")
    assert desk.refused("key", "show", first[:-1] + "-", code=2) == "key/length"
    assert desk.refused("key", "show", "0-3-1", code=1) == "publisher/unknown-key"
    assert desk.refused(*issue[:4], "--group", "none", code=2) == "publisher/group"
    assert desk.run(*issue, "--term", "64").exit_code == 2
    assert desk.run(*issue, "--customer", "a\nb").exit_code == 2
    assert desk.run("key", "issue", "--kind", "setup", "--group", "server-c").exit_code == 2


def test_the_limits_of_a_host_key_are_changed_with_a_reason(desk: Desk) -> None:
    made = desk.data("key", "issue", "--kind", "host", "--group", "server-c")["keys"][0]
    limit = ("key", "limit", made["id"], "--reason", "two more sites")
    assert "6, 10 activations each" in desk.text("key", "show", made["id"])
    assert "0 of 8, 10 activations each" in desk.text(*limit, "--hosts", "8")
    assert "were already" in desk.text(*limit, "--hosts", "8")
    changed = desk.data(*limit, "--activations", "20")
    assert changed["changed"]
    assert (changed["key"]["host_limit"], changed["key"]["activation_limit"]) == (8, 20)
    assert "two more sites" in desk.text("audit")
    for shown in (made["key"][-5:], f"XXXXX-XXXXX-XXXXX-XXXXX-{made['key'][-5:]}"):
        words = ("key", "limit", shown, "--reason", "x", "--hosts", "9")
        assert desk.refused(*words, code=2) == "publisher/masked-key"
    assert desk.refused(*limit, code=2) == "publisher/limit"
    assert desk.run(*limit[:3], "--hosts", "8").exit_code == 2
    assert desk.run(*limit, "--hosts", "0").exit_code == 2


def test_a_revocation_says_how_many_lose_their_licences(desk: Desk) -> None:
    publisher = desk.data("trust", "show")["publisher"]
    issue = ("key", "issue", "--kind", "host", "--group", "server-c")
    limit = ("--hosts", "30", "--reason", "a test")
    nobody, one, many = desk.data(*issue, "--count", "3")["keys"]
    desk.data("key", "limit", many["id"], *limit)
    for key, hosts in ((one, 1), (many, 25)):
        for number in range(1, hosts + 1):
            digits = desk.request(key["key"], publisher, number)
            desk.data("host", "activate", "--installation-id", digits)
    assert "No host and no machine lose their licences." in desk.text("key", "revoke", nobody["id"])
    assert "1 host loses its licence." in desk.text("key", "revoke", one["id"])
    said = desk.text("key", "revoke", many["id"])
    assert "25 hosts lose their licences." in said
    assert said.count("  grant ") == 20
    assert "  and 5 more\n" in said
    assert "A host stops when it has this catalogue" in said
    mak = ("key", "issue", "--kind", "mak", "--group", "client-volume", "--pool", "3")
    said = desk.text("key", "revoke", desk.data(*mak)["keys"][0]["id"])
    assert "A host" not in said
    assert "A machine loses it when it has this catalogue" in said


def test_a_key_is_revoked_once(desk: Desk) -> None:
    made = desk.data("key", "issue", "--kind", "host", "--group", "server-c")["keys"][0]
    assert desk.data("key", "revoke", made["id"])["catalogue"] == 2
    again = desk.data("key", "revoke", made["id"])
    assert (again["changed"], again["catalogue"]) == (False, 2)
    assert "nothing was changed" in desk.text("key", "revoke", made["id"])
    (shown,) = desk.data("catalogue", "show")["revocations"]
    assert shown["key"] == made["id"]
    assert "revoked" in desk.text("key", "list")
