"""What an engineer of the publisher wishes: each act one function, one transaction, audited.

An act returns a frozen result that says whether it changed anything. Obeys
docs/spec/03-trust-and-catalogue.md.
"""
