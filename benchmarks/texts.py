"""The texts that are sent: 100 characters, plain or with a number by which their arrival is timed."""

from __future__ import annotations

__all__ = ["TEXT_CHARACTERS", "plain_texts", "sequence_in", "timed_text"]

TEXT_CHARACTERS = 100


def plain_texts(count: int) -> list[str]:
    """Texts that differ."""
    return [f"{number:08d} ".ljust(TEXT_CHARACTERS, "x") for number in range(count)]


def timed_text(number: int) -> str:
    """A text whose arrival is timed."""
    return f"@{number:08d} ".ljust(TEXT_CHARACTERS, "x")


def sequence_in(text: str) -> int:
    """The number in a timed text."""
    return int(text[1:9])
