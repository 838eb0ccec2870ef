"""What our pages promise names the test that proves it (tests/promises.toml, docs/promises.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.promises import Entry, Unit, all_units, entries, judge, units
from tests.docs.records import RecordError, missing_test

PAGE = """\
# Title

First **promise.** Second
one; with [a link](x.md). `Third` one.

- **Item.** It goes
  on. 1.5 is no end.

```
No sentence here.
```

| a | b |
|---|---|
| one | `two` |
| | three |

## Next

Last?
"""


def test_every_sentence_and_row_has_its_entry_and_every_entry_its_sentence() -> None:
    assert not judge(all_units(), entries()).wrong


def test_every_test_of_a_promise_exists() -> None:
    wrong = [
        f"{entry.says}: {missing_test(test)}"
        for entry in entries()
        for test in entry.tests
        if missing_test(test) is not None
    ]
    assert not wrong


def test_a_page_is_cut_into_sentences_and_rows() -> None:
    found = units("p.md", PAGE, prose=True)
    assert [(one.heading, one.head, one.text) for one in found] == [
        ("Title", "", "First promise."),
        ("Title", "", "Second one; with a link."),
        ("Title", "", "`Third` one."),
        ("Title", "", "Item."),
        ("Title", "", "It goes on."),
        ("Title", "", "1.5 is no end."),
        ("Title", "a | b", "one | `two`"),
        ("Title", "a | b", "three"),
        ("Next", "", "Last?"),
    ]
    assert [one.text for one in units("p.md", PAGE, prose=False)] == ["one | `two`", "three"]


def entry(says: str, *, table: bool = False) -> Entry:
    return Entry("p.md", says, table, ("t",), "")


def test_a_new_sentence_and_a_reworded_one_are_noticed() -> None:
    found = [Unit("p.md", "h", "", "It holds."), Unit("p.md", "h", "a | b", "one | two")]
    good = [entry("It holds."), entry("one | two")]
    assert not judge(found, good).wrong
    assert not judge(found, [entry("It h…"), entry("a | b", table=True)]).wrong
    whole = entry("a | b", table=True)
    assert judge(found, [*good, whole]).wrong == ("p.md: nothing there says: a | b",)
    assert judge(found, good[:1]).wrong == ("p.md: no entry is about: one | two",)
    assert judge(found[:1], good).wrong == ("p.md: nothing there says: one | two",)
    assert judge(found, [*good, entry("It…")]).wrong == ("p.md: 2 entries are about: It holds.",)
    elsewhere = Entry("q.md", "It holds.", False, ("t",), "")
    assert len(judge(found, [elsewhere, good[1]]).wrong) == 2


@pytest.mark.parametrize(
    "text",
    [
        "no toml",
        '[[promise]]\npage = "p"\nsays = "s"\ntests = []\n',
        '[[promise]]\npage = "p"\nsays = "s"\nwhy = "w"\n',
        '[[promise]]\npage = "p"\nsays = "s"\n',
        '[[explanation]]\npage = "p"\nsays = "s"\nwhy = ""\n',
        '[[explanation]]\npage = "p"\nsays = "s"\nwhy = "w"\ntests = ["t"]\n',
        '[[other]]\npage = "p"\n',
    ],
)
def test_an_entry_that_proves_nothing_and_explains_nothing_is_refused(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "promises.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError):
        entries(path)
