"""Pyro5's frames: a header of 40 bytes, annotations that we skip, a payload.

Read here and not by Pyro5, because it reads a payload before it looks at what the header says, and
undoes compression without a bound.
"""

import struct
from typing import NamedTuple

from Pyro5 import protocol
from Pyro5.errors import ProtocolError

from pyrochat.pyro.serializers import SERIALIZERS, SERPENT

HEADER_BYTES: int = protocol._header_size
_HEADER = struct.Struct(protocol._header_format)
_TAG = b"PYRO"
_PART_BYTES = 65_536


class TooLarge(ProtocolError):  # type: ignore[misc]
    """Raised when a frame says that it is larger than its reader takes."""


class Frame(NamedTuple):
    """One message of Pyro5's protocol."""

    type: int
    serializer_id: int
    flags: int
    sequence: int
    payload: bytes


class FrameReader:
    """Gathers frames from bytes as they come; refuses by the header what will not be read.

    most_bytes: of annotations and payload; may be changed between frames.
    """

    __slots__ = ("_buffer", "_more", "_more_bytes", "_needed", "_start", "most_bytes", "sequence", "serializer_id")

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.sequence = 0  # this and the next as the last header had them, for a refusal in kind
        self.serializer_id = SERPENT
        self._buffer = b""  # as it came, where nothing was left over: most frames come whole
        self._start = 0  # what is before has been read
        self._more: list[bytes] = []  # what came after `_buffer`; put together once, when it is enough
        self._more_bytes = 0
        self._needed = 0  # so many bytes the next frame has, where its header is here

    @property
    def has_begun(self) -> bool:
        """Whether a part of a frame is here."""
        return len(self._buffer) > self._start

    @property
    def size(self) -> int:
        """How many bytes are kept here."""
        return len(self._buffer) + self._more_bytes

    def feed(self, data: bytes) -> None:
        """Take *data*, the next bytes of the stream."""
        if not self._buffer:
            self._buffer = data
            return
        if self._more and len(self._more[-1]) + len(data) <= _PART_BYTES:  # not one object for every few bytes
            self._more[-1] += data
        else:
            self._more.append(data)
        self._more_bytes += len(data)

    def next(self) -> Frame | None:
        """The next frame, when all of it is here.

        Raises ProtocolError for what is no frame, for another serializer than serpent, json and msgpack, for
        compression; TooLarge for more than `most_bytes`.
        """
        if self._more:
            if self.size - self._start < self._needed:
                return None
            self._buffer = b"".join((memoryview(self._buffer)[self._start :], *self._more))
            self._start, self._more_bytes = 0, 0
            self._more.clear()
        buffer, begin = self._buffer, self._start
        if not buffer:
            return None
        if len(buffer) - begin < HEADER_BYTES:
            if not _TAG.startswith(buffer[begin : begin + len(_TAG)]):
                raise ProtocolError("these bytes are not of Pyro's protocol")
            return None
        tag, version, kind, serializer_id, flags, sequence, size, annotations, _, _, magic = _HEADER.unpack_from(
            buffer, begin
        )
        if tag != _TAG or version != protocol.PROTOCOL_VERSION or magic != protocol._magic_number:
            raise ProtocolError("these bytes are not of Pyro's protocol, or of another version of it")
        if serializer_id not in SERIALIZERS:
            raise ProtocolError("only the serializers serpent, json and msgpack are accepted")
        self.sequence, self.serializer_id = sequence, serializer_id
        if flags & protocol.FLAGS_COMPRESSED:
            raise ProtocolError("compressed messages are not accepted")
        if size + annotations > self.most_bytes:
            raise TooLarge(f"a message of more than {self.most_bytes:,} bytes is not accepted")
        start = begin + HEADER_BYTES + annotations
        end = start + size
        if len(buffer) < end:
            self._needed = end - begin
            return None
        payload = buffer[start:end]
        self._needed = 0
        if len(buffer) == end or end > _PART_BYTES:  # what has been read of a large one is not kept
            self._buffer, self._start = buffer[end:], 0
        else:
            self._start = end
        return Frame(kind, serializer_id, flags, sequence, payload)


def whole_frame(kind: int, payload: bytes, serializer_id: int, sequence: int = 0, flags: int = 0) -> bytes:
    """A frame of any type. Unlike Pyro5's own it depends on no global setting: never compressed, no annotations."""
    header = _HEADER.pack(
        _TAG, protocol.PROTOCOL_VERSION, kind, serializer_id, flags, sequence,
        len(payload), 0, protocol._empty_correlation_id, 0, protocol._magic_number,
    )  # fmt: skip
    return header + payload
