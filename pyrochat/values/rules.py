"""The rules for what people type: names, room names, texts, keys.

One place for every limit of the contract. Each `checked_…` function returns the value in its normal
form or raises an `InvalidInput` that says what to do. Pure functions.
"""

import math
import os
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pyrochat.values.errors import (
    BatchTooLarge,
    InvalidArgument,
    InvalidInput,
    InvalidName,
    InvalidRoomName,
    InvalidText,
)
from pyrochat.values.message import CHAT, EDIT, REACT, REDACT, UNREACT

MAX_NAME_CHARACTERS = 32
CLOSED = "+"  # a closed room's id begins with it; no room that an operator names has it
MAX_TEXT_BYTES = 16_384
MAX_BATCH_TEXTS = 10_000
MAX_NAMES = 1_000
MAX_BATCH_BYTES = 900_000  # of UTF-8 in one call: with keys and framing it stays below 1 MiB
MAX_KEY_CHARACTERS = 64
MAX_REACTION_CHARACTERS = 16  # any emoji has fewer: a family of four with skin tones has 11
MAX_TOPIC_CHARACTERS = 300
MAX_ID = 1 << 62  # of a message, in an argument
MAX_SECONDS = 1e9  # of a wait, 31 years: what is added to a clock then, threads still take (threading.TIMEOUT_MAX)
_SERVERS_OWN = "server"  # pyrochat.server, beside pyrochat.<room>
_MOST_PARTS = 3  # of a closed room's name: two members, and the beginning of an id
MAX_MARKS = 3  # combining marks on one letter of a name

_NOT_IN_A_LINE = {"Cc", "Cs", "Zl", "Zp"}
_RIGHT_TO_LEFT = {"R", "AL"}
# Letters and marks that show as nothing: Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt)
# as far as it has the categories L, M or N, and the blank of Braille.
_INVISIBLE = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0x3164, 0x3164),
        (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)  # fmt: skip


@lru_cache(maxsize=16_384)
def fold(name: str) -> str:
    """The form in which names are compared: a compatibility caseless match (Unicode, section 3.13, D146)."""
    once = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", name).casefold())
    return unicodedata.normalize("NFKC", once.casefold())


def fold_before_nfkc(name: str) -> str:
    """The form in which versions of 2025 and earlier compared names: what they have stored is found by it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _checked_label(value: object, what: str, error: type[InvalidInput]) -> str:
    if not isinstance(value, str):
        raise error(f"the {what} has to be text, not {type(value).__name__}")
    label, shown = unicodedata.normalize("NFKC", value), unicodedata.normalize("NFC", value)
    for form in (shown, label):
        if not 1 <= len(form) <= MAX_NAME_CHARACTERS:
            raise error(f"the {what} has {len(form)} characters: give it 1 to {MAX_NAME_CHARACTERS}")
    for character in label + shown:
        category = unicodedata.category(character)[0]
        if (category not in "LMN" and character not in "_-.") or character in _INVISIBLE:
            raise error(f"the {what} has the character U+{ord(character):04X}: use letters, digits, '_', '-' and '.'")
    _check_marks(label, what, error)
    directions = {unicodedata.bidirectional(character) for character in label}
    if "L" in directions and directions & _RIGHT_TO_LEFT:
        raise error(f"the {what} mixes letters that are read from left to right with others: use one kind")
    if not any(unicodedata.category(character)[0] in "LN" for character in label):
        raise error(f"the {what} needs at least one letter or digit")
    return shown


def _check_marks(label: str, what: str, error: type[InvalidInput]) -> None:
    """Accents and vowel signs belong to a letter, and only a few to each (Unicode, section 2.11)."""
    in_a_row = MAX_MARKS
    for character in label:
        in_a_row = in_a_row + 1 if unicodedata.category(character)[0] == "M" else 0
        if in_a_row > MAX_MARKS:
            raise error(f"the {what} has accents without a letter, or more than {MAX_MARKS} on one: use fewer")


def checked_name(value: object) -> str:
    """A member's name, 1 to 32 characters, as it is spelled, in NFC; the rules hold for its NFKC form. Raises InvalidName."""
    return _checked_label(value, "name", InvalidName)


def checked_names(value: object) -> list[str]:
    """Names, 1,000 at the most; raises InvalidName, InvalidArgument."""
    if not isinstance(value, list | tuple | set | frozenset):
        raise InvalidArgument(f"names have to be a list, not {type(value).__name__}")
    if len(value) > MAX_NAMES:
        raise InvalidArgument(f"{len(value):,} names are given: {MAX_NAMES:,} are the most")
    return [checked_name(name) for name in value]


def checked_room_name(value: object) -> str:
    """A room's name, by the same rules; raises InvalidRoomName."""
    label = _checked_label(value, "room name", InvalidRoomName)
    if fold(label) == _SERVERS_OWN:
        raise InvalidRoomName(f"no room can be called {label!r}: the server itself is known by that name")
    return label


def checked_place(value: object) -> str:
    """What somebody calls a room that is to be joined: its name, or a closed one's, which may have a ``+`` between its parts.

    Raises InvalidRoomName.
    """
    if not isinstance(value, str) or CLOSED not in value:
        return checked_room_name(value)
    parts = value.split(CLOSED)
    if len(parts) > _MOST_PARTS:
        raise InvalidRoomName(f"there is no room {value!r:.100}: see which there are with rooms() or /rooms")
    return CLOSED.join(_checked_label(part, "room name", InvalidRoomName) for part in parts)


