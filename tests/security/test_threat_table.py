"""docs/security.md names a test for every threat, and the tests are there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
NAMED = re.compile(r"`((?:\w+/)*test_\w+\.py)::(test_\w+)`")


def test_every_threat_has_a_test_that_is_there() -> None:
    text = (HERE.parents[1] / "docs" / "security.md").read_text().partition("## Threats and their tests")[2]
    rows = [row for row in text.splitlines() if row.startswith("| ") and "---" not in row][1:]
    named = [NAMED.search(row) for row in rows]
    assert len(rows) > 20
    assert all(named), "a threat without a test"


def test_each_test_that_is_named_is_there() -> None:
    named = list(NAMED.finditer((HERE.parents[1] / "docs" / "security.md").read_text()))
    assert len(named) > 60
    assert [name[0] for name in named if f"def {name[2]}(" not in file_of(name[1]).read_text()] == []


def file_of(name: str) -> Path:
    """A file of this folder, or one that is named with its folder in tests."""
    return HERE.parent / name if "/" in name else HERE / name
