"""From the messages of a commit to what this site's events say."""

from collections.abc import Iterator, Sequence

from pyrochat.core.digests import SALT_CHARACTERS, commitment
from pyrochat.core.graph.bodies import Said
from pyrochat.core.graph.record import Text
from pyrochat.core.graph.refs import Refs
from pyrochat.values.message import Message

MAX_EVENT_MESSAGES = 500
MAX_EVENT_BYTES = 256 * 1024  # of texts, but for one that is alone


def said_of(message: Message, mark: str, refs: Refs) -> Said:
    """*message*, whose author has *mark*, as other sites hear it."""
    about = None if message.about is None else refs.name_of(message.about)
    proof = commitment(message.proof or "", message.text).hex()
    return Said(message.sender, proof, message.time_us, message.kind, message.key, mark, about, message.change)


def text_of(message: Message) -> Text:
    """What travels beside *message*."""
    is_there = message.proof is not None and len(message.proof) == SALT_CHARACTERS
    return (message.text, message.proof or "") if is_there else None


def chunks(messages: Sequence[tuple[Message, str]]) -> Iterator[list[tuple[Message, str]]]:
    """Such that an event of each can be handed over in one call."""
    chunk: list[tuple[Message, str]] = []
    size = 0
    for message, mark in messages:
        bytes_ = len(message.text.encode())
        if chunk and (len(chunk) >= MAX_EVENT_MESSAGES or size + bytes_ > MAX_EVENT_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append((message, mark))
        size += bytes_
    if chunk:
        yield chunk
