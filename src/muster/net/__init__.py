"""The network: bounded HTTP, DNS, dynamic update, the HTTP door of servers."""
