"""Shipped for tests of Muster and of those who embed it: clock, worlds, faults, simulators."""
