"""What a site sends: a message of its member, and, in a line of its own, the texts that travel beside it."""

from collections.abc import Sequence

from pyrochat.core.graph.disk import MemberDisk
from pyrochat.core.graph.effects import Envelope
from pyrochat.core.graph.messages import Message
from pyrochat.core.graph.packing import pack_message
from pyrochat.core.graph.texts import Spoken, commitments, pack_beside, texts_in, unpack_beside

Packet = tuple[str, int, str]
"""To which site, in which view, what."""


def packed(envelopes: Sequence[Envelope], disk: MemberDisk) -> list[Packet]:
    """*envelopes*, each with those of its texts that *disk* has."""
    known: dict[int, str] = {}  # what goes to several is packed once
    for _, _, message in envelopes:
        if id(message) not in known:
            found = disk.found(_beside(message))
            known[id(message)] = pack_message(message) + (f"\n{pack_beside(found)}" if found else "")
    return [(site, number, known[id(message)]) for site, number, message in envelopes]


def unpacked(packet: str) -> tuple[str, list[Spoken]]:
    """The packed message of *packet*, and the texts beside it. Raises InvalidArgument."""
    said, _, beside = packet.partition("\n")
    return said, unpack_beside(beside) if beside else []


def belonging(message: Message, beside: Sequence[Spoken]) -> list[Spoken]:
    """Those of *beside* that *message* stands for."""
    wanted = set(_beside(message)) if beside else set()
    return [spoken for spoken in beside if spoken.commitment in wanted]


def _beside(message: Message) -> list[str]:
    return [commitment for text in texts_in(message) for commitment in commitments(text)]
