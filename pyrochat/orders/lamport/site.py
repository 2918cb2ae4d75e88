"""One site of a totally ordered room: a thread with its member (`core.graph.member`), its disk, and all that comes and goes.

What has come is taken in together; then it is written down, in one commit; and only then anything that follows from it is
sent, or shown. A commit that fails leaves the member as it was on disk.
"""

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Collection, Sequence
from itertools import chain
from typing import NamedTuple

from pyrochat.clock import monotonic
from pyrochat.core.commands import ENTRY_VERSION
from pyrochat.core.graph.bodies import site_id
from pyrochat.core.graph.disk import Identity, MemberDisk, Row
from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.member import Member
from pyrochat.core.graph.messages import Accept, Events, Join, Message, Promised, Text
from pyrochat.core.graph.oddities import LOST_TAIL, NOT_SIGNED, Oddities, two_stories
from pyrochat.core.graph.packing import unpack_message
from pyrochat.core.graph.texts import apart, packed_text, unpacked_text
from pyrochat.orders.lamport.board import Board, fate_of
from pyrochat.orders.lamport.labels import STREAM, labels_of, own_row
from pyrochat.orders.lamport.packets import belonging, packed, unpacked
from pyrochat.orders.lamport.presence import Presence, Who
from pyrochat.orders.lamport.proofs import proved, signature_of
from pyrochat.orders.lamport.streams import Streams
from pyrochat.orders.lamport.telling import change_of_view, held_up
from pyrochat.orders.replicated.stream import Event, Fate, Latest, News
from pyrochat.threads import Defects, go_on
from pyrochat.trust.keys import Key
from pyrochat.values.errors import InvalidArgument, LogUnavailable, RoomClosing, ServerFull

log = logging.getLogger(__name__)

MAX_SITES = 30
_MOST_AT_ONCE = 500  # inputs for one commit
_NEVER = float("inf")
_RETRY_SECONDS = 0.2  # after a commit that has failed
_LEAVING_SECONDS = 0.02  # until it is looked again whether the others go on
_TURN = 4  # one tick in so many, by chance, begins again what was not brought to an end


class SiteTimes(NamedTuple):
    """tick_seconds: so often a site says that it is there. marks_seconds: after something has come, until it says how far it is.
    silent_seconds: until a site that says nothing is suspected. told_seconds: until people are told so."""

    tick_seconds: float = 0.5
    marks_seconds: float = 0.002
    silent_seconds: float = 3.0
    told_seconds: float = 1.6


Sent = tuple[str, int, str]
"""To which site, in which view, what, packed."""


class Outside:
    """What a site calls to reach the others; `links.Links` is one. All in the site's thread, none may wait."""

    def send(self, messages: Sequence[Sent]) -> None:
        """Send *messages*, if it can be done."""

    def put(self, rows: Sequence[Row], kept: Callable[[str], None]) -> None:
        """Give *rows* to all sites; call *kept* with each that has them on disk."""

    def ask(self, answered: Callable[[str], None]) -> None:
        """Ask all sites for what stands beside the streams; call *answered* with each when its answer was taken in."""

    def contacts(self) -> Collection[str]:
        """The sites that are linked."""
        return ()


