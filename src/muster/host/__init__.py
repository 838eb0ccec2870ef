"""The host wing: counts machines and answers with leases."""
