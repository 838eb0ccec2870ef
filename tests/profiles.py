"""How many examples a property tries, and with which seeds: the one place that says so.

    fast   always the same examples; make test
    deep   fifty times as many, always the same
    fresh  ten times as many, from a new seed each run; make torture
    first  those of fast, up to the first that fails, as it was found; make mutants

The environment variable HYPOTHESIS_PROFILE names one. Where a property of a fresh run fails, the
summary says how to play the run again. A plugin of pytest; tests/conftest.py loads it.
"""

from __future__ import annotations

import os
import secrets

import pytest
from hypothesis import HealthCheck, Phase, settings

EXAMPLES = 100
"""Of a property that asks for no number of its own, by the profile `fast`."""
TIMES = {"fast": 1, "deep": 50, "fresh": 10, "first": 1}
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "fast")

for _name, _times in TIMES.items():
    settings.register_profile(
        _name,
        max_examples=EXAMPLES * _times,
        deadline=None,
        derandomize=_name != "fresh",
        database=None,
        print_blob=True,
        phases=(Phase.explicit, Phase.generate) if _name == "first" else tuple(Phase),
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(PROFILE)


def examples(fast: int = EXAMPLES, *, shared: bool = False) -> settings:
    """Settings of a property whose examples are dear, or many.

    Args:
        fast: how many by the profile `fast`; as many times more as the profile says.
        shared: all examples share the fixtures of their test, and may.
    """
    suppressed = [HealthCheck.too_slow]
    if shared:
        suppressed.append(HealthCheck.function_scoped_fixture)
    return settings(
        max_examples=fast * TIMES[PROFILE],
        suppress_health_check=suppressed,
    )


def lives(fast: int, steps: int) -> settings:
    """Settings of a state machine: lives by the profile `fast`, and the most steps of each."""
    return settings(
        max_examples=fast * TIMES[PROFILE],
        stateful_step_count=steps,
        suppress_health_check=list(HealthCheck),
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A fresh run draws its seed here, so that workers have the same and it can be named."""
    if PROFILE == "fresh" and config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(secrets.randbits(64))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    failed = [one.nodeid for one in terminalreporter.getreports("failed")]
    if PROFILE == "fresh" and failed:
        terminalreporter.section("to play it again")
        for name in failed:
            terminalreporter.write_line(
                f"HYPOTHESIS_PROFILE=fresh python -m pytest "
                f"--hypothesis-seed={config.option.hypothesis_seed} '{name}'"
            )
