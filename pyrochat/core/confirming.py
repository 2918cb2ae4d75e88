"""Who has a message, who has read it, who is waited for, who is away: from the members and their marks."""

from collections.abc import Callable, Mapping

from pyrochat.core.marks import Mark
from pyrochat.core.room import RoomState
from pyrochat.values.confirmations import Confirmations


def confirmations_of(
    state: RoomState, id: int, marks: Mapping[str, Mark], belongs: Callable[[str], bool]
) -> Confirmations:
    """The confirmations of message *id*. marks: of those whom it concerns (`RoomState.members_since`), by folded name.
    belongs: whether somebody may come back who is not here."""
    waited_for = [member for member, (_, read) in marks.items() if read < id]
    return Confirmations.of(
        id,
        (state.name_of(member) for member, (delivered, _) in marks.items() if delivered >= id),
        (state.name_of(member) for member, (_, read) in marks.items() if read >= id),
        (state.name_of(member) for member in waited_for if member in state.present),
        (state.name_of(member) for member in waited_for if member not in state.present and belongs(member)),
    )
