"""Options for how much may be written to the disk, shared by the commands that host rooms."""

from typing import Annotated

import typer

from pyrochat.core.space import PEER_BYTES, ROOM_BYTES, Storage
from pyrochat.values.sizes import parse_size, shown_size

MOST_ROOM_BYTES, MOST_PEER_BYTES = (shown_size(size).replace(" ", "") for size in (ROOM_BYTES, PEER_BYTES))

RoomBytesOption = Annotated[
    str, typer.Option(metavar="SIZE", help="How large a room's log may become, as 10GiB or 512M; 0: no bound.")
]
PeerBytesOption = Annotated[
    str,
    typer.Option(
        metavar="SIZE", help="What guests and keys new within the hour may send from one address a day; 0: no bound."
    ),
]
DiskReserveOption = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="How much of the disk posts leave free; default: 5 %, 1 GiB at the most."),
]


def storage_of(room_bytes: str, peer_bytes: str, disk_reserve: str | None) -> Storage:
    """What the options say. Raises InvalidArgument."""
    return Storage(
        parse_size(room_bytes, "--room-bytes"),
        parse_size(peer_bytes, "--peer-bytes"),
        None if disk_reserve is None else parse_size(disk_reserve, "--disk-reserve"),
    )
