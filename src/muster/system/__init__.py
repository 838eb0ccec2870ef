"""The machine: clock, entropy, files, configuration, log and paths, per platform."""
