"""A crowd that starts at once does not ask at once: real schedules, without a network."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.client import schedule
from muster.system.entropy import SeededDice

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000
CROWD = 2_000


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_boot", ROOT / "bench" / "boot.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_boot"] = module
    spec.loader.exec_module(module)
    return module


@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_a_first_try_is_within_its_spread_and_never_before_now(
    seed: int, booted: bool, licensed: bool
) -> None:
    at = schedule.first_try(NOW, booted=booted, licensed=licensed, dice=SeededDice(seed))
    assert NOW <= at <= NOW + schedule.FIRST_SPREADS[booted, licensed]


@given(st.integers(0, 10_000))
def test_no_tenth_of_the_spread_gets_much_more_than_its_share(seed: int) -> None:
    dice, spread = SeededDice(seed), schedule.FIRST_SPREADS[True, True]
    tenths = [0] * 10
    for _ in range(CROWD):
        at = schedule.first_try(NOW, booted=True, licensed=True, dice=dice)
        tenths[min(9, (at - NOW) * 10 // spread)] += 1
    assert max(tenths) < 1.4 * CROWD / 10
    assert min(tenths) > 0.6 * CROWD / 10


def test_whoever_waits_longest_has_a_licence_meanwhile() -> None:
    spreads = schedule.FIRST_SPREADS
    assert spreads[True, True] > spreads[True, False]
    assert spreads[False, True] > spreads[False, False]
    assert max(spreads.values()) < schedule.LONGEST_UNSIGNED


@pytest.mark.parametrize(
    ("name", "share"),
    [
        # The most in one second, as a share of the crowd: that of 1,800 seconds and luck.
        ("power returns", 0.01),
        ("first day", 0.03),
        ("network comes late", 0.05),
        ("eight weeks", 0.005),
    ],
)
def test_a_crowd_is_no_storm(bench: ModuleType, name: str, share: float) -> None:
    (scene,) = [scene for scene in bench.SCENES if scene.name == name]
    found = bench.measure(scene, CROWD)
    assert found.tries >= CROWD
    assert found.answered <= share * CROWD


def test_the_picture_shows_every_scene(bench: ModuleType) -> None:
    text = bench.PICTURE.read_text("utf-8")
    for scene in bench.SCENES:
        assert f"{scene.name}: hosts answer at most" in text
