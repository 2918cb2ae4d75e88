"""Errors on the wire: a builtin exception whose text is ``code: what happened``, and the way back."""

from pyrochat.values.errors import ChatClosed, PyroChatError, RoomUnreachable, UntrustedServer, WaitTimeout


def _subclasses(cls: type[PyroChatError]) -> dict[str, type[PyroChatError]]:
    found = {cls.code: cls}
    for child in cls.__subclasses__():
        found |= _subclasses(child)
    return found


_OWN = (ChatClosed, RoomUnreachable, UntrustedServer, WaitTimeout)
"""What a client finds out by itself. A server that answers with one of these says nothing that the client may act on."""

_ALL = _subclasses(PyroChatError)
_BY_CODE = {code: kind for code, kind in _ALL.items() if not issubclass(kind, _OWN)}


def wire_text(error: PyroChatError) -> str:
    """The text that stands for *error* on the wire: ``code: sentence``."""
    return f"{error.code}: {error}"


def code_in(text: str) -> str:
    """The code that a wire text begins with, one of `_OWN` too; empty where it is none of ours.

    It says that PyroChat speaks, and is nothing to act on otherwise.
    """
    code, separator, _ = text.partition(": ")
    return code if separator and code in _ALL else ""


def from_wire_text(text: str) -> PyroChatError | None:
    """The error for a wire text; None where the text begins with no code of ours."""
    code, separator, sentence = text.partition(": ")
    kind = _BY_CODE.get(code)
    if not separator or kind is None:
        return None
    return kind(sentence)
