"""Recorded machines laid out as trees of /sys, /proc and /etc."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

READINGS = Path(__file__).resolve().parent / "readings"


def recorded(name: str) -> dict[str, Any]:
    """A reading: `source`, `files` and `links` of the tree, `facts` that follow, `whys`."""
    found: dict[str, Any] = json.loads((READINGS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def names() -> list[str]:
    """All recorded machines."""
    return sorted(path.stem for path in READINGS.glob("*.json"))


def lay_out(root: Path, reading: dict[str, Any]) -> Path:
    """Write the tree of a reading under an empty folder."""
    for name, text in reading.get("files", {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    for name, target in reading.get("links", {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return root
