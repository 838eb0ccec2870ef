"""What `muster verify` tells people of a file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from muster.cli.verified import JudgedFile, JudgedStep, ProvedFile, report_lines
from muster.core.catalogue import error

PROVED = ProvedFile(
    file="lease.jws",
    good=True,
    time=1_800_000_000,
    anchor="the descriptor",
    publisher="abcdefghijklmnop",
    publisher_name="Contoso",
    trust=3,
    roots=("r1", "r2"),
    catalogue=7,
    steps=(JudgedStep("A1", "The file can be read", "passed", None),),
    kind="lease",
    for_="abcdefghijklmnop/desktop-pro",
    machine="6f2f6f0e-0000-5000-8000-000000000001",
    issued_at=1_800_000_000,
    expires_at=1_800_000_000 + 180 * 86_400,
    revoked_at=None,
    grant="g1",
    key="AB123",
    signer="h1",
)


def told(report: JudgedFile) -> str:
    return "\n".join(report_lines(report, ()))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, "  Until:     2027-07-14 08:00:00 UTC"),
        ({"expires_at": None}, "  Until:     no end"),
        ({"kind": "notice"}, "  Until:     read once"),
        ({"machine": None}, "  Machine:   see step A6"),
        ({"kind": "mak", "signer": None}, "  Signed by: the publisher, grant g1 on key AB123"),
        ({}, "  Signed by: host h1, by grant g1 on key AB123"),
        ({}, "Lease for desktop-pro of Contoso (abcdefghijklmnop)"),
    ],
)
def test_lines_of_what_was_proved(change: dict[str, object], line: str) -> None:
    assert line in told(replace(PROVED, **change)).split("\n")  # type: ignore[arg-type]


def test_a_revoked_licence_is_called_so_beside_its_end() -> None:
    said = told(replace(PROVED, revoked_at=PROVED.time))
    assert "UTC (its grant or product is revoked since 2027-01-15 08:00:00 UTC)" in said


def test_nothing_is_told_of_what_nobody_proved() -> None:
    fault = error("licence/signer", detail="x")
    step = JudgedStep("A2", "The signer is the host's", "failed", fault)
    names = JudgedFile.__dataclass_fields__
    judged = JudgedFile(**{name: getattr(PROVED, name) for name in names})
    said = told(replace(judged, good=False, steps=(step,)))
    assert f"licence/signer: {fault.what}" in said
    for word in ("Lease", "desktop-pro", "Machine", "Until", "Signed by"):
        assert word not in said
