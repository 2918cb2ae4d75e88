"""Texts of strangers, made fit for a terminal: one line, no control, nothing hidden.

A message may hold any Unicode. Printed as it is, it could move the cursor, forge another's line, turn
the reading direction, or hide a part of itself. Here all that shows as what it is.
"""

import re
import unicodedata

NEWLINE = "⏎"
_ZERO_WIDTH_JOINER = "\u200d"
_JOINERS = "\u200c\u200d"
_EMOJI_SELECTOR = "\ufe0f"
_CONTROL_PICTURES = 0x2400
_DELETE_PICTURE = "␡"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"  # they choose between shapes of the character before
_SELECTOR = re.compile(f"[{_SELECTORS}]")
# Unicode calls these printable, and they show as nothing.
_HIDDEN = re.compile(f"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0{_SELECTORS}]")
_SELECTABLE = ("So", "Sk", "Sm", "Po", "Pd", "Lo")
_KEYCAPS = "0123456789#*"
_TAGGED_FLAGS = tuple(
    "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f" for region in ("gbeng", "gbsct", "gbwls")
)


def visible(text: str) -> str:
    """*text* on one line: newlines as ``⏎``, control characters as their pictures (``␛``), other
    invisible or direction-changing characters as ``\\u202e``. Joined emoji stay whole."""
    if text.isprintable() and not _HIDDEN.search(text):
        return text  # no control, format or surrogate characters, no line separators
    text = text.replace("\r\n", "\n")
    return "".join(_stand_in(text, index, character) for index, character in enumerate(text))


def one_line(text: str, most: int) -> str:
    """*text* made `visible`, and cropped to *most* characters; no more of it is looked at than can be shown."""
    shown = visible(text[: most + 1])
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _stand_in(text: str, index: int, character: str) -> str:
    code = ord(character)
    if character in "\n\u2028\u2029\x85":
        return NEWLINE
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    if code == 0x7F:
        return _DELETE_PICTURE
    if character == _ZERO_WIDTH_JOINER and _joins_emoji(text, index):
        return character
    if character in _JOINERS and _is_within_a_word(text, index):
        return character
    if "\U000e0000" < character <= "\U000e007f" and _is_in_flag(text, index):
        return character
    if _HIDDEN.match(character) and not _selects(text, index):
        return _escaped(code)
    if character == " " or character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "  # an unusual space: it looks like one
    return _escaped(code)


def _is_in_flag(text: str, index: int) -> bool:
    """Whether the tag character is part of a flag that people use: England's, Scotland's, Wales'."""
    start = text.rfind("\U0001f3f4", max(0, index - 6), index)
    return start >= 0 and text[start + 1 : start + 7] in _TAGGED_FLAGS


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _selects(text: str, index: int) -> bool:
    """Whether the character is the one selector of a symbol, an ideograph or a keycap; more could smuggle bytes."""
    base = text[index - 1 : index] if index else ""
    if not base or not _SELECTOR.match(text[index]):
        return False
    if base.isascii():
        return text[index] == _EMOJI_SELECTOR and base in _KEYCAPS
    return unicodedata.category(base) in _SELECTABLE


def _is_within_a_word(text: str, index: int) -> bool:
    """Between two letters of a script that spells with joiners: Arabic, Syriac, the Indic ones, Sinhala … Myanmar."""
    return all("\u0600" <= c <= "\u109f" for c in (text[index - 1 : index], text[index + 1 : index + 2]))


def _joins_emoji(text: str, index: int) -> bool:
    before = text[max(0, index - 2) : index].rstrip(_EMOJI_SELECTOR)[-1:]
    after = text[index + 1 : index + 2]
    return all(c and unicodedata.category(c) in ("So", "Sk") for c in (before, after))
