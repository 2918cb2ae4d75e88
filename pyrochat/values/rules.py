"""The rules for what people type: names, room names, texts, keys.

One place for every limit of the contract. Each `checked_…` function returns the value in its normal
form or raises an `InvalidInput` that says what to do. Pure functions.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from pyrochat.values.errors import (
    BatchTooLarge,
    InvalidArgument,
    InvalidInput,
    InvalidName,
    InvalidRoomName,
    InvalidText,
)

__all__ = [
    "MAX_BATCH_BYTES",
    "MAX_BATCH_TEXTS",
    "MAX_KEY_CHARACTERS",
    "MAX_NAME_CHARACTERS",
    "MAX_TEXT_BYTES",
    "checked_integer",
    "checked_key",
    "checked_name",
    "checked_room_name",
    "checked_text",
    "checked_texts",
    "fold",
]

MAX_NAME_CHARACTERS = 32
MAX_TEXT_BYTES = 16_384
MAX_BATCH_TEXTS = 10_000
MAX_BATCH_BYTES = 900_000  # of UTF-8 in one call: with keys and framing it stays below 1 MiB
MAX_KEY_CHARACTERS = 64


def fold(name: str) -> str:
    """The form in which names are compared: NFC, case folded, NFC again (Unicode, section 3.13)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _checked_label(value: object, what: str, error: type[InvalidInput]) -> str:
    if not isinstance(value, str):
        raise error(f"the {what} has to be text, not {type(value).__name__}")
    label = unicodedata.normalize("NFC", value)
    if not 1 <= len(label) <= MAX_NAME_CHARACTERS:
        raise error(f"the {what} has {len(label)} characters: give it 1 to {MAX_NAME_CHARACTERS}")
    for character in label:
        if unicodedata.category(character)[0] not in "LMN" and character not in "_-.":
            raise error(f"the {what} has the character U+{ord(character):04X}: use letters, digits, '_', '-' and '.'")
    if not any(unicodedata.category(character)[0] in "LN" for character in label):
        raise error(f"the {what} needs at least one letter or digit")
    return label


def checked_name(value: object) -> str:
    """A member's name in NFC, 1 to 32 characters; raises InvalidName."""
    return _checked_label(value, "name", InvalidName)


def checked_room_name(value: object) -> str:
    """A room's name in NFC, 1 to 32 characters; raises InvalidRoomName."""
    return _checked_label(value, "room name", InvalidRoomName)


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


def checked_key(value: object) -> str | None:
    """A message's key, 1 to 64 printable ASCII characters, or None; raises InvalidArgument."""
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_KEY_CHARACTERS:
        raise InvalidArgument(f"a key has to be text of 1 to {MAX_KEY_CHARACTERS} characters")
    if not (value.isascii() and value.isprintable()):
        raise InvalidArgument("a key has to be printable ASCII")
    return value


def checked_integer(value: object, what: str, least: int, most: int) -> int:
    """An int in ``least … most``; raises InvalidArgument. A bool is none."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidArgument(f"{what} has to be a whole number from {least:,} to {most:,}")
    return value
