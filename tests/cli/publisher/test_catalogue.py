"""`muster publisher catalogue`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.publisher.conftest import Desk


def test_catalogues(desk: Desk, tmp_path: Path) -> None:
    from muster.publisher.catalogue_file import sample

    file = tmp_path / "next.toml"
    text = sample().decode()
    file.write_text(text)
    assert desk.data("catalogue", "diff", str(file)) == {"catalogue": 1, "changes": []}
    assert desk.data("catalogue", "publish", str(file))["changed"] is False
    file.write_text(
        text.replace("[[conversions]]", '[[groups]]\nnumber = 20\nid = "new"\n[[conversions]]', 1)
    )
    change = {"what": "group", "id": "new", "how": "added", "fields": []}
    assert desk.data("catalogue", "diff", str(file))["changes"] == [change]
    assert "added group new" in desk.text("catalogue", "diff", str(file))
    found = desk.data("catalogue", "publish", str(file))
    assert (found["changed"], found["catalogue"], found["changes"]) == (True, 2, [change])
    assert desk.data("catalogue", "publish", str(file))["changed"] is False
    file.write_text(text)
    assert desk.refused("catalogue", "publish", str(file), code=1) == "publisher/catalogue-fixed"
    shown = desk.data("catalogue", "show")
    assert shown["catalogue"] == 2
    assert [one["id"] for one in shown["groups"]][-1] == "new"
    assert "server-c" in desk.text("catalogue", "show")
