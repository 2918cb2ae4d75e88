"""Fixtures of the tests with processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.support import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Where a test starts its processes; all are gone at its end."""
    machine = Machine(tmp_path)
    yield machine
    machine.switch_off()