def checked_text(value: object) -> str:
    """A text of 1 to 16,384 bytes of UTF-8, unchanged; raises InvalidText."""
    if not isinstance(value, str):
        raise InvalidText(f"a message has to be text, not {type(value).__name__}")
    if not value:
        raise InvalidText("the message is empty: write something")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidText("the text has lone surrogates: it is not valid Unicode") from None
    if size > MAX_TEXT_BYTES:
        raise InvalidText(f"the text has {size:,} bytes, {MAX_TEXT_BYTES:,} is the most: send it in parts")
    return value


def checked_said(value: object, kind: object) -> str:
    """What a message of *kind* may say; raises InvalidText, and InvalidArgument where nobody can send such a kind."""
    if kind in (CHAT, EDIT):
        return checked_text(value)
    if kind == REDACT:
        if value != "":
            raise InvalidArgument('a redaction says nothing of its own: its text is ""')
        return ""
    if kind in (REACT, UNREACT):
        return checked_reaction(value)
    raise InvalidArgument(
        f"nobody can send a message of the kind {kind!r:.40}: {CHAT}, {EDIT}, {REDACT}, {REACT}, {UNREACT}"
    )


def checked_reaction(value: object) -> str:
    """One emoji, however many characters that has, or up to 16 characters, unchanged; raises InvalidText."""
    text = checked_text(value)
    if len(text) > MAX_REACTION_CHARACTERS:
        raise InvalidText(
            f"a reaction has {len(text)} characters: give it one emoji, or {MAX_REACTION_CHARACTERS} characters at the most"
        )
    if text != text.strip() or any(unicodedata.category(character) in _NOT_IN_A_LINE for character in text):
        raise InvalidText("a reaction is one emoji, or a short word: without spaces around it, and on one line")
    return text


def checked_topic(value: object) -> str:
    """A room's topic, on one line of at most 300 characters, or empty; raises InvalidText."""
    topic = checked_text(value) if value != "" else ""
    if len(topic) > MAX_TOPIC_CHARACTERS:
        raise InvalidText(f"the topic has {len(topic):,} characters: {MAX_TOPIC_CHARACTERS} are the most")
    if any(unicodedata.category(character) in _NOT_IN_A_LINE for character in topic):
        raise InvalidText("the topic has a new line or a control character: write it on one line")
    return topic


def checked_texts(values: object) -> list[str]:
    """The texts of one call; raises InvalidText, or BatchTooLarge beyond one commit's bounds."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InvalidArgument(f"several messages have to be a list of texts, not {type(values).__name__}")
    if len(values) > MAX_BATCH_TEXTS:
        raise BatchTooLarge(f"{len(values):,} texts in one call, {MAX_BATCH_TEXTS:,} are the most: send them in parts")
    texts = [checked_text(value) for value in values]
    size = sum(map(len, texts))
    if size * 4 > MAX_BATCH_BYTES:  # four bytes a character is the most that UTF-8 takes
        size = sum(len(text.encode()) for text in texts)
        if size > MAX_BATCH_BYTES:
            raise BatchTooLarge(f"{size:,} bytes in one call, {MAX_BATCH_BYTES:,} are the most: send them in parts")
    return texts


def checked_id(value: object) -> int:
    """The id of a message; raises InvalidArgument."""
    return checked_integer(value, "a message id", 1, MAX_ID)


def checked_key(value: object) -> str | None:
    """A message's key, 1 to 64 printable ASCII characters, or None; raises InvalidArgument."""
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_KEY_CHARACTERS:
        raise InvalidArgument(f"a key has to be text of 1 to {MAX_KEY_CHARACTERS} characters")
    if not (value.isascii() and value.isprintable()):
        raise InvalidArgument("a key has to be printable ASCII")
    return value


def checked_password(value: object) -> str | None:
    """A room's password: any text that is not empty, or None; raises InvalidArgument."""
    if value is None:
        return None
    if not isinstance(value, str) or not value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidArgument("a password has to be valid text (UTF-8), and not empty")
    return value


def decoded_hex(value: object, size: int) -> bytes | None:
    """The *size* bytes that a text of hexadecimal digits stands for; None where it doesn't."""
    try:
        found = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return None
    return found if len(found) == size else None


def checked_integer(value: object, what: str, least: int, most: int) -> int:
    """An int in ``least … most``; raises InvalidArgument. A bool is none."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidArgument(f"{what} has to be a whole number from {least:,} to {most:,}")
    return value


def checked_number(value: object, what: str, least: float = 0.0, most: float = math.inf) -> float:
    """An int or a float in ``least … most``, but neither NaN nor infinity; raises InvalidArgument. A bool is none."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most or value == math.inf:
        limit = f"{least:g} or more" if most == math.inf else f"{least:g} to {most:g}"
        raise InvalidArgument(f"{what} has to be a number, {limit}, not {value!r:.40}")
    return value


def checked_timeout(value: object, what: str = "the timeout") -> float | None:
    """Seconds to wait, None without a limit, which infinity is too; raises InvalidArgument."""
    if value is None or (isinstance(value, float) and value == math.inf):
        return None
    return min(checked_number(value, f"{what} in seconds"), MAX_SECONDS)


def checked_flag(value: object, what: str) -> bool:
    """True or False; raises InvalidArgument."""
    if not isinstance(value, bool):
        raise InvalidArgument(f"{what} has to be True or False, not {value!r:.40}")
    return value


def checked_path(value: object, what: str) -> Path:
    """A text or a `Path` as a Path; raises InvalidArgument."""
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidArgument(f"{what} has to be a path, not {value!r:.40}")
    return Path(text)
