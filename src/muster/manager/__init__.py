"""The manager: an inventory of machines, and what is done to many of them."""
