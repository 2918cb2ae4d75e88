"""What people are told of a site that says, or hands over, what no site may: once for each site and reason."""

from collections.abc import Iterable

LOST_TAIL = "this site has lost some of what it had said: it goes on as a new one"
NOT_SIGNED = "its site has not signed it"


def two_stories(label: str) -> str:
    """Of a fork (`causal.Fork`) of the site that is called *label*."""
    return f"the site {label} has told two stories: its folder was copied, or somebody has its key; both stay"


class Oddities:
    """Not synchronized. Sites that hand anything over are members, so this is bounded."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def new(self, giver: str, label: str, reasons: Iterable[str]) -> list[str]:
        """What to tell of events that *giver*, called *label*, has handed over, and that were not taken for *reasons*."""
        fresh = [reason for reason in dict.fromkeys(reasons) if (giver, reason) not in self._told]
        self._told.update((giver, reason) for reason in fresh)
        return [f"the site {label} has handed over what is not taken here: {reason}" for reason in fresh]
