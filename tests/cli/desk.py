"""What desks of tests have in common: commands are typed, and what they print is read."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from muster.cli.main import muster


class Typist:
    """Types commands of one noun of `muster`, and checks their exit codes."""

    noun: str

    def type(self, *words: str, code: int = 0) -> Result:
        done = CliRunner().invoke(muster, (self.noun, *words), catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done

    def text(self, *words: str, code: int = 0) -> str:
        return self.type(*words, code=code).stdout

    def data(self, *words: str, code: int = 0) -> dict[str, Any]:
        value = json.loads(self.type(*words, "--json", code=code).stdout)
        assert isinstance(value, dict)
        return value

    def error(self, *words: str, code: int) -> str:
        """The code of what is refused, the same in JSON and in text, which also tells the fix."""
        found = self.data(*words, code=code)["error"]
        shown = self.type(*words, code=code).stderr
        assert found["code"] in shown
        assert "Fix:" in shown
        return str(found["code"])
