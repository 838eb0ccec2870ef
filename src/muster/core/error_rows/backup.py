"""Errors of backups of a publisher (docs/publisher.md, "Backup")."""

from __future__ import annotations

from muster.core.errors import Kind, Retry, Row

ROWS = (
    Row(
        code="backup/exists",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.NEVER,
        what="{path} is there already.",
        why="A backup never replaces another file.",
        fix="Choose a new name.",
    ),
    Row(
        code="backup/damaged",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.NEVER,
        what="Line {line} of {path} is not right: {detail}.",
        why="The file is another one, was cut, or was altered. Nothing of it was taken.",
        fix="Take another copy of the backup.",
    ),
    Row(
        code="backup/newer",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{path} was written by a newer version of Muster.",
        why="It may hold what this version does not know.",
        fix="Restore it with that version or a later one.",
    ),
    Row(
        code="backup/not-empty",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="There is a publisher in this database.",
        why="A restore fills an empty database and never mixes two states.",
        fix="Choose another store, or another database with the setting 'database'.",
    ),
    Row(
        code="backup/head",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The audit log in the backup ends at {held}, the head given is {given}.",
        why="What was drawn, issued or signed between the two is unknown here; drawing on would "
        "sell it twice.",
        fix="Restore a later backup, or accept the loss with --accept-loss.",
    ),
    Row(
        code="publisher/restored",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.LATER,
        what="This publisher was restored from a backup, and new activations wait.",
        why="What was activated after the backup is not known to it. Machines and hosts that it "
        "knows are answered meanwhile.",
        fix="The operator runs 'muster publisher resume'. Ask again in {retry_after} seconds.",
    ),
)
