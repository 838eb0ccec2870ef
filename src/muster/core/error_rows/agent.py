"""Errors of the agent of a machine and its sockets (docs/spec/14-agent.md)."""

from __future__ import annotations

from muster.core.errors import Kind, Retry, Row

ROWS = (
    Row(
        code="agent/root-only",
        kind=Kind.REFUSAL,
        http=403,
        retry=Retry.NEVER,
        what="This socket of the agent takes no changes.",
        why="Everybody may ask here, programs in containers too, and their root has the same user id as that of the machine.",
        fix="As root of the machine, ask {socket}, or run the command 'muster client'.",
    ),
    Row(
        code="agent/busy",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.LATER,
        what="The agent answers as many connections as it takes: {limit}.",
        why="Some program opens many connections to it, or keeps them open.",
        fix="Ask again in {retry_after} seconds; close connections that are not used.",
    ),
    Row(
        code="agent/late",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.LATER,
        what="A task of the agent had no end after {seconds} seconds and was stopped.",
        why="A library, a disk or a name service did not answer.",
        fix="Nothing: the agent tries again. If it comes back, run 'muster client activate' and look where it stops.",
    ),
    Row(
        code="agent/failed",
        kind=Kind.FAULT,
        http=500,
        retry=Retry.LATER,
        what="A task of the agent ended without a result.",
        why="It was ended by somebody or by the system, or this is a defect of Muster; the log of the agent says more.",
        fix="Read the agent's log. The agent tries again by itself.",
    ),
    Row(
        code="agent/stopping",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.LATER,
        what="The agent is stopping.",
        why="Somebody stopped or restarted it.",
        fix="Ask again when it runs.",
    ),
    Row(
        code="agent/silent",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.LATER,
        what="The agent at {socket} did not answer: {detail}.",
        why="It does not run, is overloaded, or something else listens there.",
        fix="Start it: 'muster client agent', or the service muster-agent.",
    ),
    Row(
        code="agent/stranger",
        kind=Kind.FAULT,
        http=503,
        retry=Retry.AFTER_FIX,
        what="The socket {socket} was opened by the user {user}, who is not root.",
        why="What it says about licences counts for nothing.",
        fix="Remove it, and start the agent as root.",
    ),
    Row(
        code="agent/platform",
        kind=Kind.USAGE,
        http=400,
        retry=Retry.NEVER,
        what="The agent runs on Linux only.",
        why="It sleeps by means of the Linux kernel.",
        fix="Run 'muster client activate --if-due' every 15 minutes by the scheduler of this system.",
    ),
)