class LamportSite:
    """disk: taken over, and closed. key: the server's. label: what it wants to be called. now_us: the clock that texts get their
    times from. at: where others reach it, ``host:port``, or empty. is_said: whether the data of a text is something that a person has
    said. has_texts: whether there is any such."""

    def __init__(
        self, disk: MemberDisk, key: Key, label: str, now_us: Callable[[], int], at: str = "", times: SiteTimes | None = None,
        is_said: Callable[[bytes], bool] = lambda data: True,
    ) -> None:  # fmt: skip
        self._is_said, self.has_texts = is_said, False
        self.disk, self.key, self.label, self.at = disk, key, label, at
        self.times = times or SiteTimes()
        self.outside = Outside()
        self.now_us = now_us
        self._run_id = secrets.token_hex(4)
        self._defects = Defects(log)
        self._oddities = Oddities()
        self._inputs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._mutex = threading.Lock()  # guards the next one against inputs that would come too late
        self._closing = False
        self._is_leaving = False
        self.streams = Streams(disk, self._note)
        self._after_write: list[Callable[[], None]] = []
        self._tick_at = self._marks_at = _NEVER
        self._heard: dict[str, Who] = {}
        self._views: dict[str, int] = {}  # the view that each site was in when it was heard of last
        self._thread = threading.Thread(target=self._run, name=f"pyrochat-site-{label}", daemon=True)

    # -- the beginning ------------------------------------------------------------------------------------

    def new_identity(self) -> Identity:
        """This server under a new nonce."""
        nonce = secrets.token_hex(16)
        return Identity(site_id(self.key.public.hex(), nonce), nonce, self.label)

    def found(self, root: bytes, identity: Identity) -> None:
        """The room, with this site only. Before `start`. Raises LogUnavailable."""
        self.disk.adopt(root, identity, [View(1, (identity.id,))])

    def start(self) -> None:
        """Take part; the disk has a root. Raises LogUnavailable."""
        if self.disk.identity is None:
            self._become_another("")
        self._load()
        self._look_for_texts()
        self._tick_at = monotonic()
        self._thread.start()

    def _look_for_texts(self) -> None:
        """All that is read of the file is closed when this returns: the thread begins with tidying it."""
        here = (entry for entry in self.disk.entries(0) if isinstance(entry, Text))
        for text in chain(here, self._member.open.texts(), self._member.outbox.values()):
            if self.has_texts:
                break
            self._note(text)

    def _note(self, text: Text) -> None:
        self.has_texts = self.has_texts or self._is_said(unpacked_text(text.body)[1])

    def _load(self) -> None:
        """Build what is in memory from the disk."""
        assert self.disk.root is not None
        assert self.disk.identity is not None
        self.me = self.disk.identity.id
        nonce = self.disk.identity.nonce
        self._presence = Presence(self.me, monotonic(), self.times.silent_seconds, self.times.told_seconds, self._heard)
        self._member = Member(
            self.me, self.disk.root, self.disk.log, self.disk.outbox(), self.disk.records(),
            lambda id: signature_of(id, self.key, nonce), asks_first=True,
        )  # fmt: skip
        self._board = Board(self.me, self.disk, lambda sites: self._member.view.is_quorum(sites))
        self._labels, self._is_label_said = labels_of(self._board.rows.values()), False
        self._view = self._member.view
        self.streams.load(self._member)

    def _become_another(self, before: str) -> None:
        """Lost state means a new site: what it had is handed in again."""
        assert self.disk.root is not None
        ghost = Member(before, self.disk.root, self.disk.log, self.disk.outbox(), self.disk.records())
        outbox = self.disk.log.new([*ghost.carried(), *ghost.outbox.values()])
        self.disk.begin_again(self.new_identity(), outbox)

    # -- any thread ---------------------------------------------------------------------------------------

    @property
    def home(self) -> str:
        """This run of it."""
        return f"{self.me}/{self._run_id}"

    def who(self) -> Who:
        """What it says of itself."""
        assert self.disk.identity is not None
        missed = tuple(self._presence.missed(self._view.members, monotonic()))
        return Who(
            self.me, self.disk.identity.nonce, self.label, self.at, self.home, ENTRY_VERSION, self._view.number, missed,
            self._is_leaving,
        )  # fmt: skip

    @property
    def view(self) -> View:
        """The newest that is known here."""
        return self._view

    def stays(self) -> bool:
        """Whether the room can't be given up for another one of its name: others are in it, or somebody has said something."""
        return self.has_texts or any(site != self.me for site in self._view.members)

    @property
    def known(self) -> dict[str, Who]:
        """The sites that were heard of, by their ids."""
        return dict(self._heard)

    def label_of(self, site: str) -> str:
        """What *site* is called at all sites."""
        known = self._heard.get(site)
        wanted = self.label if site == self.me else known.label if known is not None else site[:6]
        return self._labels.get(site, wanted)

    def is_alive(self, home: str) -> bool:
        """Whether the run *home* of a site may be there still."""
        if home.partition("/")[0] == self.me:
            return home == self.home
        return self._presence.is_alive(home, monotonic())

    def version(self) -> int:
        """The version of entries that all sites of the view know."""
        known = [self._heard.get(site) for site in self._view.members if site != self.me]
        return min([ENTRY_VERSION, *(1 if who is None else who.version for who in known)])

    def do(self, task: Callable[[], None]) -> None:
        """Call *task* in the site's thread."""
        self._inputs.put(task)

    def hear(self, who: Who, messages: Sequence[tuple[int, str]], rows: Sequence[Row]) -> threading.Event:
        """*who*, whose key was proved, says *messages*, in the views of these numbers, and what stands beside the streams; returns
        what is set when that is on disk. Raises RoomClosing, ServerFull."""
        done = threading.Event()
        with self._mutex:
            if self._closing:
                raise RoomClosing("the site is being stopped")
            is_in = who.site in self._view.members
            if not is_in and len(self._view.members) >= MAX_SITES:
                raise ServerFull(f"the room has {MAX_SITES} sites: join one of them as a client")
            self._inputs.put(lambda: self._hear(who, messages, rows, done))
        return done

    def answered(self, who: Who) -> None:
        """*who* has answered a call. That it can be called doesn't show that it can call."""
        self._views[who.site] = who.view

    def tell(self, text: str) -> None:
        """People should know *text*."""
        self.do(lambda: self.streams.tell_all(News(text)))

    def leave(self, seconds: float) -> None:
        """Let the others go on without this site; returns when they do, or so many seconds later."""
        self._is_leaving = True
        left = threading.Event()
        self.do(lambda: self._look_left(left))
        left.wait(seconds)

    def close(self) -> None:
        """Take part no more. Idempotent."""
        with self._mutex:
            was_closing, self._closing = self._closing, True
        self._inputs.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        if not was_closing:
            self.disk.close()

    # -- the thread: what comes ----------------------------------------------------------------------------

    def _run(self) -> None:
        go_on(self._work, "a site of a room", self._defects)

    def _work(self) -> bool:
        if self._closing:
            return False
        try:
            self._take_in()
            now = monotonic()
            if now >= self._tick_at:
                self._tick(now)
            if now >= self._marks_at:
                self._marks_at = _NEVER
                self._member.pass_on_marks()
            self._finish(now)
        except LogUnavailable as error:
            log.error("the site %s: %s", self.label, error)
            self._go_back()
            time.sleep(_RETRY_SECONDS)
        except BaseException:
            self._go_back()
            raise
        return True

    def _take_in(self) -> None:
        """Wait for what comes, or is due."""
        due = min(self._tick_at, self._marks_at, self._board.due, self.streams.due)
        try:
            task = self._inputs.get(timeout=max(0.0, due - monotonic()))
            for left in reversed(range(_MOST_AT_ONCE)):
                if task is not None:
                    task()
                if left:
                    task = self._inputs.get_nowait()
        except queue.Empty:
            pass

    def _hear(
        self, who: Who, messages: Sequence[tuple[int, str]], rows: Sequence[Row], done: threading.Event
    ) -> None:  # fmt: skip
        self._presence.heard(who, monotonic())
        self._views[who.site] = who.view
        self._after_write.append(done.set)
        for number, text in messages:
            ordering = self._member.ordering
            try:
                said, beside = unpacked(text)
                message = unpack_message(said, ordering.graph.root)
            except InvalidArgument as error:
                log.warning("the site %s says: %s", who.label, error)
                continue
            if isinstance(message, Join) and who.is_leaving:
                continue
            message = self._proved(who.site, number, message)
            self.disk.keep(belonging(message, beside))
            self._member.receive(who.site, number, message)
        self.keep(rows)

    def keep(self, rows: Sequence[Row]) -> None:
        """Another site has *rows* beside the streams."""
        news = self._board.keep(rows)
        for row in news:
            self.streams.tell(row)
        if any(row.stream == STREAM for row in news):
            self._say_label()

    def _say_label(self) -> None:
        """Tell the others what this site wants to be called, where that is not known yet."""
        own = own_row(self._board.rows.values(), self.me, self.label, self.now_us())
        if own is not None:
            self.outside.put(self._board.keep([own]), lambda site: None)
        self._is_label_said = True
        self._labels = labels_of(self._board.rows.values())

    def _proved(self, giver: str, number: int, message: Message) -> Message:
        """*message* of the view *number*, without the events that nobody has proved to be their site's."""
        if isinstance(message, Events | Promised | Accept):
            events = proved(message.events, self._member.ordering.events)
            # in another view the events have another root, so nobody's signature fits here: that says nothing of the giver
            if len(events) < len(message.events) and number == self._member.view.number:
                self._tell_odd(giver, [NOT_SIGNED])
            return message._replace(events=events)
        return message

    def _tell_odd(self, giver: str, reasons: Sequence[str], forked: Sequence[str] = ()) -> None:
        for text in [
            *map(two_stories, map(self.label_of, forked)), *self._oddities.new(giver, self.label_of(giver), reasons)
        ]:  # fmt: skip
            log.info("%s", text)
            self.streams.tell_all(News(text))

    def _tick(self, now: float) -> None:
        self._tick_at = now + self.times.tick_seconds
        self.disk.tidy()
        presence, members = self._presence, self._member.view.members
        presence.look(now)
        is_turn = secrets.randbelow(_TURN) == 0
        if self._member.is_member and not self._is_label_said:
            self._say_label()
        leaving = [site for site in members if presence.is_leaving(site) or (site == self.me and self._is_leaving)]
        suspected = presence.suspected(members, now)
        self._member.tick(suspected, is_turn, self.outside.contacts(), leaving)

    def _look_left(self, left: threading.Event) -> None:
        """Whether another site is in a view without this one: it has all that belongs to the one before."""
        view = self._member.view
        others = [site for site in view.members if site != self.me]
        is_out = self.me not in view.members and any(self._views.get(site, 0) >= view.number for site in others)
        can_not = self._member.is_member and not self._has_quorum()
        if is_out or not others or can_not or self._closing:
            left.set()
        else:
            self._tick_at = min(self._tick_at, monotonic() + _LEAVING_SECONDS)
            threading.Timer(_LEAVING_SECONDS, self.do, [lambda: self._look_left(left)]).start()

    # -- the thread: what follows --------------------------------------------------------------------------

    def _finish(self, now: float) -> None:
        """Write down what has come; then show it, and send what follows."""
        records, envelopes = self._member.take()
        if self._member.has_lost_tail:
            log.warning("%s", LOST_TAIL)  # perhaps nobody has come yet who could be told
            self.streams.tell_all(News(LOST_TAIL))
            self._become_another(self.me)
            self._load()
            records, envelopes = self._member.take()
        if records:
            self.disk.write(records)
        self.streams.show()
        self._look_at_view()
        for giver, receipt in self._member.odd():
            self._tell_odd(giver, [why.value for _, why in receipt.refused], [fork.site for fork in receipt.forks])
        after, self._after_write = self._after_write, []
        for task in after:
            task()
        if envelopes:
            self.outside.send(packed(envelopes, self.disk))
        if records or envelopes:
            self._marks_at = min(self._marks_at, now + self.times.marks_seconds)
        self._board.look(now)
        self.streams.say_pending(now)
        self.streams.say(self._trouble_now(now))

    def _go_back(self) -> None:
        """What was not written has not happened."""
        self.disk.reload()
        self._after_write = []
        self._load()

    def _look_at_view(self) -> None:
        before, self._view = self._view, self._member.view
        if before.number == self._view.number:
            return
        if (told := change_of_view(self.me, before, self._view, self.label_of)) is not None:
            self.streams.tell_all(News(told))

    def _trouble_now(self, now: float) -> str | None:
        member = self._member
        if not member.is_member:
            return "this site waits to be let in"
        silent = self._presence.silent(member.view.members, now)
        if any(self._views.get(site, 0) > member.view.number for site in member.view.members if site not in silent):
            return (
                self.streams.trouble
            )  # they have gone on, perhaps without this site: what is to be said is known soon
        return held_up(member.view, silent, member.is_behind or member.ordering.is_frozen, self.label_of)

    # -- the thread: what streams ask for --------------------------------------------------------------------

    def publish(self, stream: str, data: bytes, id: str, then: Callable[[Fate], None]) -> None:
        """See `Stream`. Without a quorum nothing is taken: who waits for it is told so, and asks again."""
        if self._closing or not self._has_quorum():
            then(Fate.REFUSED)
            return
        said, beside = apart(data)
        self.disk.keep(beside)
        text = Text(f"{stream}/{id}", packed_text(self.now_us(), said))
        self._note(text)
        self._member.say(text)
        self._after_write.append(lambda: then(Fate.STORED))

    def _has_quorum(self) -> bool:
        view = self._member.view
        silent = set(self._presence.silent(view.members, monotonic()))
        return self._member.is_member and view.is_quorum(set(view.members) - silent)

    def follow(self, stream: str, after: int, event: Callable[[Event], None]) -> None:
        """See `Stream`."""
        self.streams.follow(stream, after, event)
        for row in self._board.rows.values():
            if row.stream == stream:
                event(Latest(row.label, row.data))

    def erase(self, gone: Sequence[str]) -> None:
        """The texts that the commitments *gone* stand for are on disk no more. Raises LogUnavailable."""
        self.disk.erase(gone)

    def put(self, stream: str, label: str, data: bytes, then: Callable[[Fate], None]) -> None:
        """See `Stream`."""
        rows = self._board.keep([self._board.row(stream, label, data, self.now_us())])
        answered = self._board.count(lambda is_kept: then(fate_of(is_kept)), monotonic())
        self.outside.put(rows, lambda site: self.do(lambda: answered(site)))

    def hear_all(self, then: Callable[[bool], None]) -> None:
        """See `Stream`."""
        answered = self._board.count(then, monotonic())
        self.outside.ask(lambda site: self.do(lambda: answered(site)))

    def rows(self) -> list[Row]:
        """All that stands beside the streams here. Any thread may call it."""
        return list(self._board.rows.values())

    def check_open(self) -> None:
        """Raise LogUnavailable where nothing is taken in any more."""
        if self._closing:
            raise LogUnavailable("the site is being stopped")
