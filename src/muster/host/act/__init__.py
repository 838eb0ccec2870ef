"""What administrators wish of a host: one function a wish, one transaction, one frozen record."""
