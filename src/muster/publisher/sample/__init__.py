"""The sample catalogue: publisher Contoso (docs/publisher.md)."""
