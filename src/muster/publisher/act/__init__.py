"""What an engineer of the publisher wishes: each act one function, one transaction, audited.

An act returns a frozen result that says whether it changed anything. It takes one transaction and
writes one row of the audit table, which names the catalogue that was signed for it. Rows of their
own have things that are looked for by their own name in later years: each product key of an issue,
each product of a publication, each grant that is dated again. Obeys
docs/spec/03-trust-and-catalogue.md.
"""
