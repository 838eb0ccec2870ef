"""Answers hosts and machines that do not ask over HTTP: by file, and at the telephone desk.

Decides what an engineer is told and what the asker is given. How an activation is judged and drawn
is decided in `muster.publisher.activations`, for every channel alike.
"""

from __future__ import annotations

from muster.publisher.activations import Activations
from muster.publisher.office import Office
from muster.publisher.results import Confirmed, DeskAnswer, HostActivated, HostAnswer
from muster.wire.exchange import ReplyFile
from muster.wire.publisher import ConfirmRequest


def activate_host(office: Office, request: ConfirmRequest, channel: str) -> HostAnswer:
    """Answer a host with its grant; the same host gets the same answer, for one activation.

    Args:
        request: the installation ID, and what the host calls itself.
        channel: through which it came, for the audit: "file" or "desk".
    Raises: as `Activations.activate_host`.
    """
    activations = Activations(office.store, office.vault, office.clock)
    found = activations.activate_host(request.installation_id, channel, name=request.name)
    grant = found.grant
    shown = HostActivated(
        changed=found.drawn,
        grant=grant.jti,
        key=grant.key,
        hardware=grant.hw,
        day=grant.day,
        term_days=grant.term * 30,
        confirmation_id=grant.confirmation,
    )
    return HostAnswer(shown, ReplyFile(office.publisher.id, found.answer))


def confirm(office: Office, installation_id: str, channel: str) -> DeskAnswer:
    """Answer any installation ID, of a host or of a machine, with its confirmation ID.

    Args:
        installation_id: as typed or read.
        channel: through which it came, for the audit: "file" or "desk".
    Raises: as `Activations.activate`.
    """
    activations = Activations(office.store, office.vault, office.clock)
    found = activations.activate(installation_id, channel)
    own = office.publisher.id
    shown = Confirmed(found.drawn, own, found.answer.confirmation_id)
    return DeskAnswer(shown, ReplyFile(own, found.answer))
