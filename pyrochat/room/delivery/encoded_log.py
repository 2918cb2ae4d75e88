"""The log, encoded and ready to be put into deliveries: a follower of it.

What is new is encoded once, when it is first delivered, and stays in memory for a while. Old history is read in fixed
aligned blocks, in a thread of its own, and kept for a while, because newcomers come in groups and all
start at the beginning.
"""

import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable

from pyrochat.core.cursors import BLOCK_MESSAGES, block_end
from pyrochat.core.log import Log
from pyrochat.pyro.wire import encode_messages
from pyrochat.threads import Defects, go_on
from pyrochat.values.errors import PyroChatError
from pyrochat.values.message import REDACT

log = logging.getLogger(__name__)

MAX_STRETCH_BYTES = 512 * 1024
NEWEST_MESSAGES = 4 * BLOCK_MESSAGES
NEWEST_BYTES = 8 * 1024 * 1024
_AHEAD_BLOCKS = 3  # read before they are asked for: a newcomer asks for them next
_ENCODED_AT_ONCE = 2 * BLOCK_MESSAGES
CACHED_BLOCK_BYTES = 32 * 1024 * 1024


class BlockReader:
    """The thread that reads old history for all rooms of a server."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._defects = Defects(log)
        self._thread = threading.Thread(target=self._run, name="pyrochat-history", daemon=True)
        self._thread.start()

    def order(self, read: Callable[[], None]) -> None:
        """Do *read* in the reader's thread."""
        self._orders.put(read)

    def close(self) -> None:
        """End after what has been ordered so far."""
        self._orders.put(None)
        self._thread.join(5.0)

    def _run(self) -> None:
        go_on(self._do_next, "reading old history", self._defects)

    def _do_next(self) -> bool:
        read = self._orders.get()
        if read is not None:
            read()
        return read is not None


class EncodedLog:
    """The encoded messages of one room.

    came: called in the reader's thread whenever a block that was asked for is there.
    stretch_bytes: of one stretch that has several messages. newest_messages, newest_bytes: of the newest that stay in
    memory; there may be twice as many. block_bytes: of all old blocks in memory.
    """

    def __init__(
        self, log: Log, reader: BlockReader, came: Callable[[], None], *, stretch_bytes: int = MAX_STRETCH_BYTES,
        newest_messages: int = NEWEST_MESSAGES, newest_bytes: int = NEWEST_BYTES, block_bytes: int = CACHED_BLOCK_BYTES,
    ) -> None:  # fmt: skip
        self._stretch_bytes, self._block_bytes = stretch_bytes, block_bytes
        self._most_newest, self._most_newest_bytes = 2 * newest_messages, 2 * newest_bytes
        self._log = log
        self._reader = reader
        self._came = came
        self._mutex = threading.Lock()  # guards all below
        self._newest: list[bytes] = []
        self._newest_bytes = 0
        self._end = log.tail  # the id of the last message in `_newest`, which may be empty
        self._blocks: OrderedDict[int, list[bytes]] = OrderedDict()
        self._blocks_bytes = 0
        self._ordered: set[int] = set()
        self._redactions = 0  # so many times it was forgotten for one

    @property
    def end(self) -> int:
        """The id of the last message that can be had here."""
        return self._log.tail

    def _follow(self) -> None:
        """Encode what is new in the log. What nobody asked for in time is read with the old blocks, if ever."""
        assert self._mutex.locked()
        tail = self._log.tail
        if tail - self._end > self._most_newest:
            self._newest.clear()
            self._newest_bytes, self._end = 0, tail
        while self._end < tail:
            messages = self._log.read(self._end, min(tail - self._end, _ENCODED_AT_ONCE))
            if any(message.kind == REDACT for message in messages):
                self._forget_all()
            encoded = encode_messages(messages)
            self._newest.extend(encoded)
            self._newest_bytes += sum(map(len, encoded))
            self._end += len(encoded)
            if len(self._newest) > self._most_newest or self._newest_bytes > self._most_newest_bytes:
                self._forget_older_half()

    def _forget_all(self) -> None:
        """A text that is here has gone from the log."""
        self._newest.clear()
        self._blocks.clear()
        self._newest_bytes = self._blocks_bytes = 0
        self._redactions += 1

    def _forget_older_half(self) -> None:
        older = len(self._newest) // 2
        self._newest_bytes -= sum(map(len, self._newest[:older]))
        del self._newest[:older]

    def after(self, position: int) -> list[bytes] | None:
        """The encoded messages that follow *position*, cut to a block and to 512 KiB (at least one).

        An empty list where there are none; None where they have to be read first: `came` is called
        when they are here. Raises LogUnavailable where what is new can't be read.
        """
        with self._mutex:
            self._follow()
            begin = self._end - len(self._newest)
            if position >= begin:
                end = block_end(position, self._end)
                messages = self._newest[position - begin : end - begin]
            else:
                number = position // BLOCK_MESSAGES
                block = self._blocks.get(number)
                offset = position - number * BLOCK_MESSAGES
                if block is None or offset >= len(block):
                    self._order(number)
                    return None
                self._blocks.move_to_end(number)
                messages = block[offset:]
                for following in range(number + 1, number + 1 + _AHEAD_BLOCKS):
                    if following * BLOCK_MESSAGES < begin:
                        self._order(following)
        size = 0
        for count, message in enumerate(messages):
            size += len(message)
            if size > self._stretch_bytes and count:
                return messages[:count]
        return messages

    def _order(self, number: int) -> None:
        assert self._mutex.locked()
        if number not in self._ordered and (number not in self._blocks or len(self._blocks[number]) < BLOCK_MESSAGES):
            self._ordered.add(number)
            self._reader.order(lambda: self._read(number))

    def _read(self, number: int) -> None:
        block: list[bytes] = []
        redactions = self._redactions
        try:
            block = encode_messages(self._log.read(number * BLOCK_MESSAGES, BLOCK_MESSAGES))
        except PyroChatError as error:
            log.error("can't read block %d of room %s: %s", number, self._log.room, error)
        finally:  # whatever went wrong: who needs the block orders it again
            self._keep(number, block, redactions)
        if block:
            self._came()

    def _keep(self, number: int, block: list[bytes], redactions: int) -> None:
        with self._mutex:
            self._ordered.discard(number)
            if block and redactions == self._redactions:
                self._blocks_bytes -= sum(map(len, self._blocks.pop(number, ())))
                self._blocks[number] = block
                self._blocks_bytes += sum(map(len, block))
                while self._blocks_bytes > self._block_bytes and len(self._blocks) > 1:
                    self._blocks_bytes -= sum(map(len, self._blocks.popitem(last=False)[1]))
