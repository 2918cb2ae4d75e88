"""The commands name their options where the library names parameters."""

from __future__ import annotations

import pytest

from pyrochat.terminal.hints import as_options


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("choose another data=", "choose another --data"),
        ("give tls_cert= and tls_key=, or none", "give --tls-cert and --tls-key, or none"),
        ('name its address (at="HOST:PORT")', "name its address (--at HOST:PORT)"),
        ("a port=5 that somebody wrote, and key=", "a port=5 that somebody wrote, and key="),
    ],
)
def test_found_29_parameters_are_shown_as_options(said: str, shown: str) -> None:
    assert as_options(said) == shown
