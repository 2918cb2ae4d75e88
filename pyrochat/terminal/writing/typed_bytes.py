"""What a terminal sends, made fit for a parser of keys: nothing that comes from there may end the program, or type letters.

Bytes that are not UTF-8 become U+FFFD. Answers of the terminal to questions that nobody waits for any more go. Alt with a
letter, a digit or Enter, and what xterm's modifyOtherKeys sends, are spelled in the one way that Textual understands. What is pasted
stays as it is.
"""

import re
import unicodedata
from codecs import getincrementaldecoder

_PASTE, _PASTE_END = "\x1b[200~", "\x1b[201~"
_MOST_CHARACTERS = 65_536  # of one answer; what is longer is none
# Controls that are strings (ECMA-48: OSC, DCS, APC), as terminals answer with them; and answers that are one sequence:
# device attributes, status, kitty's flags, the window's size.
_STRING_END = re.compile(r"\x07|\x1b\\|\x9c")
_PIECES = re.compile(
    r"(?P<string>\x1b(?:\][0-9]|P[0-9>+!$|]|_G))"
    r"|(?P<answer>\x1b\[(?:[?>=][0-9;]*[cu]|[0-9]*n|(?!48;)[0-9]+;[0-9;]*t))"
    r"|(?P<paste>\x1b\[200~)"
    r"|\x1b(?P<alt>[0-9a-zA-NQ-WYZ\r\n])"
    r"|\x1b\[27;(?P<modifiers>[0-9]{1,3});(?P<code>[0-9]{1,7})~"
)


class TypedBytes:
    """Takes bytes as they are read, whole characters or not."""

    def __init__(self) -> None:
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._in_paste = False
        self._held = ""  # of the text before
        self._in_string = 0  # so many characters of a control string have come; 0: we are in none

    def feed(self, data: bytes, final: bool = False) -> str:
        """The text that *data* stands for; *final*: nothing follows."""
        text, found = self._held + self._decode(data, final), []
        self._held = ""
        while text:
            take = self._in_string_of if self._in_string else self._pasted if self._in_paste else self._typed
            piece, text = take(text)
            found.append(piece)
        return "".join(found)

    def _in_string_of(self, text: str) -> tuple[str, str]:
        end = _STRING_END.search(text)
        if end is not None:
            self._in_string = 0
            return "", text[end.end() :]
        self._held = "\x1b" if text.endswith("\x1b") else ""  # the end may be cut in two
        self._in_string += len(text)
        if self._in_string > _MOST_CHARACTERS:
            self._in_string = 0
        return "", ""

    def _pasted(self, text: str) -> tuple[str, str]:
        end = text.find(_PASTE_END)
        if end < 0:
            return text, ""
        self._in_paste = False
        return text[: end + len(_PASTE_END)], text[end + len(_PASTE_END) :]

    def _typed(self, text: str) -> tuple[str, str]:
        found = _PIECES.search(text)
        if found is None:
            return text, ""
        before, rest = text[: found.start()], text[found.end() :]
        if found["string"]:
            self._in_string = 1
            return before, rest
        if found["paste"]:
            self._in_paste = True
            return before + _PASTE, rest
        if found["answer"]:
            return before, rest
        code, modifiers = (ord(found["alt"]), 3) if found["alt"] else (int(found["code"]), int(found["modifiers"]))
        return f"{before}\x1b[{13 if code == 10 else code};{modifiers}u", rest


def is_text(character: str) -> bool:
    """Whether a key that makes *character* writes it: all but controls; joiners, unusual spaces and the tags of flags too."""
    return len(character) == 1 and unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
