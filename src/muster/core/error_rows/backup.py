"""Errors of backups of publishers and hosts (docs/publisher.md, docs/host.md, "Backup")."""

from __future__ import annotations

from muster.core.errors import Kind, Retry, Row

ROWS = (
    Row(
        code="backup/exists",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.NEVER,
        what="{path} already exists.",
        why="A backup never replaces another file.",
        fix="Choose a new name.",
    ),
    Row(
        code="backup/damaged",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.NEVER,
        what="Line {line} of {path} is not valid: {detail}.",
        why="The file is not a backup, was cut short, or was altered. Nothing was restored from it.",
        fix="Use another copy of the backup.",
    ),
    Row(
        code="backup/newer",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.AFTER_FIX,
        what="{path} was written by a newer version of Muster.",
        why="It may contain data that this version does not know.",
        fix="Restore it with that version or a later one.",
    ),
    Row(
        code="backup/not-empty",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="This database already contains a publisher or a host.",
        why="A restore fills an empty database.",
        fix="Choose another store. '--replace' moves the database that is there aside first; on a "
        "host '--merge' adds what the backup knows.",
    ),
    Row(
        code="backup/head",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The audit log in the backup ends at {held}, but the given head is {given}.",
        why="What was activated, issued or signed between the two is not in the backup; going on "
        "would sell it twice.",
        fix="Restore a later backup, or accept the loss with --accept-loss.",
    ),
    Row(
        code="backup/head-older",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The given audit head {given} was kept before the backup, whose audit log ends at {held}.",
        why="It is a row of the backup, so that nothing is missing up to there; what was activated, "
        "issued or signed after the backup it cannot know.",
        fix="Give a head that was kept when the backup was made or later. If the newest that is kept is "
        "older, accept with --accept-loss that activations after the backup are unknown.",
    ),
    Row(
        code="backup/head-foreign",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The given audit head {given} is not in the audit log of the backup, which ends at {held}.",
        why="The head was not copied whole, it is that of another publisher, or the backup is of "
        "another time line than the publisher that the head was kept of, or altered.",
        fix="Compare the head with what was written down. If it is right, restore another backup, or "
        "accept the loss with --accept-loss.",
    ),
    Row(
        code="backup/uncovered",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The audit head {head} does not cover everything in the backup.",
        why="Something was activated or changed while the backup was written, or an earlier version "
        "wrote it, whose audit head covers the audit log alone.",
        fix="Restore another backup, or accept the loss with --accept-loss.",
    ),
    Row(
        code="backup/in-use",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The database {path} is in use by another program.",
        why="A restore changes the database under it.",
        fix="Stop the service and other commands, and run this again.",
    ),
    Row(
        code="backup/other-host",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.NEVER,
        what="{path} is a backup of another host.",
        why="Neither the store nor a signing key of this host is the one in the backup. Machines of two "
        "hosts are counted apart.",
        fix="Use a backup of this host, or restore this one into a store of its own.",
    ),
    Row(
        code="backup/key-differs",
        kind=Kind.REFUSAL,
        http=409,
        retry=Retry.AFTER_FIX,
        what="The signing key {path} is not the one in the backup.",
        why="A key is never overwritten; the grant in the backup is bound to the other one.",
        fix="Move the key file away if it is not needed, or restore without --with-keys.",
    ),
    Row(
        code="publisher/restored",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.LATER,
        what="This publisher was restored from a backup, and new activations are on hold.",
        why="It does not know what was activated after the backup. Machines and hosts that it knows "
        "still get answers.",
        fix="The operator has to run 'muster publisher resume'. Ask again in {retry_after} seconds.",
    ),
)
