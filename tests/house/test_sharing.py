"""What a file makes once is made once, whichever versions of pytest and pytest-xdist meet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.sharing import ROOT, group_of

TOLD = """
import os, pathlib, pytest
pytestmark = {marks}
@pytest.mark.parametrize("number", range(6))
def test_one(number):
    with pathlib.Path("told").open("a") as file:
        file.write("{name} " + os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""


def test_files_that_make_something_for_all_their_tests_are_a_group() -> None:
    assert group_of("tests/cli/test_main_everywhere.py") == "everywhere"
    assert group_of("tests/installed/test_sdist.py") == group_of("tests/installed/test_plain.py")
    assert group_of("tests/house/test_purity.py") == "tests/house/test_purity.py"
    assert group_of("tests/core/test_keys.py") == ""
    assert (ROOT / "pyproject.toml").exists()


def test_a_group_of_two_files_runs_on_one_worker_and_begins_first(tmp_path: Path) -> None:
    group, long = 'pytest.mark.xdist_group("shared")', "pytest.mark.timeout(240)"
    for name, marks in (("alone", "[]"), ("long", f"[{long}]"), ("a", f"[{group}]")):
        (tmp_path / f"test_{name}.py").write_text(TOLD.format(name=name, marks=marks))
    (tmp_path / "test_b.py").write_text(TOLD.format(name="b", marks=f"[{group}]"))
    words = ("-q", "-p", "tests.sharing", "-p", "no:cacheprovider", "-n", "2")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--dist", "loadgroup", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [tuple(line.split()) for line in (tmp_path / "told").read_text().splitlines()]
    assert len(told) == 24
    assert len({worker for name, worker in told if name in {"a", "b"}}) == 1
    singles = [name for name, _ in told if name in {"alone", "long"}]
    assert singles.index("long") < singles.index("alone")
