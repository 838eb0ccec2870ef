"""What crosses between roles: bytes to frozen types and back (docs/spec/08-http.md)."""
