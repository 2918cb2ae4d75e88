"""What somebody searches for: the words they typed, taken apart. Knows no index.

Words have to be in a message all together, in any order; ``"several words"`` in double quotes, just so;
``word*`` stands for all that begin so; ``from:NAME`` for a sender. Nothing else has a meaning of its own:
AND, OR, minus signs and brackets are words, or nothing.
"""

import re
import unicodedata
from typing import NamedTuple

from pyrochat.values.errors import InvalidArgument, InvalidName
from pyrochat.values.rules import checked_name, fold
from pyrochat.values.scripts import UNSPACED

MAX_QUERY_CHARACTERS = 200
MAX_QUERY_TERMS = 10

_PIECE = re.compile(r'"(?P<phrase>[^"]*)"?(?P<star>\*?)|(?P<word>[^\s"]+)')
_FROM = "from:"


class Term(NamedTuple):
    """One word, or a phrase. is_prefix: its last word only has to begin so."""

    text: str
    is_prefix: bool = False


class Query(NamedTuple):
    """Messages with all of *terms*, of one of *senders* (folded names; none: of anybody). Not both are empty."""

    terms: tuple[Term, ...]
    senders: tuple[str, ...] = ()


def in_words(text: str) -> str:
    """*text* as it is indexed and asked for: compatibility forms (``ﬁ``, ``Ｆ``) are what they stand for, and each
    character of a script that is written without spaces is a word, so several that follow each other are a phrase."""
    if text.isascii():
        return text
    return UNSPACED.sub(r" \g<0> ", unicodedata.normalize("NFKC", text))


def parse_query(words: object) -> Query:
    """What *words*, 1 to 200 characters, ask for; raises InvalidArgument."""
    if not isinstance(words, str):
        raise InvalidArgument(f"what to search for has to be text, not {type(words).__name__}")
    if len(words) > MAX_QUERY_CHARACTERS:
        raise InvalidArgument(f"the search has {len(words):,} characters: give it up to {MAX_QUERY_CHARACTERS}")
    terms: list[Term] = []
    senders: list[str] = []
    for piece in _PIECE.finditer("".join(map(_searchable, words))):
        word = piece["word"]
        if word is None:
            terms.append(Term(piece["phrase"], bool(piece["star"])))
        elif word.casefold().startswith(_FROM):
            senders.append(_sender(word[len(_FROM) :]))
        else:
            terms.append(Term(word.rstrip("*"), word.endswith("*")))
    terms = [term for term in terms if any(map(_is_in_words, term.text))]
    if not terms and not senders:
        raise InvalidArgument("nothing to search for: give a word with a letter or a digit, or from:NAME")
    if len(terms) + len(senders) > MAX_QUERY_TERMS:
        raise InvalidArgument(f"the search has {len(terms) + len(senders)} words: give it up to {MAX_QUERY_TERMS}")
    return Query(tuple(terms), tuple(senders))


def _sender(name: str) -> str:
    try:
        return fold(checked_name(name))
    except InvalidName as error:
        raise InvalidArgument(f"{_FROM} has to be followed by a member's name: {error}") from None


def _searchable(character: str) -> str:
    """Control characters and lone surrogates separate words; no index takes them."""
    return " " if unicodedata.category(character) in ("Cc", "Cs") else character


def _is_in_words(character: str) -> bool:
    """Whether words are made of such characters: of letters and digits, as in SQLite's tokenizer ``unicode61``."""
    return unicodedata.category(character)[0] in "LN"
