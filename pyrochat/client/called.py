"""The part of a Chat that says what messages are called, and who has sent them, where ids and names don't say it all."""

from pyrochat.client.answers import SITES
from pyrochat.client.replica import Replica
from pyrochat.client.session import ASK_SECONDS, ClientSession
from pyrochat.values.errors import InvalidArgument, UnknownMessage
from pyrochat.values.message import Message
from pyrochat.values.rules import checked_timeout
from pyrochat.values.sites import SiteSeen, is_distinct, may_mean


class Called:
    """Of the replica."""

    _replica: Replica
    _session: ClientSession

    @property
    def is_causal(self) -> bool:
        """Whether the room is causal: ids are not everybody's there."""
        return any(message.ref is not None for message in self._replica.slice(self._replica.end - 1))

    @property
    def may_have_sites(self) -> bool:
        """Whether the room is held together by several machines, which may be sites."""
        return self.is_causal or self._session.round.is_cluster

    def sites(self, *, timeout: float | None = ASK_SECONDS) -> list[SiteSeen]:
        """The sites of a room without a server, the one that this Chat is connected to first; of other rooms none. Raises WaitTimeout."""
        return self._session.ask(SITES, timeout=checked_timeout(timeout))

    def called(self, id: int) -> str:
        """What message *id* is called: ``#12``; in a causal room ``#erick.7``, as everywhere."""
        try:
            message = self._replica.get(id)
        except IndexError:
            return f"#{id}"
        return f"#{message.ref or id}"

    def find(self, name: str) -> int:
        """The id of the message that is called *name*, ``#12`` or ``#erick.7``. Raises UnknownMessage where that is not here,
        InvalidArgument where it may be several, as two sites had one label."""
        wanted, end = name.removeprefix("#"), self._replica.end
        if wanted.isascii() and wanted.isdigit() and len(wanted) <= 15:
            return int(wanted)
        found = [m for m in self._replica.slice(0, end) if m.ref is not None and may_mean(wanted, m.ref)]
        exact = [message for message in found if message.ref == wanted]
        if len(exact) == 1 and (len(found) == 1 or is_distinct(wanted)):
            return exact[0].id
        if found:
            told = " or ".join(f"{message.id} (#{message.ref}, {message.sender})" for message in found)
            raise InvalidArgument(f"{wanted!r} may be {told}: say the number")
        raise UnknownMessage(f"there is no message {wanted!r} here: say its number, or its name, as erick.7")

    def who(self, message: Message) -> str:
        """The sender of *message*; with the beginning of the key, where two people have one name."""
        return self._replica.who(message)
