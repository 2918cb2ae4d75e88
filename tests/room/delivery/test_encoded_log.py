"""EncodedLog: the newest from memory, old history in aligned blocks from the reader's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import msgpack
import pytest

from pyrochat import LogUnavailable, Message
from pyrochat.core.cursors import BLOCK_MESSAGES
from pyrochat.core.memory_log import MemoryLog
from pyrochat.room.delivery.encoded_log import MAX_STRETCH_BYTES, BlockReader, EncodedLog
from tests.support import chat_message, eventually


class WatchedLog(MemoryLog):
    """Notes which reads came from which thread; can fail."""

    def __init__(self) -> None:
        super().__init__("lobby")
        self.reads: list[tuple[int, int, str]] = []
        self.failing = False

    def read(self, after: int, limit: int) -> list[Message]:
        self.reads.append((after, limit, threading.current_thread().name))
        if self.failing:
            raise LogUnavailable("no")
        return super().read(after, limit)


@pytest.fixture
def log() -> WatchedLog:
    return WatchedLog()


@pytest.fixture
def reader() -> Iterator[BlockReader]:
    reader = BlockReader()
    yield reader
    reader.close()


def old_log(log: WatchedLog, count: int, size: int = 3) -> WatchedLog:
    log.append([chat_message(id, "x" * size) for id in range(1, count + 1)])
    return log


def ids(encoded: list[bytes]) -> list[int]:
    return [msgpack.unpackb(each)[0] for each in encoded]


def got(encoded: EncodedLog, position: int) -> list[bytes]:
    return eventually(lambda: encoded.after(position))


def all_after(encoded: EncodedLog, position: int) -> list[list[int]]:
    found = []
    while position < encoded.end:
        found.append(ids(got(encoded, position)))
        position = found[-1][-1]
    return found


def test_what_is_new_is_read_once_when_it_is_asked_for(log: WatchedLog, reader: BlockReader) -> None:
    encoded = EncodedLog(log, reader, lambda: None)
    log.append([chat_message(1), chat_message(2)])
    log.append([chat_message(3)])
    assert encoded.end == 3
    assert [msgpack.unpackb(each) for each in encoded.after(1) or []] == [
        chat_message(2).to_wire(),
        chat_message(3).to_wire(),
    ]
    assert encoded.after(3) == []
    assert [(after, limit) for after, limit, _ in log.reads] == [(0, 3)]


def test_old_history_comes_from_the_readers_thread(log: WatchedLog, reader: BlockReader) -> None:
    came = threading.Event()
    encoded = EncodedLog(old_log(log, 100), reader, came.set)
    assert encoded.after(0) is None
    assert came.wait(20)
    assert ids(encoded.after(0) or []) == list(range(1, 101))
    assert log.reads == [(0, BLOCK_MESSAGES, "pyrochat-history")]


def test_stretches_end_at_the_boundaries_of_blocks(log: WatchedLog, reader: BlockReader) -> None:
    count = 2 * BLOCK_MESSAGES + 7
    encoded = EncodedLog(old_log(log, count), reader, lambda: None)
    log.append([chat_message(count + 1), chat_message(count + 2)])
    found = all_after(encoded, 5)
    assert [id for stretch in found for id in stretch] == list(range(6, count + 3))
    assert [stretch[-1] for stretch in found] == [BLOCK_MESSAGES, 2 * BLOCK_MESSAGES, count + 2]
    old = [(after, limit) for after, limit, thread in log.reads if thread == "pyrochat-history"]
    assert all(after % BLOCK_MESSAGES == 0 and limit == BLOCK_MESSAGES for after, limit in old)


def test_newcomers_share_a_block(log: WatchedLog, reader: BlockReader) -> None:
    encoded = EncodedLog(old_log(log, BLOCK_MESSAGES), reader, lambda: None)
    first = got(encoded, 0)
    assert all(one is other for one, other in zip(first, encoded.after(0) or [], strict=True))
    assert ids(encoded.after(500) or []) == list(range(501, BLOCK_MESSAGES + 1))
    assert len(log.reads) == 1


def test_a_stretch_has_at_most_512_kib_and_at_least_one_message(log: WatchedLog, reader: BlockReader) -> None:
    encoded = EncodedLog(old_log(log, 100, size=16_000), reader, lambda: None)
    found = all_after(encoded, 0)
    assert [id for stretch in found for id in stretch] == list(range(1, 101))
    for position in (0, 32, 64):
        assert sum(map(len, got(encoded, position))) <= MAX_STRETCH_BYTES
    assert len(found) == 4


def test_one_message_that_is_larger_than_the_bound_goes_alone(log: WatchedLog, reader: BlockReader) -> None:
    encoded = EncodedLog(log, reader, lambda: None, stretch_bytes=10)
    log.append([chat_message(id) for id in (1, 2, 3)])
    assert all_after(encoded, 0) == [[1], [2], [3]]


def test_a_block_that_was_read_before_it_was_full_is_read_again(log: WatchedLog, reader: BlockReader) -> None:
    encoded = EncodedLog(old_log(log, 10), reader, lambda: None, newest_messages=5)
    assert ids(got(encoded, 0)) == list(range(1, 11))
    for id in range(11, 60):
        log.append([chat_message(id)])
        encoded.after(id - 1)
    assert [id for stretch in all_after(encoded, 0) for id in stretch] == list(range(1, 60))


@pytest.mark.parametrize("bound", [{"newest_messages": 20}, {"newest_bytes": 2_000}], ids=["messages", "bytes"])
def test_what_is_in_memory_is_bounded(log: WatchedLog, reader: BlockReader, bound: dict[str, int]) -> None:
    encoded = EncodedLog(log, reader, lambda: None, **bound)
    for id in range(1, 1001):
        log.append([chat_message(id)])
        encoded.after(id - 1)
    assert len(encoded._newest) <= 200
    assert encoded._newest_bytes == sum(map(len, encoded._newest))
    assert [id for stretch in all_after(encoded, 0) for id in stretch] == list(range(1, 1001))


def test_blocks_in_memory_are_bounded(log: WatchedLog, reader: BlockReader) -> None:
    encoded = EncodedLog(old_log(log, 10 * BLOCK_MESSAGES, size=100), reader, lambda: None, block_bytes=100_000)
    assert sum(map(len, all_after(encoded, 0))) == 10 * BLOCK_MESSAGES
    eventually(lambda: not encoded._ordered)
    assert encoded._blocks_bytes == sum(len(m) for block in encoded._blocks.values() for m in block) <= 100_000


def test_a_block_that_can_not_be_read_is_asked_for_again(
    log: WatchedLog, reader: BlockReader, caplog: pytest.LogCaptureFixture
) -> None:
    came: list[Callable[[], None]] = []
    encoded = EncodedLog(old_log(log, 10), reader, lambda: came.append(lambda: None))
    log.failing = True
    assert encoded.after(0) is None
    eventually(lambda: "can't read block 0" in caplog.text)
    assert came == []
    log.failing = False
    assert ids(got(encoded, 0)) == list(range(1, 11))


@pytest.mark.parametrize("error", [KeyError("a defect"), SystemExit(1)])
def test_found_10_whatever_the_reader_stumbles_over_it_reads_on(
    log: WatchedLog, reader: BlockReader, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """For all rooms, and the block that could not be read too."""

    def stumble() -> None:
        raise error

    class Failing(WatchedLog):
        """A log that fails once, as no log should."""

        left: BaseException | None = error

        def read(self, after: int, limit: int) -> list[Message]:
            if self.left is not None:
                failure, self.left = self.left, None
                raise failure
            return super().read(after, limit)

    failing = Failing()
    old_log(failing, 10)
    encoded = EncodedLog(failing, reader, lambda: None)
    assert encoded.after(0) is None
    eventually(lambda: failing.left is None)
    assert ids(got(encoded, 0)) == list(range(1, 11))
    reader.order(stumble)
    assert ids(got(EncodedLog(old_log(log, 10), reader, lambda: None), 0)) == list(range(1, 11))
    assert len([record for record in caplog.records if record.exc_info]) == 2


def test_what_was_not_asked_for_in_time_is_not_encoded(log: WatchedLog, reader: BlockReader) -> None:
    """A room in which nobody was for a long time: who comes begins with old blocks."""
    encoded = EncodedLog(log, reader, lambda: None, newest_messages=50)
    old_log(log, 1000)
    assert encoded.after(1000) == []
    assert log.reads == []
    assert [id for stretch in all_after(encoded, 600) for id in stretch] == list(range(601, 1001))
