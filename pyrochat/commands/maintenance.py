"""What ``pyrochat-server`` does to a log instead of serving it: verify it, back it up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyrochat.commands.shell import DONE, FAILED
from pyrochat.room.backup import back_up
from pyrochat.room.log_file import log_path
from pyrochat.room.verifying import verify_file
from pyrochat.terminal.progress import ProgressBar
from pyrochat.values.errors import InvalidArgument

__all__ = ["back_up_room", "verify_rooms"]


def verify_rooms(data: Path, rooms: Sequence[str], expect: str | None) -> int:
    """Walk the logs of *rooms*; prints a line for each. Returns the exit code: 1 where one is not whole.

    expect: ``ID:DIGEST`` that the chain has to have, as an earlier run or ``/verify`` has printed it.
    """
    if expect is not None and len(rooms) > 1:
        raise InvalidArgument("--expect goes with one room: name it with --room")
    expected_id, expected_digest = _parse(expect) if expect else (0, None)
    code = DONE
    for room in rooms:
        with ProgressBar(f"verifying {room}") as progress:
            about, verdict = verify_file(log_path(data, room), progress, expected_id)
        trouble = verdict.damage or (about.loss and f"a loss is noted: {about.loss}")
        if trouble is None and expected_digest is not None:
            if verdict.expected is None:
                trouble = (
                    f"it ends at message {verdict.whole_up_to:,}, before message {expected_id:,}: its tail is lost"
                )
            elif verdict.expected != expected_digest:
                trouble = f"its digest at message {expected_id:,} is {verdict.expected.hex()}: it is another log, or was changed"
        if trouble is None:
            print(
                f"room {room!r}: {verdict.whole_up_to:,} messages, whole; {verdict.whole_up_to}:{verdict.digest.hex()}"
            )
        else:
            code = FAILED
            whole = f"messages 1 to {verdict.whole_up_to:,} are whole" if verdict.whole_up_to else "nothing is whole"
            print(f"room {room!r} is NOT whole: {trouble}; {whole}")
    return code


def back_up_room(data: Path, room: str, target: Path) -> int:
    """Copy the log of *room* to *target* and verify the copy; prints a line. Returns the exit code."""
    with ProgressBar(f"copying {room}") as progress:
        verdict = back_up(log_path(data, room), target, progress)
    print(
        f"room {room!r}: {verdict.whole_up_to:,} messages in {target}, whole; {verdict.whole_up_to}:{verdict.digest.hex()}"
    )
    return DONE


def _parse(expect: str) -> tuple[int, bytes]:
    id, _, digest = expect.partition(":")
    try:
        return int(id), bytes.fromhex(digest)
    except ValueError:
        raise InvalidArgument(f"--expect takes ID:DIGEST as --verify and /verify print it, not {expect!r}") from None
