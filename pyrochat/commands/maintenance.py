"""What ``pyrochat-server`` does to a log instead of serving it: verify it, back it up, repair it, archive it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pyrochat.commands.registry import DataOption
from pyrochat.commands.shell import DONE, FAILED
from pyrochat.folders import data_folder
from pyrochat.room.operating import ask_server
from pyrochat.room.redacting import redact_in_file
from pyrochat.storage.archiving import archive
from pyrochat.storage.backup import back_up
from pyrochat.storage.copies import copies_with, note_backup
from pyrochat.storage.log_file import MOVE_AWAY, log_path
from pyrochat.storage.reading import messages_in
from pyrochat.storage.repairing import repair
from pyrochat.storage.verifying import verify_file
from pyrochat.terminal.export import export
from pyrochat.terminal.progress import ProgressBar
from pyrochat.values.errors import CannotHost, InvalidArgument
from pyrochat.values.message import EDIT

_REBUILDING_SECONDS = 3600.0
_MOST_IDS = 20  # that are shown
_LEAST_DIGITS = 8  # of a digest, to compare it with another


def verify_rooms(data: Path, rooms: Sequence[str], expect: str | None) -> int:
    """Walk the logs of *rooms*; prints a line for each. Returns the exit code: 1 where one is not whole.

    expect: ``ID:DIGEST`` that the chain has to have, as an earlier run or ``/verify`` has printed it; the first 8
    digits of the digest, or more, are enough.
    """
    if expect is not None and len(rooms) > 1:
        raise InvalidArgument("--expect goes with one room: name it with --room")
    expected_id, expected_digest = (0, "") if expect is None else _parse(expect)
    code = DONE
    for room in rooms:
        with ProgressBar(f"verifying {room}") as progress:
            about, verdict = verify_file(log_path(data, room), progress, expected_id)
        trouble = verdict.damage or (about.loss and f"a loss is noted: {about.loss}")
        if trouble is None and expected_digest:
            if verdict.expected is None:
                trouble = (
                    f"it ends at message {verdict.whole_up_to:,}, before message {expected_id:,}: its tail is lost"
                )
            elif not verdict.expected.hex().startswith(expected_digest):
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
    note_backup(data, target)
    print(
        f"room {room!r}: {verdict.whole_up_to:,} messages in {target}, whole; {verdict.whole_up_to}:{verdict.digest.hex()}"
    )
    return DONE


def repair_room(
    room: Annotated[str, typer.Argument(help="The room.")],
    backup: Annotated[Path, typer.Option("--from", metavar="FILE", help="A backup of its log.")],
    data: DataOption = None,
) -> int:
    """Replace what is damaged in a room's log by what a backup has, as far as the digests prove it right.

    Nothing behind the damage is cut, and the file as it was is kept beside. The room must not be hosted meanwhile.
    """
    path = log_path(data_folder() if data is None else data, room)
    with ProgressBar(f"repairing {room}") as progress:
        repaired = repair(path, room, backup, progress)
    if not repaired.ids:
        print(f"room {room!r}: nothing is damaged in its {repaired.verdict.whole_up_to:,} messages")
    else:
        ids = ", ".join(str(id) for id in repaired.ids[:_MOST_IDS]) + (", …" if len(repaired.ids) > _MOST_IDS else "")
        print(
            f"room {room!r}: repaired {_count(len(repaired.ids), 'message')} ({ids}), the log is whole: "
            f"{repaired.verdict.whole_up_to}:{repaired.verdict.digest.hex()}; as it was, it is kept as {repaired.kept}"
        )
    if repaired.loss is not None:
        advice = MOVE_AWAY if repaired.is_shared else "restore a newer backup, or start with --accept-loss"
        print(f"room {room!r}: a loss is still noted ({repaired.loss}): {advice}")
        return FAILED
    return DONE


def archive_room(
    room: Annotated[str, typer.Argument(help="The room.")],
    data: DataOption = None,
) -> int:
    """Begin a new log for a room, because the old one has become too large; the old one stays beside it.

    Its messages begin with 1 again. Who comes back is told, and gets the new log; names stay whose they are. The room must
    not be hosted meanwhile.
    """
    archived = archive(log_path(data_folder() if data is None else data, room), room)
    print(
        f"room {room!r}: a new log begins; the old one, {_count(archived.messages, 'message')} "
        f"({archived.messages}:{archived.digest.hex()}), is {archived.kept}: pyrochat-server export reads it"
    )
    return DONE


def redact_message(
    room: Annotated[str, typer.Argument(help="The room.")],
    id: Annotated[int, typer.Argument(help="The message's number.", min=1)],
    data: DataOption = None,
) -> int:
    """Delete a message's text for everybody, also while the room is hosted; says which copies still have it."""
    folder = data_folder() if data is None else data
    path = log_path(folder, room)
    texts = [
        message.id
        for message in messages_in(path)
        if message.id == id or (message.kind == EDIT and message.about == id)
    ]
    if ask_server(folder, "redact", room=room, id=id) is None:
        redact_in_file(path, id)
    print(f"room {room!r}: message {id} is deleted")
    for copy in copies_with(folder, room, texts or [id]):
        print(f"its text is still in {copy}: delete that, or make it anew")
    return DONE


def rebuild_stream(
    room: Annotated[str | None, typer.Argument(help="The room; without it, the register of names.")] = None,
    data: DataOption = None,
) -> int:
    """Make a room's stream in the cluster anew, from this server's log: it was poisoned, deleted, or has deleted texts.

    Identity and numbers stay. Posts wait meanwhile. The server has to run; of several, use the one that has most.
    """
    folder = data_folder() if data is None else data
    found = ask_server(folder, "rebuild", _REBUILDING_SECONDS, room=room)
    if not isinstance(found, int):
        raise CannotHost(f"no server of a cluster that runs on {folder} has that: start it first")
    what = "the register of names" if room is None else f"room {room!r}"
    print(
        f"{what}: its stream was made anew, with {_count(found, 'message') if room is not None else f'{found:,} of its changes'}"
    )
    return DONE


def export_log(
    log: Annotated[Path, typer.Argument(help="A log's file: an archived one, or a backup.")],
    target: Annotated[Path, typer.Argument(help="The new file: .txt, .jsonl or .html.")],
) -> int:
    """Write the messages of a log's file as text, JSON lines or a page for a browser."""
    messages = messages_in(log)
    print(f"{_count(len(messages), 'message')} in {export(messages, target)}")
    return DONE


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _parse(expect: str) -> tuple[int, str]:
    """The id and the digits of the digest, all of them or the first 8 and more. Raises InvalidArgument."""
    found = re.fullmatch(r"([0-9]{1,15}):([0-9a-f]{0,64})(?:…|\.\.\.)?", expect.strip().lower())
    if found is None:
        raise InvalidArgument(f"--expect takes ID:DIGEST as --verify and /verify print it, not {expect!r}")
    if len(found[2]) < _LEAST_DIGITS:
        raise InvalidArgument(
            f"the digest in --expect {expect} is too short: give the first {_LEAST_DIGITS} digits of it, or more"
        )
    return int(found[1]), found[2]
