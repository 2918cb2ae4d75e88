"""Who calls, before and after it is known."""

from dataclasses import dataclass

from pyrochat.core.limits import Origin
from pyrochat.trust.proofs import Meeting

NOBODY = "nobody"
"""The identity of a connection that gave no name: it may ask which rooms there are."""


@dataclass(eq=False, slots=True)
class SiteIdentity:
    """Another site of a room (`room.sites`). key: its server's. object_id: what it was proved for. origin: see `Identity`."""

    name: str
    key: bytes
    object_id: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Applicant:
    """A connection that has named a key, and has to prove that it has it: until then nothing else is served."""

    meeting: Meeting
    session_id: str | None
    is_site: bool = False

    @property
    def name(self) -> str:
        """The name that it wants."""
        return self.meeting.name


@dataclass(eq=False, slots=True)
class Identity:
    """Who a connection is. key: None for a guest. object_id: the room that it was proved for, None for any.

    guest_mark: what its messages' keys are its own by, beside the name; empty for a member (`values.keys`).
    origin: what its limits hang on; given to it at the door. notice: what it is told when it has joined.
    """

    name: str
    member: str
    key: bytes | None = None
    session_id: str | None = None
    object_id: str | None = None
    guest_mark: str = ""
    origin: Origin | None = None
    notice: str = ""
