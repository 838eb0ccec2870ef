"""The picture in the README shows what `muster demo` shows; and the whole demo at a terminal."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.docs import picture


@pytest.mark.real
@pytest.mark.timeout(240)
def test_it_is_what_a_terminal_shows(tmp_path: Path) -> None:
    lines = picture.play(tmp_path)
    assert list(tmp_path.iterdir()) == [], "the demo left something behind"
    assert any(line.startswith("All numbers agree. ") for line in lines)
    assert not [line for line in lines if "━" in line], "the bars are gone at the end"
    shown = picture.PICTURE.read_text("utf-8")
    wrong = picture.differences(shown, picture.chosen(lines))
    assert not wrong, "\n".join(["python tests/docs/picture.py --write takes it over", *wrong])


def test_it_is_a_picture_of_its_own_lines() -> None:
    shown = picture.PICTURE.read_text("utf-8")
    assert picture.svg(picture.lines_of(shown)) == shown
    assert ElementTree.fromstring(shown).tag == "{http://www.w3.org/2000/svg}svg"  # ours


def test_another_number_is_a_difference_and_another_port_is_none() -> None:
    lines = ["25 of 25 are licensed", "at 127.0.0.1:1234", "id aaaaaaaaaaaaaaaa", "in <5> & 6"]
    shown = picture.svg(lines)
    assert picture.lines_of(shown) == lines
    assert picture.differences(shown, [*lines[:1], "at 127.0.0.1:9", *lines[2:]]) == []
    assert picture.differences(shown, ["24 of 25 are licensed", *lines[1:]])


def test_a_screen_is_read_as_a_terminal_draws_it() -> None:
    shown = "one\r\n\x1b[?25l  bar 1/2\r\x1b[2K  bar 2/2\r\n\x1b[1A\x1b[2K\x1b[32mtwo\x1b[0m\rTw"
    assert picture.screen(shown) == ["one", "Two", ""]
    with pytest.raises(ValueError, match="not known"):
        picture.screen("\x1b[5Z")
