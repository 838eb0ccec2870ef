"""Write the vectors of signed objects, or say whether the files are current.

    python tests/vectors/make.py            write the files
    python tests/vectors/make.py --check    compare; exit status 1 when one is out of date

The makers in `making/` follow docs/spec and import nothing of Muster. All keys follow from
labels and Ed25519 is deterministic, so that every run gives the same bytes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ORIGIN = (
    "Made by tests/vectors/make.py from docs/spec alone, without Muster's own code; "
    "keys follow from labels. Format: tests/vectors/README.md."
)


def makers() -> dict[str, Callable[[], dict[str, Any]]]:
    """The files by format name."""
    root = str(HERE.parents[1])
    if root not in sys.path:
        sys.path.insert(0, root)
    from tests.vectors.making.confirmations import confirmations
    from tests.vectors.making.grants import grants
    from tests.vectors.making.licences import licences
    from tests.vectors.making.names import names
    from tests.vectors.making.points import keys
    from tests.vectors.making.sites import sites
    from tests.vectors.making.terms import terms
    from tests.vectors.making.trusts import catalogues, trusts
    from tests.vectors.making.typed import typed

    return {
        "licences": licences,
        "trust": trusts,
        "catalogues": catalogues,
        "grants": grants,
        "keys": keys,
        "names": names,
        "typed": typed,
        "terms": terms,
        "sites": sites,
        "confirmations": confirmations,
    }


def text_of(name: str, content: dict[str, Any]) -> str:
    """One case a line, so that a change shows in a diff."""
    lines = [f'"origin":{json.dumps(ORIGIN)}', f'"format":{json.dumps(name)}']
    for world, value in content.get("worlds", {}).items():
        lines.append(f"{json.dumps(world)}:{_line(value)}")
    head = lines[:2]
    worlds = ",\n".join(lines[2:])
    if worlds:
        head.append(f'"worlds":{{\n{worlds}\n}}')
    cases = ",\n".join(_line(case) for case in content["cases"])
    head.append(f'"cases":[\n{cases}\n]')
    return "{\n" + ",\n".join(head) + "\n}\n"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit status."""
    check = arguments == ["--check"]
    if arguments and not check:
        print(__doc__, file=sys.stderr)
        return 2
    stale = []
    for name, make in makers().items():
        path = HERE / f"{name}.json"
        text = text_of(name, make())
        if check:
            if not path.exists() or path.read_text("utf-8") != text:
                stale.append(path.name)
        else:
            path.write_text(text, "utf-8")
    if stale:
        print(f"out of date: {', '.join(stale)}; run python tests/vectors/make.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
