"""Who is mentioned: ``@name``, wherever a text has it.

A name ends where the longest name ends that is known, so what follows needs no space: ``@Erickさん``, ``@Erick.Then``.
``@Ericka`` and ``@Erick-2`` are somebody else, and ``me@erick`` an address: letters of a script that is written with spaces belong together.
"""

import unicodedata
from collections.abc import Collection, Iterator
from typing import NamedTuple

from pyrochat.values.rules import MAX_NAME_CHARACTERS, fold
from pyrochat.values.scripts import is_unspaced

_AT = frozenset("@＠﹫")
_MOST = 100  # of one text: each costs a look at all names that begin so
_fold = fold.__wrapped__  # pieces of texts would only fill its cache


EVERYBODY = ("all", "here")
"""``@all`` and ``@here`` mention all members, where nobody is called so."""


class Mention(NamedTuple):
    """``text[start:end]`` with its @ mentions *member*, a folded name."""

    start: int
    end: int
    member: str


def find_mentions(text: str, members: Collection[str]) -> Iterator[Mention]:
    """The mentions of *members* (folded names) in *text*, in order; the first hundred @ are looked at."""
    longest = max(map(len, members), default=0)
    places = [index for index, character in enumerate(text) if character in _AT][:_MOST]
    for start in places:
        if _is_in_word(text[start - 1 : start]) or _is_in_link(text, start):
            continue
        for end in range(min(len(text), start + 1 + min(2 * longest, 2 * MAX_NAME_CHARACTERS)), start + 1, -1):
            member = _fold(text[start + 1 : end])
            if member in members and not _goes_on(text, end):
                yield Mention(start, end, member)
                break


def mentions(text: str, name: str, others: Collection[str] = ()) -> bool:
    """Whether *text* mentions *name*, or everybody. others: the folded names of those who may be meant instead."""
    own = fold(name)
    meant = {own, *(word for word in EVERYBODY if word not in others)}
    return any(mention.member in meant for mention in find_mentions(text, {*meant, *others}))


def _goes_on(text: str, end: int) -> bool:
    """Whether a name that ends there may be the beginning of a longer one."""
    following, after = text[end : end + 1], text[end + 1 : end + 2]
    if following == "-":
        return _is_in_word(after)
    is_joined = following == "_" or (following != "" and unicodedata.category(following)[0] == "M")
    return is_joined or (_is_in_word(following) and not is_unspaced(text[end - 1]))


def _is_in_link(text: str, at: int) -> bool:
    begin = max(text.rfind(space, 0, at) for space in " \n\t")
    return "://" in text[begin + 1 : at]


def _is_in_word(character: str) -> bool:
    return character != "" and unicodedata.category(character)[0] in "LN" and not is_unspaced(character)
