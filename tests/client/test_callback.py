"""The callback object of a client, called as a room calls it."""

from __future__ import annotations

import pytest

from pyrochat.client.callback import Callback
from pyrochat.client.reading import Reading
from pyrochat.client.replica import Replica
from pyrochat.client.unnumbered import Unnumbered
from pyrochat.trust.keys import Key
from pyrochat.trust.seals import make_seal
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.protocol import TAKES
from tests.support import chat_message


def row(id: int) -> list[object]:
    return list(chat_message(id))


def a_callback() -> tuple[Callback, Replica, Reading]:
    replica = Replica("lobby")
    reading = Reading(replica, "Ana")
    return callback_of(replica, reading), replica, reading


def callback_of(
    replica: Replica, reading: Reading, key: bytes = bytes(32), unnumbered: Unnumbered | None = None
) -> Callback:
    unnumbered = unnumbered or Unnumbered(replica, lambda messages, after: None)
    return Callback(replica, reading, "a log", key, print, print, print, unnumbered, print)


def test_it_says_what_it_takes() -> None:
    callback, _, _ = a_callback()
    assert callback.welcome("a session") == TAKES
    assert callback.welcomed.is_set()


def test_a_delivery_is_answered_with_the_marks() -> None:
    callback, _, reading = a_callback()
    assert callback.deliver([row(1), row(2)], []) == [2, 0]
    reading.advance(1)
    assert callback.deliver([row(3)], [["Igor", 2, 1]]) == [3, 1]
    assert not reading.untold


def test_what_is_not_answered_has_told_no_mark() -> None:
    callback, replica, reading = a_callback()
    callback.deliver([row(1)], [])
    told_at = reading.told_at
    reading.advance(1)
    callback.deliver_oneway([row(2)], [])
    assert replica.end == 2
    assert reading.untold
    assert reading.told_at == told_at
    assert callback.deliver([], []) == [2, 1]
    assert not reading.untold


def test_a_gap_is_refused_in_either() -> None:
    callback, replica, _ = a_callback()
    for deliver in (callback.deliver, callback.deliver_oneway):
        with pytest.raises(InvalidArgument, match="can't follow"):
            deliver([row(2)], [])
        assert replica.end == 0


def test_what_could_not_be_taken_unasked_is_told_when_somebody_asks() -> None:
    """So that the room ends the connection, and the session goes on where the replica ends."""
    callback, replica, _ = a_callback()
    callback.deliver([row(1)], [])
    with pytest.raises(InvalidArgument):
        callback.deliver_oneway([row(3)], [])
    with pytest.raises(InvalidArgument, match="earlier"):
        callback.deliver([], [])
    assert replica.end == 1


def sealed(key: Key, id: int, log_id: str = "a log", digest: bytes = bytes(32)) -> str:
    return make_seal(key, log_id, id, digest)


def test_found_8_only_the_servers_seal_on_what_is_here_is_kept_as_a_proof() -> None:
    key, replica = Key.made(), Replica("lobby")
    callback = callback_of(replica, Reading(replica, "Ana"), key.public)
    replica.log_id = "a log"
    callback.deliver([row(1), row(2), row(3)], [])
    for id, text in (
        (2, sealed(Key.made(), 2)), (2, sealed(key, 1)), (2, sealed(key, 2, "another log")), (4, sealed(key, 4)),
        (2, "00" * 32), (2, ""), ("2", sealed(key, 2)), (2, None), (2, 7),
    ):  # fmt: skip
        callback.seal(id, text)  # type: ignore[arg-type]
        assert replica.proof() is None
    callback.seal(2, sealed(key, 2))
    assert replica.proof() == [2, bytes(32).hex(), sealed(key, 2)]
    callback.seal(3, sealed(key, 3))
    callback.seal(1, sealed(key, 1))
    assert replica.proof() == [3, bytes(32).hex(), sealed(key, 3)], "one on more is not given up for one on less"
    replica.log_id = "the log after an accepted loss"
    assert replica.proof() is None
