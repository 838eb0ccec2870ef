"""The doctor: what client and host look at, by which rules, and how they report it."""
