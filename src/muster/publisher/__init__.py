"""The publisher wing: catalogue, keys, trust and the activation of hosts."""
