"""No command ends in a traceback, whatever a person does or the machine has: each under each.

The commands are those that `--help` lists; `tests/cli/driver.py` runs them in children.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.real,
    pytest.mark.xdist_group("everywhere"),
    pytest.mark.timeout(400),
]

ROOT = Path(__file__).parents[2]
KNOWN_CODES = {0, 1, 2, 3, 130}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each command left under each surrounding."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
    env |= {"DRIVER_FOLDER": str(tmp_path_factory.mktemp("driver")), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.driver"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    value = json.loads(done.stdout)
    assert isinstance(value, list)
    return value


def of(played: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    found = [run for run in played if any(run["kind"].startswith(kind) for kind in kinds)]
    assert len(found) >= 50, "the driver has not played the commands"
    return found


def test_nothing_ends_in_a_traceback_or_an_unknown_code(played: list[dict[str, Any]]) -> None:
    wrong = [
        run
        for run in of(played, "")
        if run["code"] not in KNOWN_CODES
        or "Traceback" in run["err"]
        or "defect" in run["err"]
        or "Exception ignored" in run["err"]
    ]
    assert not wrong, f"{len(wrong)}: {wrong[:3]}"


def test_a_full_output_is_told(played: list[dict[str, Any]]) -> None:
    for run in of(played, "full output"):
        if run["kind"] == "full outputs":
            assert run["err"] == ""
        elif "--help" in run["words"]:
            assert (run["code"], run["err"][:12]) == (3, "file/output:"), run


def test_what_is_typed_wrongly_is_an_error_as_every_other(played: list[dict[str, Any]]) -> None:
    for run in of(played, "wrong option"):
        assert run["code"] == 2, run
        if run["words"][-1] == "--json":
            said = json.loads(run["out"])["error"]
            assert said["code"] in ("command/usage", "client/slmgr-usage"), run
            assert run["err"] == ""
        else:
            assert run["out"] == ""
            assert run["err"].startswith(("command/usage\n  What: ", "client/slmgr-usage\n")), run


def test_with_json_there_is_one_object(played: list[dict[str, Any]]) -> None:
    asked = [run for run in of(played, "plain") if run["words"][-1] == "--json"]
    assert len(asked) >= 50
    for run in asked:
        assert isinstance(json.loads(run["out"]), dict), run
        assert ("error" in json.loads(run["out"])) == (run["code"] != 0), run


def test_a_deleted_folder_is_named_where_a_path_starts_from_it(
    played: list[dict[str, Any]],
) -> None:
    named = [run for run in of(played, "no folder") if "file/no-directory" in run["err"]]
    assert named
    assert all(run["code"] == 3 for run in named)


def test_texts_of_other_encodings_and_endless_numbers_are_refused(
    played: list[dict[str, Any]],
) -> None:
    """What a terminal in ISO 8859-1 types, and more than a database keeps."""
    assert not [run for run in of(played, "other bytes") if run["code"] != 2]
    texts = [run["err"] for run in of(played, "other bytes")]
    assert sum("is not in UTF-8" in text for text in texts) >= 20
    assert any("is too large" in text or "not in the range" in text for text in texts)


def test_no_umask_leaves_anything_that_all_may_write(played: list[dict[str, Any]]) -> None:
    assert not [run for run in of(played, "umask 000") if run["loose"]]


def test_ctrl_c_ends_a_command_by_its_own_code(played: list[dict[str, Any]]) -> None:
    runs = of(played, "Ctrl-C")
    stopped = [run for run in runs if run["code"] == 130]
    assert len(stopped) > len(runs) // 4
    told = [run for run in stopped if "command/interrupted" in run["err"]]
    assert len(told) > 10  # the others were about to end, or had just begun


def test_every_example_is_understood(played: list[dict[str, Any]]) -> None:
    for run in of(played, "example"):
        assert "command/usage" not in run["err"], run
        assert "settings/" not in run["err"], run
        if run["words"][-1] == "--help":
            line = " ".join(run["words"][:-1])
            assert f"muster {line}" in " ".join(run["out"].split()), run
