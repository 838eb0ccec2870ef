"""The command `muster`: one file per noun."""
