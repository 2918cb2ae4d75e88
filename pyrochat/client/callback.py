"""The callback object: what the room calls on the connection that this client has turned around."""

import threading
from collections.abc import Callable

from pyrochat.asides import aside_logger
from pyrochat.client.answers import read_notice, read_pending, read_seal
from pyrochat.client.deliveries import read_delivery
from pyrochat.client.reading import Reading
from pyrochat.client.replica import Replica
from pyrochat.client.unnumbered import Unnumbered
from pyrochat.pyro.dispatch import expose
from pyrochat.trust.seals import checked_seal
from pyrochat.values.errors import InvalidArgument, ServerFault
from pyrochat.values.protocol import TAKES
from pyrochat.values.visible import one_line

log = aside_logger(__name__)

MOST_NOTICES = 20
_MOST_ID_CHARACTERS = 40


class Callback:
    """Takes deliveries into the replica, and answers with the marks at once.

    log_id, server_key: of the log that they come from, and the public key of its server. closed: called with the room's
    reason when the server says that it is being stopped. noticed: with what the room says beside the log. unreadable:
    with what is wrong, where the room delivers what makes no sense; it would again. unnumbered: takes what the room says of texts
    that have no number yet. held_up: called with what keeps the room from going on, or nothing.
    """

    __slots__ = (
        "_closed", "_failed", "_held_up", "_log_id", "_noticed", "_notices", "_reading", "_replica", "_server_key", "_unnumbered",
        "_unreadable", "welcomed",
    )  # fmt: skip

    def __init__(
        self, replica: Replica, reading: Reading, log_id: str, server_key: bytes, closed: Callable[[str], None],
        noticed: Callable[[str], None], unreadable: Callable[[ServerFault], None],
        unnumbered: Unnumbered, held_up: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.welcomed = threading.Event()
        self._failed = False  # a delivery that was not answered
        self._replica = replica
        self._reading = reading
        self._log_id = log_id
        self._server_key = server_key
        self._closed = closed
        self._noticed = noticed
        self._notices = 0  # that have come
        self._unreadable = unreadable
        self._unnumbered = unnumbered
        self._held_up = held_up

    @expose
    def welcome(self, session_id: object) -> str:
        """The connection stands; returns what else is served here."""
        log.debug("welcomed as session %s", one_line(str(session_id), _MOST_ID_CHARACTERS))
        self.welcomed.set()
        return TAKES

    @expose
    def deliver(self, messages: object, marks: object) -> list[int]:
        """The log, or the marks of others, have grown (neither: a beat); returns ``[delivered, read]``.

        Raises InvalidArgument for what can't follow, also where that was in a `deliver_oneway` before: the room then
        ends the connection, and the session goes on at the replica's end. Raises ServerFault for what makes no sense.
        """
        if self._failed:
            raise InvalidArgument("an earlier delivery could not be taken")
        self.deliver_oneway(messages, marks)
        return [self._replica.end, self._reading.tell()]

    @expose
    def deliver_oneway(self, messages: object, marks: object) -> None:
        """The same, and nobody waits for an answer: the next `deliver` confirms this too."""
        try:
            if messages or marks:
                delivery = read_delivery(messages, marks)
                self._replica.extend(delivery)
                self._unnumbered.came(delivery.messages)
                self._reading.hear(delivery.marks)
        except ServerFault as error:
            self._failed = True
            self._unreadable(error)
            raise
        except Exception:
            self._failed = True
            raise

    @expose
    def pending(self, messages: object) -> None:
        """The texts that have no number yet, in place of those that were told before; passed over where they make no sense."""
        try:
            self._unnumbered.replace(read_pending(messages))
        except ServerFault as error:
            log.debug("what the room calls pending: %s", error)

    @expose
    def held_up(self, why: object) -> None:
        """What keeps the room from going on now, in one line; empty: nothing."""
        self._held_up(read_notice(why))

    @expose
    def notice(self, text: object) -> None:
        """Something that everybody should know, and that can't be in the log. The first 20 on a connection are told."""
        said = read_notice(text)
        self._notices += 1
        if self._notices < MOST_NOTICES:
            self._noticed(said)
        elif self._notices == MOST_NOTICES:
            self._noticed(f"{said} (what the room says from now on is not shown: it says too much)")

    @expose
    def seal(self, id: object, seal: object) -> None:
        """The room's seal on message *id*, which proves later that its log had it; passed over where it proves nothing."""
        number, text = read_seal(id, seal) or (0, "")
        if 0 < number <= self._replica.end:
            checked = checked_seal(text, self._server_key, self._log_id, number)
            if checked is None:
                log.debug("the room's seal on message %d is not its server's", number)
            else:
                self._replica.keep_seal(checked)

    @expose
    def closing(self, reason: object) -> None:
        """The server is being stopped."""
        self._closed(read_notice(reason))
