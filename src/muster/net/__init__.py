"""The network: bounded HTTP, DNS, dynamic update, the HTTP router of servers."""
