"""Tab completion: commands at the beginning, ``@names`` anywhere, ``#ids`` of what is on the screen, rooms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyrochat.values.rules import fold

_OF_PEOPLE = ("/msg", "/invite", "/remove", "/ignore")


@dataclass(frozen=True, slots=True)
class Words:
    """What there is to complete to. ids: what messages are called, the nearest first. themes: the names of colours."""

    commands: Sequence[str]
    names: Sequence[str]
    rooms: Sequence[str]
    ids: Sequence[str]
    themes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """start: where the word begins that is completed. choices: what can stand there instead, the best first."""

    start: int
    choices: tuple[str, ...]


def complete(text: str, words: Words) -> Completion:
    """What the end of *text*, up to the cursor, can become; no choices where there is nothing to complete."""
    word = "" if not text or text[-1].isspace() else text.rsplit(maxsplit=1)[-1]
    start = len(text) - len(word)
    before = text[:start]
    if word.startswith("#"):
        return Completion(start, tuple(f"#{id} " for id in words.ids if id.startswith(word[1:])))
    if word.startswith("/") and not before:
        return Completion(start, _matching(word, [f"{command} " for command in words.commands]))
    if before.strip() in ("/join", "/leave") and words.rooms:
        return Completion(start, _matching(word, words.rooms))
    if before.strip() == "/theme":
        return Completion(start, _matching(word, words.themes))
    if before.strip() in _OF_PEOPLE:
        return Completion(start, _matching(word, [f"{name} " for name in words.names]))
    if word.startswith("@"):
        return Completion(start, _matching(word, [f"@{name} " for name in words.names]))
    if not word:
        return Completion(start, ())
    mark = "@" if before.strip() else ""  # at the beginning somebody is addressed: "Ana: …"
    ending = " " if mark else ": "
    return Completion(start, _matching(mark + word, [f"{mark}{name}{ending}" for name in words.names]))


def _matching(word: str, choices: Iterable[str]) -> tuple[str, ...]:
    return tuple(choice for choice in choices if fold(choice).startswith(fold(word)))
