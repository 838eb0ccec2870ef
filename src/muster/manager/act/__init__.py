"""Wishes of administrators of a fleet: each is one function, one transaction and one audit row, and
returns a frozen record of `muster.manager.results`."""
