"""How far two copies of a log are proven to be the same."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verification:
    """What `Chat.verify` found.

    identical_up_to: the messages 1 … identical_up_to are the same here and in the room, every byte.
    end: the last message that is here. digest: the chain's digest at `identical_up_to`, in
    hexadecimal; ``pyrochat-server --verify --expect ID:DIGEST`` takes it. log_id: whose log that is;
    replaced_log_id: `Chat.replaced_log_id`.
    """

    identical_up_to: int
    end: int
    digest: str
    log_id: str = ""
    replaced_log_id: str = ""

    @property
    def whole(self) -> bool:
        """Whether all that is here is the same in the room."""
        return self.identical_up_to == self.end

    def __bool__(self) -> bool:
        return self.whole
