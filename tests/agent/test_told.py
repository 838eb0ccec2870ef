"""What processes of the agent tell each other becomes the records that it was made of."""

from __future__ import annotations

import json
from pathlib import Path

from muster.agent import told
from muster.client.agent_results import AgentActivation
from muster.client.agent_state import AgentProduct, AgentRun
from muster.core.catalogue import error
from muster.core.records import encode, error_record
from muster.core.states import LicenceState
from muster.wire.problem import encode_problem


def test_a_record_is_the_same_again() -> None:
    product = AgentProduct("desktop-pro", "a" * 16, True, LicenceState.LICENSED, None)
    fault = error_record(error("agent/late", seconds="60"))
    for run in (AgentRun(5, "keep", (product,), None), AgentRun(5, "wish", (), fault)):
        assert told.decode(AgentRun, json.loads(json.dumps(encode(run)))) == run


def test_members_that_hold_nothing_are_kept() -> None:
    empty = AgentActivation(products=(), changed=False, coalesced=True, retry_after=7)
    assert told.decode(AgentActivation, encode(empty)) == empty


def test_an_error_keeps_its_texts_whatever_their_parameters_were() -> None:
    # A path is no parameter that JSON can say: it is in the texts alone.
    fault = error("agent/root-only", socket=Path("/run/muster/root.sock"))
    record = encode(error_record(fault))
    assert record["params"] == {}
    again = told.ToldError(record)
    assert encode(error_record(again)) == record
    assert (again.what, str(again)) == (fault.what, str(fault))
    assert encode_problem(again)[0] == encode_problem(fault)[0]
