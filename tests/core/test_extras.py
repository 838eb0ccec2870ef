"""muster.core.extras: a missing package is an error of the catalogue, another failure is not."""

from __future__ import annotations

import pytest

from muster.core.errors import Fault
from muster.core.extras import brought_by


def test_a_missing_package_names_the_extra_that_brings_it() -> None:
    with pytest.raises(Fault) as caught, brought_by("host", "A picture"):
        import no_such_package_anywhere  # type: ignore[import-not-found]  # noqa: F401
    fault = caught.value
    assert fault.code == "command/extra"
    assert fault.what == (
        "A picture needs a part that is not installed: No module named 'no_such_package_anywhere'."
    )
    assert "pip install 'muster-activation[host]'" in fault.fix


def test_what_is_there_is_imported_and_another_failure_is_passed_on() -> None:
    with brought_by("host", "A picture"):
        import json
    assert json
    with pytest.raises(ZeroDivisionError), brought_by("host", "A picture"):
        _ = 1 // 0
