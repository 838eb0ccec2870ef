"""Words and laws of the domain: standard library only, no I/O, no clock, no dice."""
