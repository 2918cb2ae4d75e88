"""How much a site takes of what others hand over: as much as the log may grow, and so much a day of one server.

What is refused is refused whole, and nothing of it is kept: it is handed over, and asked for, again. What a server's own sites
have said counts whoever passes it on; only from itself it is refused then. So no two honest sites lose each other over it.
"""

import threading
from collections.abc import Callable, Sequence

from pyrochat.clock import monotonic
from pyrochat.core.graph.record import Told
from pyrochat.core.limits import DAY_SECONDS
from pyrochat.core.quotas import Quota
from pyrochat.core.space import PEER_BYTES, log_bytes
from pyrochat.values.errors import PyroChatError, QuotaUsedUp
from pyrochat.values.sizes import shown_size

_EVENT_BYTES = 400  # of a row, its indexes and hashes


class Intake:
    """Any thread may call. room_for: why the log may not grow by so many bytes; they count, where it may. day_bytes: of one server; 0 sets no
    bound. told: called with what people should know."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self.room_for: Callable[[int], PyroChatError | None] = lambda size: None
        self._told = told
        self._mutex = threading.Lock()  # guards what follows
        self._day = Quota(PEER_BYTES, DAY_SECONDS)
        self._refused: set[str] = set()  # for what: as it was told

    @property
    def day_bytes(self) -> int:
        """Of one server."""
        return self._day.amount

    @day_bytes.setter
    def day_bytes(self, amount: int) -> None:
        self._day.amount = amount

    def refusal(
        self, events: Sequence[Told], giver: str, key_of: Callable[[str], str | None], label: str
    ) -> PyroChatError | None:
        """Why *events*, which are new here, and which the site *giver*, called *label*, hands over, are not taken. key_of: of a
        site's server."""
        sizes: dict[str | None, int] = {}
        for event in events:
            key = key_of(event.site)
            sizes[key] = sizes.get(key, 0) + disk_bytes(event)
        with self._mutex:
            for key, size in sizes.items():
                if not giver or key is None:  # it begins, with all that was ever said
                    continue
                if self._day.take(key, size, monotonic()) and key == key_of(giver):
                    return self._refuse(giver, QuotaUsedUp(self._of_one(label)))
            refusal = self.room_for(sum(sizes.values())) if events else None
            if refusal is not None:
                return self._refuse("", refusal)
            self._refused -= {giver, ""} if events else {giver}
        return None

    def _of_one(self, label: str) -> str:
        return (
            f"the site {label} has said {shown_size(self._day.amount)} in a day: no more is taken from it today; its operator, and those of "
            "the others, can let it say more (peer_bytes=)"
        )

    def _refuse(self, what: str, why: PyroChatError) -> PyroChatError:
        if what not in self._refused:
            self._refused.add(what)
            self._told(str(why) if what else f"what other sites say is not taken here until there is room: {why}")
        return why


def disk_bytes(event: Told) -> int:
    """About how many bytes the log grows by *event*, its messages and their texts."""
    texts = sum(log_bytes("", [text[0]]) for text in event.texts if text is not None)
    return _EVENT_BYTES + 2 * len(event.body) + 32 * len(event.parents) + texts
