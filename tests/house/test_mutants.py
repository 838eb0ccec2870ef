"""The mutants are what they say, and the reasons for survivors are about mutants that there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.house import mutants

SAMPLE = """
\"\"\"Prose 1.\"\"\"
BOUND: int = 5

@dataclass(slots=True)
class Row:
    def fits(self, x: Literal[3]) -> bool:
        if not x < BOUND and x + 1 in self.all:
            raise ValueError("é", x)
        return True
"""


def test_every_place_that_does_something_is_broken() -> None:
    found = mutants.mutants(SAMPLE)
    assert sorted(one.name for one in found) == [
        "Row.fits: 1 -> 2",
        "Row.fits: True -> False",
        "Row.fits: not x < BOUND -> x < BOUND",
        "Row.fits: not x < BOUND and x + 1 in self.all -> not x < BOUND or x + 1 in self.all",
        "Row.fits: raise ValueError('é', x) -> pass",
        "Row.fits: x + 1 -> x - 1",
        "Row.fits: x + 1 in self.all -> x + 1 not in self.all",
        "Row.fits: x < BOUND -> x <= BOUND",
        "module: 5 -> 6",
    ]
    texts = {one.name: one.text for one in found}
    assert texts["Row.fits: x + 1 -> x - 1"] == SAMPLE.replace("x + 1", "(x - 1)")
    assert texts["Row.fits: raise ValueError('é', x) -> pass"] == SAMPLE.replace(
        'raise ValueError("é", x)', "pass"
    )


def test_numbers_that_were_fitted_are_left_as_they_are() -> None:
    found = mutants.mutants(SAMPLE, fitted=True)
    assert sorted(one.name for one in found) == [
        "Row.fits: True -> False",
        "Row.fits: not x < BOUND -> x < BOUND",
        "Row.fits: not x < BOUND and x + 1 in self.all -> not x < BOUND or x + 1 in self.all",
        "Row.fits: raise ValueError('é', x) -> pass",
        "Row.fits: x + 1 -> x - 1",
        "Row.fits: x + 1 in self.all -> x + 1 not in self.all",
    ]
    assert set(mutants.ROOMS) >= mutants.FITTED


def test_a_reason_is_for_a_mutant_that_there_is() -> None:
    explained = mutants.explained()
    assert set(explained) <= set(mutants.ROOMS)
    for room, reasons in explained.items():
        assert set(reasons) <= {one.name for one in mutants.of_room(room)}
        assert all(reason.endswith(".") for reason in reasons.values())


def test_a_mutant_is_killed_by_the_tests_of_its_room() -> None:
    done = subprocess.run(
        [
            *(sys.executable, str(Path(mutants.__file__))),
            *("host/count.py", "--only", "acceptable:", "--jobs", "1"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "host/count.py: 2 mutants, 0 survive, 0 unexplained\n", done.stderr
    assert done.returncode == 0
