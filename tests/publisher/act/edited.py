"""A catalogue with edits, for the tests of acts."""

from __future__ import annotations

from muster.publisher.catalogue_file import parse_catalogue_file, sample
from muster.publisher.model import Content


def content(*edits: tuple[str, str]) -> Content:
    """The sample with edits, each of which must apply."""
    text = sample().decode()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return parse_catalogue_file(text.encode()).content


MORE = """
[[groups]]
number = 11
id = "office-2013"
covers = ["office-2010"]

[[products]]
id = "contoso-office-2013"
application = "contoso-office"
group = "office-2013"
need = 5
name = "Contoso Office 2013"

[[conversions]]"""
