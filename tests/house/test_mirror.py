"""Files of tests mirror the rooms of the source, and the list of those that do not only shrinks."""

from __future__ import annotations

from pathlib import Path

from tests.house import mirror

MOST = 92
"""Rooms without tests of their name. Lower it when the list gets shorter; never raise it."""


def test_every_file_of_tests_is_named_for_a_room() -> None:
    assert not mirror.strays()


def test_every_room_has_tests_of_its_name_or_is_listed() -> None:
    found = mirror.unmirrored()
    listed = mirror.listed()
    fresh = sorted(set(found) - set(listed))
    assert not fresh, "a room needs tests/<folder>/test_<module>.py"
    gone = sorted(set(listed) - set(found))
    assert not gone, "mirrored now, or gone: python tests/house/mirror.py --write"
    assert listed == found, "the list is in order"
    assert len(listed) <= MOST


# That the script sees what it counts.


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_files_are_matched_by_folder_and_name(tmp_path: Path) -> None:
    work = "def f() -> None: ...\n"
    source = written(
        tmp_path / "src",
        {
            "a/__init__.py": work,
            "a/key.py": work,
            "a/keys.py": work,
            "a/rows.py": "ROWS = 1\n",
            "b/key.py": work,
            "testing/fake.py": work,
        },
    )
    tests = written(
        tmp_path / "tests",
        {
            "test_a.py": "",
            "a/test_keys_twice.py": "",
            "a/test_rows.py": "",
            "attacks/test_x.py": "",
        },
    )
    assert mirror.rooms(source) == ["a/__init__.py", "a/key.py", "a/keys.py", "b/key.py"]
    assert mirror.unmirrored(source, tests) == ["a/key.py", "b/key.py"]
    assert mirror.mirrors_of("a/keys.py", tests) == ["a/test_keys_twice.py"]
    assert not mirror.strays(source, tests)
    written(tests, {"b/test_keys.py": "", "c/test_c.py": ""})
    assert mirror.strays(source, tests) == ["b/test_keys.py", "c/test_c.py"]
    assert mirror.shown(["a/b/c.py", "a/b/d.py", "e/f.py"]) == "  a/b: c d\n  e: f"
