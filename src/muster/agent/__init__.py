"""The agent of a machine: keeps its products licensed, and answers programs at two sockets.

A keeper that sleeps, and children that end (ADR 0022). The keeper imports `daemon`, `agenda` and
`child` only, and the records that it tells; what its children need, they import themselves.
"""
