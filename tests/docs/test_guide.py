"""The guide runs as it is written and prints what it shows (docs/guide.md).

`python tests/docs/console.py --write` puts the output of a real run into the guide.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.console import (
    GUIDE,
    SUBSTITUTIONS,
    Normaliser,
    Shell,
    ShellError,
    commands,
    differences,
    play,
    rewritten,
    scripts,
    why_not,
)

PARTS = (
    "The host",
    "The first client",
    "The count is one",
    "More clients",
    "The count reaches the threshold",
    "All clients licensed",
)
SMALL = """\
Text with a $ sign.

```console
$ echo one; \\
>     echo two
one
two
$ id="$(cat id)"
$ echo "$id at 2026-11-24 05:00:00 UTC"
6cc8093d-e345-4d2c-8d01-8eb7c2293dab at 2026-01-01 00:00:00 UTC
```

```sh
not a command of the guide
```
"""
ID, OTHER = "57445f15-7eb3-4717-88ec-5750789b12fd", "b3427299-97fa-4317-90cc-cc1cd03f943e"


def text() -> str:
    """The guide."""
    return GUIDE.read_text(encoding="utf-8")


@pytest.mark.real
@pytest.mark.timeout(600)
def test_every_command_prints_what_the_guide_shows() -> None:
    missing = why_not()
    if missing is not None:
        pytest.skip(missing)
    guide = text()
    found = differences(guide, play(guide))
    assert not found, (
        "docs/guide.md shows other output; python tests/docs/console.py --write takes over what "
        "is meant so.\n\n" + "\n\n".join(found)
    )


def test_the_guide_has_the_six_parts() -> None:
    assert re.findall(r"^## Part (\d): (.*)$", text(), re.MULTILINE) == [
        (str(number), name) for number, name in enumerate(PARTS, 1)
    ]


def test_every_substitution_is_needed() -> None:
    """A row of the table that the guide does not need forgives what nobody decided to forgive."""
    used = Normaliser()
    for command in commands(text()):
        used.lines(command.shown)
    assert used.used == {row.name for row in SUBSTITUTIONS}


def test_commands_show_nothing_that_is_another_one_in_each_run() -> None:
    for command in commands(text()):
        for line in command.text.split("\n"):
            assert Normaliser().line(line) == line, f"line {command.line}"


# The runner itself.


def test_commands_go_on_over_lines_and_keep_their_output() -> None:
    found = commands(SMALL)
    assert [one.text for one in found] == [
        "echo one; \\\n    echo two",
        'id="$(cat id)"',
        'echo "$id at 2026-11-24 05:00:00 UTC"',
    ]
    assert [len(one.shown) for one in found] == [2, 0, 1]
    assert found[0].line == 4
    assert scripts(SMALL) == [["not a command of the guide"]]
    with pytest.raises(ValueError, match="line 2"):
        commands("```console\nno command\n```\n")


def test_what_is_not_in_the_table_is_a_difference() -> None:
    good = [["one", "two"], [], [f"{ID} at 2030-12-31 23:59:59 UTC"]]
    assert differences(SMALL, good) == []
    for place, line in ((0, "One"), (0, "one "), (1, "more")):
        bad = [list(output) for output in good]
        bad[place] = [line, *bad[place][1:]]
        (found,) = differences(SMALL, bad)
        assert f"+{line}" in found.split("\n")
    (found,) = differences(SMALL, [good[0], [], [f"{ID} at noon"]])
    assert "-<UUID 1> at <time>" in found
    assert "+<UUID 1> at noon" in found


def test_a_name_that_comes_twice_must_be_the_same_twice() -> None:
    guide = f"```console\n$ a\n{ID}\n$ b\n{ID}\n$ c\n{OTHER}\n```\n"
    assert differences(guide, [[OTHER], [OTHER], [ID]]) == []
    assert len(differences(guide, [[OTHER], [ID], [ID]])) == 1


def test_real_output_takes_the_place_of_the_old_one() -> None:
    new = rewritten(SMALL, [["three"], ["", "four"], []])
    assert [one.shown for one in commands(new)] == [("three",), ("", "four"), ()]
    assert [one.text for one in commands(new)] == [one.text for one in commands(SMALL)]
    folder = rewritten("```console\n$ pwd\n```\n", [["= /var/tmp/muster-guide-x1/lab/key"]])
    assert folder == "```console\n$ pwd\n= /root/lab/key\n```\n"


def test_a_shell_keeps_what_a_command_sets_and_gives_both_outputs(tmp_path: Path) -> None:
    shell = Shell(["bash", "--norc", "--noprofile"], tmp_path, {"PATH": "/usr/bin:/bin"})
    try:
        assert shell.run("a=1; f() { echo $((a + $1)); }; cd /") == []
        assert shell.run("f 2; pwd; cat; echo bad >&2") == ["3", "/", "bad"]
        assert shell.run("cat <<END\n$a\n\nEND") == ["1", ""]
        assert shell.run("printf x") == ["x\\ no end of line"]
        assert "syntax error" in "".join(shell.run("if"))
        with pytest.raises(ShellError, match="does not end"):
            shell.run("sleep 1", seconds=0.2)
    finally:
        shell.close()


def test_a_shell_that_ends_is_noticed(tmp_path: Path) -> None:
    shell = Shell(["bash", "--norc", "--noprofile"], tmp_path, {"PATH": "/usr/bin:/bin"})
    try:
        for command in ("echo last; exit 3", "true"):
            with pytest.raises(ShellError, match="ended"):
                shell.run(command)
    finally:
        shell.close()
