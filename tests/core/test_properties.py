"""What always holds in a room, whatever happens in whatever order: a state machine that hypothesis drives.

It does with the core what `pyrochat.room.room` does, without threads: plans, commits that may fail, one
outstanding delivery a session, answers that may lie, lost connections, crashes.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pyrochat import LogUncertain
from pyrochat.core.cursors import MARKS_IN_A_DELIVERY, WINDOW_BYTES, Cursor, block_end
from pyrochat.core.marks import Mark
from pyrochat.core.sequencer import Draft, Sequenced, Sequencer
from pyrochat.core.sessions import GONE, Session
from pyrochat.core.state import RoomState
from pyrochat.values.errors import NotAMember, UnknownMessage, UnknownSession
from pyrochat.values.message import JOINED, Message
from pyrochat.values.rules import fold
from tests.core.modelling import Client, Expected, FailingLog, Sent, views_of

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
        self.state = RoomState(self.log, self.now)
        self.sequencer = Sequencer(self.log)
        self.leaves_failed = False

    # -- as the room does it --------------------------------------------------------------------------

    def commit(self, requests: list[list[Draft]], with_marks: bool = False) -> Sequenced:
        drafts = [draft for request in requests for draft in request]
        records = self.state.records_to_write(drafts, self.state.marks.unwritten if with_marks else {})
        done = self.sequencer.sequence(requests, records, self.count)
        if done.error is not None:
            self.leaves_failed = True
        else:
            self.state.committed(done.appended, records)
        for outcome in done.outcomes:
            if isinstance(outcome, list):
                self.acknowledged.update((message.id, message) for message in outcome)
        return done

    def end_sessions(self, ids: list[str]) -> None:
        for client in self.clients:
            if client.session_id in ids:
                client.cursor = None
        self.commit([self.state.drop_sessions(ids)])

    def new_session(self, client: Client, with_marks: bool) -> bool:
        self.count += 1
        client.session_id = f"session {self.count}"
        session = Session(client.session_id, fold(client.name), client.name, lost_at=self.now)
        _, drafts = self.state.open_session(session)
        if self.commit([drafts], with_marks).error is not None:
            self.end_sessions([session.id])
            return False
        return True

    def attach(self, client: Client) -> None:
        if not self.state.resume_session(client.session_id, fold(client.name)):
            raise UnknownSession
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
        done = self.commit([request.drafts() for request in requests], with_marks)
        assert (done.error is not None) <= (fails or breaks)
        if done.error is not None and isinstance(done.error, LogUncertain):
            self.unknown |= expected.fresh_keys
        for request, (kind, texts, is_new) in zip(requests, expected.outcomes, strict=True):
            outcome = done.outcomes.pop(0)
            if kind is not None:
                assert type(outcome) is kind
            elif is_new and done.error is not None:
                assert type(outcome) is type(done.error)
            else:
                assert isinstance(outcome, list)
                assert [message.text for message in outcome] == texts
                assert {fold(message.sender) for message in outcome} == {fold(request.name)}
        appended = [message.id for message in done.appended]
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
            self.end_sessions([client.session_id])

    @rule(which=whichever)
    def lose_the_connection(self, which: int) -> None:
        client = self.pick(which, connected=True)
        if client is not None:
            client.cursor = None
            self.state.lose_session(client.session_id, self.now)

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
        marks, marks_upto = self.state.marks.since(cursor.marks_position, MARKS_IN_A_DELIVERY)
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
            self.state.marks.record(fold(client.name), *believed)

    @rule(name=names, offset=offsets)
    def mark_read(self, name: str, offset: int) -> None:
        id = self.log.tail + offset
        try:
            self.state.mark_read(fold(name), id)
        except UnknownMessage:
            assert not 1 <= id <= self.log.tail
        except NotAMember:
            assert fold(name) not in views_of(self.log)[-1]

    @rule()
    def write_the_marks(self) -> None:
        self.commit([], with_marks=True)

    @rule(seconds=st.sampled_from([1.0, GRACE + 1.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        late = [session.id for session in self.state.sessions.lost_before(self.now - GRACE)]
        if late or self.leaves_failed:
            self.leaves_failed = False
            self.end_sessions(late)

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
        view = self.state.views.present
        at = [self.state.views.members_at(id) for id in range(self.log.tail + 2)]
        known = {member: self.state.marks.of(member) for member in MEMBERS}
        for client in self.clients:
            client.cursor = None
        self.start()
        if was_broken and was_stored:
            return  # there is more than anybody was told
        assert self.state.views.present == view
        assert [self.state.views.members_at(id) for id in range(self.log.tail + 2)] == at
        assert {member: self.state.marks.of(member) for member in MEMBERS} == known

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
        for message in self.log.changes():
            assert message.change is not None
            assert message.change != last.get(fold(message.sender), "left")
            last[fold(message.sender)] = message.change
        assert set(map(fold, self.state.views.present)) == {m for m, change in last.items() if change == JOINED}
        views = views_of(self.log)
        for id in range(self.log.tail + 1):
            assert set(self.state.views.members_at(id)) == views[id]

    @invariant()
    def who_has_a_connection_is_a_member(self) -> None:
        for client in self.clients:
            if client.cursor is not None:
                assert self.state.views.is_present(fold(client.name))

    @invariant()
    def nobody_without_a_session_stays_in_the_view(self) -> None:
        if not self.leaves_failed:
            assert all(self.state.sessions.state(fold(name)) != GONE for name in self.state.views.present)

    @invariant()
    def marks_only_grow_and_stay_within_the_log(self) -> None:
        for member in MEMBERS:
            delivered, read = self.state.marks.of(member)
            best = self.best.get(member, (0, 0))
            assert delivered >= best[0]
            assert read >= best[1]
            assert 0 <= read <= delivered <= self.log.tail
            self.best[member] = (delivered, read)

    @invariant()
    def confirmations_range_over_the_members_at_the_message(self) -> None:
        views = views_of(self.log)
        present = views[-1]
        for message in self.log.read(max(0, self.log.tail - 6), 6):
            audience = views[message.id] - {fold(message.sender)}
            state = self.state.confirmations(message)
            marks = {member: self.state.marks.of(member) for member in audience}
            assert set(map(fold, state.delivered_to)) == {m for m in audience if marks[m][0] >= message.id}
            assert set(map(fold, state.read_by)) == {m for m in audience if marks[m][1] >= message.id}
            assert set(map(fold, state.waiting_for)) == (audience & present) - set(map(fold, state.read_by))


RoomMachine.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestWhatAlwaysHolds = RoomMachine.TestCase
