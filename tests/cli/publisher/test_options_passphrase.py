"""Where commands of a publisher take passphrases from."""

from __future__ import annotations

from pathlib import Path

from tests.cli.publisher.conftest import CHEAP, Desk


def test_a_passphrase_comes_from_a_file_or_the_environment_and_never_from_a_pipe(
    empty: Desk, tmp_path: Path
) -> None:
    del empty.env["MUSTER_PASSPHRASE"]
    reserve = str(tmp_path / "r.key")
    words = ("init", "--sample", "--reserve-root", reserve, *CHEAP)
    assert empty.refused(*words, code=2) == "publisher/passphrase"
    file = tmp_path / "phrase"
    file.write_text("öffne dich\nsecond line\n")
    file.chmod(0o644)
    assert empty.refused(*words, "--passphrase-file", str(file), code=1) == "keyfile/rights"
    file.chmod(0o600)
    made = empty.data(*words, "--passphrase-file", str(file))
    assert made["changed"]
    assert made["unfinished"] is None
    issue = ("key", "issue", "--kind", "host", "--group", "server-b")
    phrase = {"MUSTER_PASSPHRASE": "öffne dich"}
    assert empty.run(*issue, env=phrase).exit_code == 0
    assert empty.refused(*issue, code=1, env={"MUSTER_PASSPHRASE": "x"}) == "keyfile/passphrase"
    for wrong in (b"", b"\nsecond\n", b"\xff\n"):
        file.write_bytes(wrong)
        given = (*issue, "--passphrase-file", str(file))
        assert empty.refused(*given, code=2) == "publisher/passphrase-file"


def test_roots_may_have_a_passphrase_of_their_own(empty: Desk) -> None:
    empty.env["MUSTER_ROOT_PASSPHRASE"] = "battery staple"
    empty.init()
    rotate = ("trust", "rotate", "--role", "grant", *CHEAP)
    assert empty.data(*rotate)["trust"]["version"] == 2
    del empty.env["MUSTER_ROOT_PASSPHRASE"]
    assert empty.refused(*rotate, code=1) == "keyfile/passphrase"
    issue = ("key", "issue", "--kind", "host", "--group", "server-b")
    assert empty.data(*issue)["keys"]
