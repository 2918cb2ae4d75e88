"""What a message is now, after all that later ones say about it."""

from typing import NamedTuple


class Current(NamedTuple):
    """text: its newest one; None where it was deleted. reactions: names, by the reaction, in the order in which they came
    up. replies: the ids of the messages that answer it, in their order."""

    text: str | None
    is_edited: bool
    is_redacted: bool
    reactions: dict[str, set[str]]
    replies: list[int]

    def to_wire(self) -> list[object]:
        """``[text or None, is_edited, [[reaction, [name …]] …], [reply id …]]``, names sorted."""
        reactions: list[object] = [[reaction, sorted(names)] for reaction, names in self.reactions.items()]
        return [self.text, self.is_edited, reactions, list(self.replies)]
