"""What always holds in a room, whatever happens in whatever order: a state machine that hypothesis drives.

It is the room itself that follows its log here (`room.applier`), with suspicion and cursors beside it, but without
threads: groups of commands, commits that may fail, one outstanding delivery a session, answers that may lie, lost
connections, crashes. A second room applies the same entries, and has to be the same.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pyrochat import LogUncertain
from pyrochat.core.commands import Command, End, Lose, Open, Restarted, Resume
from pyrochat.core.confirming import confirmations_of
from pyrochat.core.cursors import MARKS_IN_A_DELIVERY, WINDOW_BYTES, Cursor, block_end
from pyrochat.core.marks import Mark
from pyrochat.core.order import Applied
from pyrochat.core.room import RoomState
from pyrochat.core.suspicion import Suspicion
from pyrochat.values.errors import UnknownSession
from pyrochat.values.message import JOINED, SYSTEM, Message
from pyrochat.values.rules import fold
from tests.core.modelling import Client, Driven, Expected, FailingLog, Sent, views_of
from tests.support import SALT

GRACE = 5.0
NAMES = ["Ana", "ANA", "Igor", "Zoë"]
MEMBERS = sorted({fold(name) for name in NAMES})
names = st.sampled_from(NAMES)
whichever = st.integers(0, 50)
offsets = st.integers(-8, 4)  # from where a replica or the log really ends
some_texts, keys = st.lists(st.sampled_from("ab"), min_size=1, max_size=3), st.sampled_from("kl")
one_text = st.builds(lambda text, key: ([text], key), st.sampled_from("ab"), st.none() | keys)
sent = st.builds(Sent, names, st.lists(one_text, min_size=1, max_size=3)) | st.builds(
    Sent, names, st.tuples(st.tuples(some_texts, keys)), st.just(True)
)
seldom = st.integers(0, 3).map(lambda number: number == 0)


class RoomMachine(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.log = FailingLog("lobby")
        self.now = 0.0
        self.count = 0
        self.clients: list[Client] = []
        self.best: dict[str, Mark] = {}
        self.acknowledged: dict[int, Message] = {}
        self.unknown: set[tuple[str, str]] = set()
        self.start()
        for name in ("Ana", "Igor"):
            self.join(name, False)

    def start(self) -> None:
        self.room = Driven(self.log)
        self.suspicion = Suspicion()
        for session in self.state.all_sessions():
            self.suspicion.lost(session.id, session.member, self.now)
        self.apply(Restarted())

    @property
    def state(self) -> RoomState:
        return self.room.applier.state

    # -- as the room does it --------------------------------------------------------------------------

    def apply(self, *commands: Command, with_marks: bool = False) -> Applied:
        before = self.log.sessions()
        applied = self.room.apply(*commands, time_us=self.count, with_marks=with_marks)
        if applied.error is None:
            left = {session.id for session in self.log.sessions()}
            self.suspicion.ended([session for session in before if session.id not in left])
        for [outcome] in applied.outcomes:
            if isinstance(outcome, list):
                self.acknowledged.update((message.id, message) for message in outcome)
        return applied

    def end(self, client: Client) -> None:
        client.cursor = None
        self.suspicion.leaving(client.session_id, fold(client.name))
        self.apply(End(client.session_id, fold(client.name), SALT))

    def new_session(self, client: Client, with_marks: bool) -> bool:
        self.count += 1
        client.session_id, member = f"session {self.count}", fold(client.name)
        self.suspicion.lost(client.session_id, member, self.now)
        if self.apply(Open(client.session_id, member, client.name, SALT), with_marks=with_marks).error is not None:
            self.end(client)
            return False
        return True

    def attach(self, client: Client) -> None:
        member = fold(client.name)
        if self.state.session(member, client.session_id) is None:
            raise UnknownSession
        self.suspicion.back(client.session_id, member)
        self.apply(Resume(client.session_id, member))
        client.cursor = Cursor(len(client.replica))

    def pick(self, which: int, connected: bool | None = None, outstanding: bool | None = None) -> Client | None:
        found = [
            client
            for client in self.clients
            if (connected is None or (client.cursor is not None) == connected)
            and (outstanding is None or (client.cursor is not None and client.cursor.outstanding == outstanding))
        ]
        return found[which % len(found)] if found else None

    # -- what may happen ------------------------------------------------------------------------------

    @rule(requests=st.lists(sent, min_size=1, max_size=3), with_marks=st.booleans(), times=st.integers(1, 2))
    def post(self, requests: list[Sent], with_marks: bool, times: int) -> None:
        for _ in range(times):
            self.send(requests, with_marks)

    def send(self, requests: list[Sent], with_marks: bool) -> None:
        """What was sent under a key is there once, whole, or not at all; and the sender is told which."""
        expected = Expected(self.log, self.unknown)
        for request in requests:
            expected.add(request)
        tail, fails, breaks = self.log.tail, self.log.full or self.log.is_broken, self.log.breaks
        done = self.apply(*[request.post() for request in requests], with_marks=with_marks)
        assert (done.error is not None) <= (fails or breaks)
        if isinstance(done.error, LogUncertain):
            self.unknown |= expected.fresh_keys
        for request, (kind, texts, is_new), [outcome] in zip(requests, expected.outcomes, done.outcomes, strict=True):
            if kind is not None:
                assert type(outcome) is kind
            elif is_new and done.error is not None:
                assert isinstance(outcome, type(done.error))
            else:
                assert isinstance(outcome, list)
                assert [message.text for message in outcome] == texts
                assert {fold(message.sender) for message in outcome} == {fold(request.name)}
        appended = [message.id for message in self.room.appended] if done.error is None else []
        assert appended == list(range(tail + 1, self.log.tail + 1)), "what was refused is not there"
        assert len(appended) == (0 if done.error is not None else expected.count)

    @rule(name=names, with_marks=st.booleans())
    def join(self, name: str, with_marks: bool) -> None:
        if len(self.clients) < 8:
            client = Client(name, "")
            if self.new_session(client, with_marks):
                self.clients.append(client)
                self.attach(client)

    @rule(which=whichever)
    def leave(self, which: int) -> None:
        client = self.pick(which)
        if client is not None:
            self.clients.remove(client)
            self.end(client)

    @rule(which=whichever)
    def lose_the_connection(self, which: int) -> None:
        client = self.pick(which, connected=True)
        if client is not None:
            client.cursor = None
            self.suspicion.lost(client.session_id, fold(client.name), self.now)
            self.apply(Lose(client.session_id, fold(client.name)))

    @rule(which=whichever)
    def come_back(self, which: int) -> None:
        client = self.pick(which, connected=False)
        if client is None:
            return
        try:
            self.attach(client)
        except UnknownSession:
            if self.new_session(client, False):
                self.attach(client)

    @rule(which=whichever, steps=st.integers(1, 5), asks=st.booleans(), size=st.integers(1, WINDOW_BYTES))
    def deliver(self, which: int, steps: int, asks: bool, size: int) -> None:
        client = self.pick(which, outstanding=False if asks else None)
        if client is None or client.cursor is None or not (asks or client.cursor.has_window(size)):
            return
        cursor = client.cursor
        after = cursor.sent
        upto = block_end(after, min(self.state.tail, after + steps))
        marks, marks_upto = self.room.applier.marks_since(cursor.marks_position, MARKS_IN_A_DELIVERY)
        cursor.send(upto, marks_upto, size, asks)
        assert cursor.position <= cursor.asked <= cursor.sent
        messages = self.log.read(after, upto - after)
        client.replica += [message for message in messages if message.id > len(client.replica)]
        for member, delivered, read in marks:
            assert (delivered, read) >= client.marks.get(member, (0, 0))
            client.marks[member] = (delivered, read)

    @rule(which=whichever, delivered=offsets, read=offsets)
    def confirm(self, which: int, delivered: int, read: int) -> None:
        client = self.pick(which, outstanding=True)
        if client is not None and client.cursor is not None:
            end = len(client.replica)
            believed = client.cursor.confirm(end + delivered, end + read)
            assert believed[1] <= believed[0] <= len(client.replica)
            self.room.applier.heard({fold(client.name): believed})

    @rule()
    def write_the_marks(self) -> None:
        self.apply(with_marks=True)

    @rule(seconds=st.sampled_from([1.0, GRACE + 1.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for _ in range(2):  # first they are lost, then they may end
            self.apply(*self.suspicion.proposals(self.state, self.now, GRACE, lambda: SALT))
        for client in self.clients:
            if self.state.session(fold(client.name), client.session_id) is None:
                client.cursor = None

    @precondition(lambda self: not self.log.full)
    @rule(happens=seldom)
    def the_disk_fills_up(self, happens: bool) -> None:
        self.log.full = happens

    @precondition(lambda self: self.log.full)
    @rule()
    def the_disk_has_space_again(self) -> None:
        self.log.full = False

    @precondition(lambda self: not (self.log.full or self.log.is_broken))
    @rule(happens=seldom)
    def the_disk_breaks_in_the_next_commit(self, happens: bool) -> None:
        self.log.breaks = happens

    @rule(happens=seldom, was_stored=st.booleans())
    def the_server_crashes_and_is_started_again(self, happens: bool, was_stored: bool) -> None:
        if not happens and not self.log.is_broken:
            return
        was_broken = self.log.is_broken
        self.log.reopen(was_stored)
        self.unknown.clear()
        before = self.state
        known = self.room.applier.marks_of(MEMBERS)
        for client in self.clients:
            client.cursor = None
        self.start()
        if was_broken and was_stored:
            return  # there is more than anybody was told
        assert (self.state.present, self.state.members) == (before.present, before.members)
        assert {s.id for s in self.state.all_sessions()} == {s.id for s in before.all_sessions()}
        assert self.room.applier.marks_of(MEMBERS) == known

    # -- what always holds ----------------------------------------------------------------------------

    @invariant()
    def the_log_has_no_gaps_and_keeps_what_was_acknowledged(self) -> None:
        messages = self.log.read(0, 10_000)
        assert [m.id for m in messages] == list(range(1, self.log.tail + 1))
        assert self.state.tail == self.log.tail
        assert all(messages[id - 1] == message for id, message in self.acknowledged.items())

    @invariant()
    def every_replica_is_a_prefix_of_the_log(self) -> None:
        for client in self.clients:
            assert client.replica == self.log.read(0, len(client.replica))

    @invariant()
    def each_key_of_a_member_is_there_once(self) -> None:
        keys = [(fold(m.sender), m.key) for m in self.log.read(0, 10_000) if m.key is not None]
        assert len(keys) == len(set(keys))

    @invariant()
    def joins_and_leaves_alternate_and_agree_with_the_views(self) -> None:
        last: dict[str, str | None] = {}
        for message in [m for m in self.log.read(0, 10_000) if m.kind == SYSTEM]:
            assert message.change is not None
            assert message.change != last.get(fold(message.sender), "left")
            last[fold(message.sender)] = message.change
        assert set(self.state.present) == {m for m, change in last.items() if change == JOINED}
        assert set(self.state.present) == views_of(self.log)[-1]

    @invariant()
    def who_has_a_connection_is_a_member(self) -> None:
        for client in self.clients:
            if client.cursor is not None:
                assert fold(client.name) in self.state.present

    @invariant()
    def the_view_is_who_has_a_session(self) -> None:
        assert set(self.state.present) == set(self.state.sessions)

    @invariant()
    def a_room_is_what_its_log_says(self) -> None:
        if not self.log.is_broken:
            told = RoomState.of(self.log)
            assert replace(told, entry=self.state.entry) == self.state

    @invariant()
    def marks_only_grow_and_stay_within_the_log(self) -> None:
        for member in MEMBERS:
            [(delivered, read)] = self.room.applier.marks_of([member])
            best = self.best.get(member, (0, 0))
            assert delivered >= best[0]
            assert read >= best[1]
            assert 0 <= read <= delivered <= self.log.tail
            self.best[member] = (delivered, read)

    @invariant()
    def confirmations_range_over_those_who_had_joined_by_then(self) -> None:
        views = views_of(self.log)
        for message in self.log.read(max(0, self.log.tail - 6), 6):
            concerned = set().union(*views[: message.id + 1]) - {fold(message.sender)}
            members = self.state.members_since(message.id, fold(message.sender))
            assert set(members) == concerned
            marks = dict(zip(members, self.room.applier.marks_of(members), strict=True))
            found = confirmations_of(self.state, message.id, marks, lambda member: True)
            read = {m for m in concerned if marks[m][1] >= message.id}
            assert set(map(fold, found.delivered_to)) == {m for m in concerned if marks[m][0] >= message.id}
            assert set(map(fold, found.read_by)) == read
            assert set(map(fold, found.waiting_for)) == (concerned & views[-1]) - read
            assert set(map(fold, found.away)) == concerned - views[-1] - read


RoomMachine.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestWhatAlwaysHolds = RoomMachine.TestCase
