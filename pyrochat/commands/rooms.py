"""``pyrochat-server rooms``: the rooms that were created while a server ran, closed ones too, and are hosted at each start."""

from typing import Annotated

import typer

from pyrochat.commands.registry import DataOption, opened_registry
from pyrochat.commands.tables import print_table
from pyrochat.room.door.closed import ClosedRooms
from pyrochat.values.rules import CLOSED
from pyrochat.values.times import moment

app = typer.Typer(
    rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True,
    context_settings={"auto_envvar_prefix": "PYROCHAT", "help_option_names": ["-h", "--help"]},
    help="The rooms that were created while a server ran (--new-rooms); it hosts them again at each start.",
)  # fmt: skip


@app.command("list")
def list_rooms(data: DataOption = None) -> None:
    """List the rooms that were created, with who did."""
    with opened_registry(data) as registry:
        rooms, closed = registry.rooms(), ClosedRooms(registry.file).all()
    if not rooms and not closed:
        print("no room was created yet")
        return
    shown = [(room.name, room.creator, _shown(room.since_us), "") for room in rooms]
    shown += [(each.room, each.creator, _shown(each.since_us), each.title) for each in closed]
    print_table(("room", "created by", "since", "closed: its title"), shown)


def _shown(since_us: int) -> str:
    return f"{moment(since_us).astimezone():%Y-%m-%d %H:%M}"


@app.command("forget")
def forget(
    room: Annotated[str, typer.Argument(help="The room; a closed one by its id, see list.")], data: DataOption = None
) -> None:
    """Host a room no more from the next start on; its log stays."""
    with opened_registry(data) as registry:
        registry.forget_room(room)
    again = "" if room.startswith(CLOSED) else f", and --room {room} hosts it again"
    print(f"{room} is not hosted at the next start; its log stays{again}")
