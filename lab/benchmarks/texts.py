"""The texts that are sent: 100 characters, plain or with a number by which their arrival is timed; and words."""

import functools
import itertools
import random

TEXT_CHARACTERS = 100
COMMON_WORDS = ("everywhere", "always")
"""In each of `worded_texts`, in this order, and never side by side."""
RARE_WORD = "seldom"
PREFIX = "ev"  # of "everywhere", and of other words
_VOCABULARY = 30_000
_WORDS_A_TEXT = 12
_RARE_ONE_IN = 50_000


def plain_texts(count: int) -> list[str]:
    """Texts that differ."""
    return [f"{number:08d} ".ljust(TEXT_CHARACTERS, "x") for number in range(count)]


def timed_text(number: int) -> str:
    """A text whose arrival is timed."""
    return f"@{number:08d} ".ljust(TEXT_CHARACTERS, "x")


def sequence_in(text: str) -> int:
    """The number in a timed text."""
    return int(text[1:9])


def worded_texts(count: int) -> list[str]:
    """Texts of words, of which the n-th is 1/n as frequent as the first, as in languages (Zipf's law)."""
    words, weights = _vocabulary()
    return [_worded_text(words, weights) for _ in range(count)]


def _worded_text(words: list[str], weights: list[float]) -> str:
    chosen = random.choices(words, cum_weights=weights, k=_WORDS_A_TEXT)
    if random.randrange(_RARE_ONE_IN) == 0:
        chosen.append(RARE_WORD)
    return " ".join([COMMON_WORDS[0], *chosen, COMMON_WORDS[1]])


@functools.cache
def _vocabulary() -> tuple[list[str], list[float]]:
    """The same words every time, and their weights, added up."""
    letters = random.Random(1)
    words = [
        "".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=letters.randint(3, 9))) for _ in range(_VOCABULARY)
    ]
    return words, list(itertools.accumulate(1 / rank for rank in range(1, _VOCABULARY + 1)))
