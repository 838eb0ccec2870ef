"""Enrolment by acts: what is done twice changes nothing, and labels name publishers."""

from __future__ import annotations

import pytest
from tests.host.conftest import HOST_FACTS, World

from muster.core.errors import MusterError
from muster.host import look
from muster.host.act import enrol


def test_a_key_is_installed_once_and_removed_with_its_publisher(world: World) -> None:
    assert not enrol.pin(world.opened, [world.publisher.file()]).changed
    text = world.publisher.host_key("server").text
    first = enrol.install_key(world.opened, text, HOST_FACTS, "contoso")
    assert (first.changed, first.label, first.activated) == (True, "contoso", False)
    assert first.survives_reinstall
    assert not enrol.install_key(world.opened, text, HOST_FACTS).changed
    assert enrol.remove_key(world.opened, first.partial).key == first.key
    with pytest.raises(MusterError, match="host/unknown-key"):
        enrol.remove_key(world.opened, first.partial)
    assert enrol.remove_publisher(world.opened, "contoso").publisher == world.id
    assert look.status(world.opened).publishers == ()
    with pytest.raises(MusterError, match="host/unknown-publisher"):
        enrol.remove_publisher(world.opened, "contoso")
