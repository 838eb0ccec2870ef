"""Folders of each platform, clock and dice."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from muster.core.clock import Clock, Dice
from muster.core.errors import MusterError
from muster.system import paths
from muster.system.clock import SystemClock
from muster.system.entropy import SeededDice, SystemDice

HOME = Path("/home/anna")


def test_linux() -> None:
    found = paths.places("linux", {}, HOME)
    assert found.system_store == Path("/var/lib/muster")
    assert found.user_store == HOME / ".local/state/muster"
    assert found.system_config == Path("/etc/muster/muster.toml")
    assert found.user_config == HOME / ".config/muster/muster.toml"
    assert found.runtime == Path("/run/muster")


def test_linux_with_xdg() -> None:
    env = {"XDG_STATE_HOME": "/state", "XDG_CONFIG_HOME": "relative"}
    found = paths.places("linux", env, HOME)
    assert found.user_store == Path("/state/muster")
    assert found.user_config == HOME / ".config/muster/muster.toml"


def test_other_platforms() -> None:
    mac = paths.places("darwin", {}, HOME)
    assert mac.system_store == Path("/Library/Application Support/Muster/store")
    windows = paths.places("win32", {"PROGRAMDATA": "D:/Data"}, HOME)
    assert windows.system_store == Path("D:/Data/Muster/store")
    assert windows.user_store == HOME / "AppData/Local/Muster/store"


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("home", [".", "relative/folder"])
def test_without_a_home_folder_the_named_paths_are_enough(platform: str, home: str) -> None:
    env = {"HOME": home, "XDG_STATE_HOME": "x", "XDG_CONFIG_HOME": "y", "LOCALAPPDATA": "z"}
    found = paths.places(platform, env)
    assert (found.user_store, found.user_config) == (None, None)
    assert found.configs == (found.system_config,)
    env["MUSTER_STORE"] = "/named"
    assert paths.store_root(None, env, where=found, privileged=False) == Path("/named")
    assert paths.store_root("/flag", {}, where=found, privileged=False) == Path("/flag")
    with pytest.raises(MusterError) as caught:
        paths.store_root(None, {}, where=found, privileged=False)
    assert caught.value.code == "file/no-home"
    assert "MUSTER_STORE" in caught.value.fix


def test_an_empty_home_is_that_of_the_user_and_xdg_needs_none() -> None:
    assert paths.places("linux", {"HOME": ""}) == paths.places("linux", {})
    env = {"HOME": ".", "XDG_STATE_HOME": "/state", "XDG_CONFIG_HOME": "/config"}
    found = paths.places("linux", env)
    assert found.user_store == Path("/state/muster")
    assert found.user_config == Path("/config/muster/muster.toml")


def test_which_store(tmp_path: Path) -> None:
    where = paths.Places(
        system_store=tmp_path / "system",
        user_store=tmp_path / "user",
        system_config=tmp_path,
        user_config=tmp_path,
        runtime=tmp_path,
    )
    env = {"MUSTER_STORE": "/env"}
    assert paths.store_root("/flag", env, where=where, privileged=True) == Path("/flag")
    assert paths.store_root(None, env, where=where, privileged=True) == Path("/env")
    assert paths.store_root(None, {}, where=where, privileged=True) == where.system_store
    assert paths.store_root(None, {}, where=where, privileged=False) == where.user_store
    # Five users of one machine are one machine as soon as somebody installed a system store.
    where.system_store.mkdir()
    assert paths.store_root(None, {}, where=where, privileged=False) == where.system_store


def test_stores_of_roles_have_names_of_their_own() -> None:
    root = Path("/r")
    names = {
        paths.client_store(root, "a" * 16),
        paths.host_store(root),
        paths.publisher_store(root),
    }
    assert len(names) == 3


def test_clock_keeps_the_protocol_and_no_environment_shifts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock: Clock = SystemClock()
    before = clock.now()
    monkeypatch.setenv("MUSTER_NOW", "5")
    assert isinstance(clock.now(), int)
    assert 0 <= clock.now() - before < 60
    assert clock.monotonic() <= clock.monotonic()


@pytest.mark.parametrize("dice", [SystemDice(), SeededDice(1), SeededDice("seed")])
def test_dice_keep_the_protocol(dice: Dice) -> None:
    assert all(0 <= dice.random() < 1 for _ in range(100))
    assert {dice.below(3) for _ in range(200)} == {0, 1, 2}
    assert dice.below(1) == 0
    assert len(dice.token(16)) == 16


def test_seeded_dice_fall_alike() -> None:
    one, two, other = SeededDice(7), SeededDice(7), SeededDice(8)
    assert [one.below(1000) for _ in range(9)] == [two.below(1000) for _ in range(9)]
    assert one.token(8) == two.token(8) != other.token(8)


def test_a_home_that_this_user_may_not_enter_is_none() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    # In a program of its own: a copy of this one, which may have threads, could hang. It becomes
    # the other user by itself, for that user may not be able to read where Python lies.
    script = (
        "import os, sys; from muster.system import paths;"
        " os.setgroups([]); os.setresgid(12_345, 12_345, 12_345);"
        " os.setresuid(12_345, 12_345, 12_345);"
        " found = paths.places('linux', {'HOME': sys.argv[1]});"
        " print(found.user_config, found.user_store)"
    )
    with tempfile.TemporaryDirectory() as home:  # root's alone
        line = [sys.executable, "-c", script, home]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "None None\n"
