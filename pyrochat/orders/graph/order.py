"""The order of a site: what its own clients want, and what other sites have said, in one queue, as it comes.

It numbers for this site only, as `orders.local` does. The messages that a group makes become one event of this site, which is
written in the same step as they are; only then others hear of it. So each input is durable before what follows from it.
"""

import logging
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import cast

from pyrochat.core.commands import Command, Entry, OwnCommand
from pyrochat.core.graph.anti_entropy import Summary, has_lost_tail, missing, summary
from pyrochat.core.graph.bodies import Admission, Body, Said, encode_body, root_of, site_id
from pyrochat.core.graph.causal import Fork, Graph
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.oddities import LOST_TAIL, Oddities, two_stories
from pyrochat.core.graph.record import Record, Site, SiteLog, Text, Told
from pyrochat.core.graph.refs import Refs
from pyrochat.core.graph.room import BeginSite, Heard, Relayed, SiteTransition, site_room
from pyrochat.core.graph.sites import MAX_SITES, Sites
from pyrochat.core.marks import Mark
from pyrochat.core.order import Applied, Follower, Rules, Submission
from pyrochat.core.room import Transition
from pyrochat.orders.graph.inputs import Admit, Arrived, BeginAnew, Enter, Remember
from pyrochat.orders.graph.intake import Intake
from pyrochat.orders.graph.making import MAX_EVENT_MESSAGES, chunks, said_of, text_of
from pyrochat.orders.graph.signing import Signatures, signed
from pyrochat.orders.graph.vectors import Vectors
from pyrochat.orders.local import LocalOrder
from pyrochat.trust.keys import Key
from pyrochat.trust.salts import new_salt
from pyrochat.values.errors import CannotHost, InvalidArgument, PyroChatError, RoomClosing
from pyrochat.values.message import CHAT, JOINED, LEFT, REDACT
from pyrochat.values.rules import fold

log = logging.getLogger(__name__)

_STORY_DIGITS = 16
TOLD_BYTES = 512 * 1024  # in one call between sites


class CausalOrder(LocalOrder):
    """name: of the room, for the thread. now_us: the clock of what is said here. log: the room's. key: the server's. label: what
    this site wants to be called. most: messages of a group.

    ended: called when nothing more is taken. cast: called in the order's thread with what this site has said, once it is durable. joined: with the name and the key of whoever
    has come at another site. is_banned: whether what the folded name with that key says elsewhere is not shown here. lacks: with whoever has handed over what could not be delivered yet.
    """

    def __init__(
        self, name: str, now_us: Callable[[], int], log: SiteLog, key: Key, label: str, most: int = MAX_EVENT_MESSAGES
    ) -> None:  # fmt: skip
        super().__init__(name, now_us, most)
        self.rests = False  # other sites ask
        self.rules = Rules(site_room, SiteTransition, self._beside)
        self.ended: Callable[[], None] = lambda: None
        self.cast: Callable[[Sequence[Told]], None] = lambda told: None
        self.joined: Callable[[str, str], None] = lambda name, key: None
        self.lacks: Callable[[str], None] = lambda giver: None
        self.is_banned: Callable[[str, str | None], bool] = lambda member, key: False
        self._log = log
        self._key = key
        self._label = label
        self._room = fold(log.room)
        self._guard = threading.RLock()  # guards all that follows, from what is delivered until that is durable
        self._site: Site | None = log.site()
        self._begins = False  # under this nonce, at this start
        self._vectors = Vectors()
        self._arrived: list[Event] = []  # and delivered, in this group
        self._made: list[Told] = []
        self._admissions: list[Admission] = []
        self._joined: list[tuple[str, str]] = []
        self._forks: list[Fork] = []
        self._oddities = Oddities()
        self._news: list[str] = []
        self._lacking: set[str] = set()
        self._stories: dict[bytes, str] = {}
        self._graph: Graph | None = None
        self._counts = Counter[str]()  # messages of each other site that came since the start
        self.intake = Intake(self.told)
        self.has_texts = log.has_texts  # else the room may be given up for another one of its name
        if log.root is not None:
            self._load(log.root)

    def _load(self, root: bytes) -> None:
        """Build all that is in memory from what is on disk."""
        self._signatures = Signatures()
        self._keys_at: dict[tuple[str, str], str | None] = {}
        self._sites = Sites(self._room, root, lambda event, key: True)
        me = "" if self._site is None else self._site.id
        self._graph = Graph(me, root, self._may_write)
        self._graph.receive(self._counted(self._log.events()), me)
        self._sites.is_signed = self._signatures.is_signed
        self._sites.renamed()
        self._news = []
        self._refs = Refs()
        self._refs.add(self._log.names())
        self._arrived, self._made, self._admissions, self._joined, self._forks = [], [], [], [], []
        self._stories = {}

    def _counted(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            yield event
            self._note_keys(event.site, self._sites.read(event))

    def _may_write(self, event: Event) -> bool:
        return self._sites.may_write(event)

    # -- the beginning ------------------------------------------------------------------------------------

    @property
    def root(self) -> bytes | None:
        """What the graph grew from; None: there is none yet."""
        return self._log.root

    @property
    def site(self) -> Site | None:
        """Which site this is; None: it has to be founded, or let in."""
        return self._site

    @property
    def key(self) -> str:
        """The server's public key, in hexadecimal."""
        return self._key.public.hex()

    def found(self) -> None:
        """Found the room: nobody else has it. Before `start`. Raises LogUnavailable."""
        admission = self.new_admission()
        self.adopt(root_of(self._room, admission))
        self._write(self._begin(admission, [], (admission,)))

    def adopt(self, root: bytes) -> None:
        """The graph that grew from *root* is the room's. Before `start`. Raises LogUnavailable."""
        self._log.found(root)
        self._load(root)

    @property
    def is_empty(self) -> bool:
        """Whether there are no events here."""
        return self._graph is None or not self._graph.nodes

    @property
    def was_in(self) -> bool:
        """Whether this server has been a site of the room before."""
        return self.root is not None and any(site.key == self.key for site in self._sites.known.values())

    def begin_again(self) -> None:
        """This server has been a site of the room, and begins under another nonce. Before `start`. Raises LogUnavailable, CannotHost."""
        self._write(self._begin_again())

    def enter(self, admission: Admission) -> None:
        """Another site has let this one in, and what has led to that is here. After `start`. Raises LogUnavailable."""
        outcome = self._submit(Enter(admission)).outcome()
        if isinstance(outcome, Exception):
            raise outcome

    def has(self, admission: Admission) -> bool:
        """Whether what has let that site in is here."""
        with self._guard:
            return admission.id in self._sites.let_in_by

    def new_admission(self) -> Admission:
        """This server under a new nonce."""
        nonce = secrets.token_hex(16)
        return Admission(site_id(self.key, nonce), self.key, nonce, self._label)

    def _begin_again(self) -> Told:
        before = next((site for site in self._sites.known.values() if site.key == self.key), None)
        if before is None:
            raise CannotHost(
                "this folder's log is of a site with another server's key: join the room anew with another data="
            )
        admission = self.new_admission()._replace(label=self._sites.free_label(self._label))
        return self._begin(admission, [self._sites.let_in_by[before.id]], (admission,))

    def _begin(self, admission: Admission, after: list[bytes], admissions: tuple[Admission, ...]) -> Told:
        """The first event of a site, which this is from now on."""
        assert self._graph is not None
        graph = self._graph
        parents = tuple(dict.fromkeys([*after, *graph.heads]))
        lamport = 1 + max((graph.nodes[parent].lamport for parent in parents), default=0)
        event = Event(graph.root, admission.id, 1, lamport, parents, encode_body(Body(1, (), admissions)))
        graph.me = admission.id
        told = self._own(signed(event, self._key))
        self._site, self._begins = Site(admission.id, self._sites.label(admission.id), admission.nonce), True
        return told

    def _own(self, event: Event, texts: tuple[Text, ...] = ()) -> Told:
        """*event* is this site's next one."""
        assert self._graph is not None
        receipt = self._graph.receive([event], self._graph.me)
        assert receipt.delivered, receipt.refused
        self._sites.forget(event)
        return Told(event.root, event.site, event.n, event.lamport, event.parents, event.body, event.signature, texts)

    def _write(self, first: Told) -> None:
        self._log.append([], beside=Record([first], site=self._site))

    def start(self, follower: Follower) -> None:
        super().start(follower)
        if self._begins and self._beginning().kin:
            self._submit(self._beginning())

    def _beginning(self) -> BeginSite:
        assert self._site is not None
        kin = self._sites.kin(self.key) - {self._site.id}
        return BeginSite(self._site, kin, new_salt())

    # -- any thread: for other sites ----------------------------------------------------------------------

    def summary(self, theirs: Summary | None = None) -> Summary:
        """What is durable here, for another site."""
        with self._guard:
            assert self._graph is not None
            if (
                theirs is not None
                and self._site is not None
                and has_lost_tail(self._graph, theirs)
                and not self._closing
            ):
                self._submit(BeginAnew(self._site.id))
            return summary(self._graph, theirs)

    def missing(self, theirs: Summary) -> list[Told]:
        """What they lack, the first of it."""
        with self._guard:
            assert self._graph is not None
            ids = missing(self._graph, theirs)
        return self._log.told(ids, TOLD_BYTES)

    def take(self, events: Sequence[Told], giver: str) -> Submission:
        """*giver* hands *events* over. Its error says where they are not taken for their size."""
        with self._guard:
            known = {} if self._graph is None else self._graph.nodes
            new = [event for event in events if event.id not in known]
            refusal = self.intake.refusal(new, giver, self._sites.key_of, self._sites.label(giver))
        if refusal is not None:
            refused = Submission(())
            refused.finish([], refusal)
            return refused
        return self._submit(Arrived(events, giver), max(1, sum(len(event.texts) for event in events)))

    def admit(self, key: str, nonce: str, label: str) -> Admission:
        """Let the site in that has made *nonce*, on the server with the public *key*; returns how. Idempotent.

        Raises InvalidArgument where there are as many as can be, LogUnavailable.
        """
        id = site_id(key, nonce)
        if id not in self._sites.known:
            if len(self._sites.known) >= MAX_SITES:
                raise InvalidArgument(f"the room has {MAX_SITES} sites: join one of them as a client")
            outcome = self._submit(Admit(key, nonce, label)).outcome()
            if isinstance(outcome, Exception):
                raise outcome
        return self._sites.known[id]

    def knows(self, site: str, key: str) -> bool:
        """Whether *site*, of the server with the public *key*, is in."""
        with self._guard:
            return self._sites.key_of(site) == key

    def count_of(self, site: str) -> int:
        """How many messages of *site* have come since the start."""
        return self._counts[site]

    def peers(self) -> list[str]:
        """Where other sites were, ``host:port``. Before `start`."""
        return self._log.peers()

    def remember(self, peers: Sequence[str]) -> None:
        """Other sites are at *peers*."""
        with suppress(RoomClosing):
            self._submit(Remember(tuple(peers)))

    def told(self, text: str) -> None:
        """Let people know of *text*."""
        if self._follower is not None:
            self._follower.told(text)

    @property
    def is_lacking(self) -> bool:
        """Whether something that came lacks its causes."""
        return self._graph is not None and len(self._graph.waiting) > 0

    def bound(self, room_for: Callable[[int], PyroChatError | None]) -> None:
        self.intake.room_for = room_for

    def end(self) -> None:
        super().end()
        self.ended()

    def _submit(self, command: OwnCommand, size: int = 1) -> Submission:
        submission = Submission((cast(Command, command),), size)
        with self._mutex:
            self.check_open()
            self._waiting.put(submission)
        return submission

    # -- marks ----------------------------------------------------------------------------------------------

    def tell(self, marks: Mapping[str, Mark]) -> None:
        super().tell(marks)
        self._vectors.told(marks)

    def marks(self) -> list[list[object]]:
        """How far members have read, those of this site and those that were heard of, for other sites."""
        assert self._follower is not None
        members = self._vectors.here()
        with self._guard:
            durable = self._follower.marks_of(members)
            own: list[list[object]] = [
                [member, *map(self._refs.vector, mark)] for member, mark in zip(members, durable, strict=True)
            ]
        return own + self._vectors.heard()

    def hear_marks(self, rows: Sequence[Sequence[object]]) -> None:
        """How far members of other sites have."""
        self._vectors.hear(rows)
        if self._follower is None:
            return
        with self._guard:
            marks = self._vectors.covered(self._refs)
        if marks:
            self._follower.heard(marks)
            self.wake()

    def readers(self, id: int, members: Sequence[str]) -> list[Mark]:
        with self._guard:
            return self._vectors.readers(self._refs.name_of(id), id, members)

    # -- the thread ---------------------------------------------------------------------------------------

    def _apply(self, entries: Sequence[Entry], follower: Follower) -> Applied:
        with self._guard:
            try:
                applied = follower.apply([self._entered(entry) for entry in entries])
            except BaseException:
                self._reload()
                raise
            if applied.error is not None:
                self._reload()
                return applied
            made, joined, forks, lacking, news = self._made, self._joined, self._forks, self._lacking, self._news
            self._arrived, self._made, self._joined, self._forks, self._lacking, self._news = [], [], [], [], set(), []
        if made:
            self.cast(made)
        for pair in joined:
            self.joined(*pair)
        for fork in forks:
            follower.told(two_stories(self._sites.label(fork.site)))
        for text in news:
            follower.told(text)
        for giver in lacking:
            self.lacks(giver)
        return applied

    def _reload(self) -> None:
        """What was to become durable did not: the graph is as it is on disk."""
        if self._log.root is not None:
            self._site = self._log.site()
            self._load(self._log.root)

    def _entered(self, entry: Entry) -> Entry:
        """*entry*, with what this order's own commands come to."""
        assert self._follower is not None
        if self._follower.loss is not None or not any(isinstance(one, OwnCommand) for one in entry.commands):
            return entry
        commands: list[Command] = []
        for command in entry.commands:
            match command:
                case Arrived(events, giver):
                    commands += cast("list[Command]", self._receive(events, giver))
                case Admit(key, nonce, label):
                    id = site_id(key, nonce)
                    if id not in self._sites.known and all(one.id != id for one in self._admissions):
                        taken = {one.label for one in self._admissions}
                        self._admissions.append(Admission(id, key, nonce, self._sites.free_label(label, taken)))
                    commands.append(cast(Command, OwnCommand()))
                case Remember(peers):
                    self._log.remember_peers(peers)
                case BeginAnew(site):
                    if self._site is not None and self._site.id == site:
                        commands.append(cast(Command, self._begun_anew()))
                case Enter(admission):
                    commands.append(cast(Command, self._entered_by(admission)))
                case _:
                    commands.append(command)
        return entry._replace(commands=tuple(commands) or (cast(Command, OwnCommand()),))

    def _begun_anew(self) -> BeginSite:
        assert self._follower is not None
        log.warning("%s: %s", self._room, LOST_TAIL)  # perhaps nobody has come yet who could be told
        self._follower.told(LOST_TAIL)
        self._made.append(self._begin_again())
        return self._beginning()

    def _entered_by(self, admission: Admission) -> BeginSite:
        self._made.append(self._begin(admission, [self._sites.let_in_by[admission.id]], ()))
        return self._beginning()

    def _receive(self, events: Sequence[Told], giver: str) -> list[OwnCommand]:
        assert self._graph is not None
        known = {id: site.key for id, site in self._sites.known.items()}
        self._signatures.begin(events, known)
        receipt = self._graph.receive(events, giver)
        self._arrived += receipt.delivered
        self._forks += receipt.forks
        for text in self._oddities.new(giver, self._sites.label(giver), (why.value for _, why in receipt.refused)):
            log.info("%s: %s", self._room, text)
            self.told(text)
        me = self._site.id if self._site is not None else ""
        if any(event.site == me for event in receipt.delivered) and not self._closing:
            self._submit(BeginAnew(me))
        if len(self._graph.waiting):
            self._lacking.add(giver)
        here = self._called_now()
        return [self._relayed(event, here) for event in receipt.delivered]

    def _called_now(self) -> str:
        """What this site is called, where that has changed, as another was let in under its label meanwhile."""
        renamed = self._sites.renamed()
        self._news += [
            f"another site was let in under the label {before} at the same moment: what comes now of the one that was called so here is "
            f"called {now}"
            for before, now in renamed
        ]
        me = self._site
        return self._sites.label(me.id) if me is not None and any(before == me.label for before, _ in renamed) else ""

    def _relayed(self, event: Event, here: str) -> Relayed:
        body = self._sites.read(event)
        self._note_keys(event.site, body)
        texts: Sequence[Text] = event.texts if isinstance(event, Told) else ()
        heard = [
            Heard(said, fold(said.sender), None if text is None else text[0], "" if text is None else text[1], self._is_hidden(event.site, said))
            for said, text in zip(body.messages, texts, strict=True)
        ]  # fmt: skip
        for said in body.messages:
            if said.change == JOINED and said.key is not None:
                self._joined.append((said.sender, said.key))
        key = self._sites.key_of(event.site)
        kin = frozenset() if key is None else self._sites.kin(key)
        story = f"{event.site}~{event.id.hex()[:_STORY_DIGITS]}" if self._is_aside(event) else ""
        if story:
            self._stories[event.id] = story
        return Relayed(event.site, self._sites.label(event.site), body.first, heard, kin, story, here)

    def _note_keys(self, site: str, body: Body) -> None:
        """Whose key which name had last at *site*."""
        for said in body.messages:
            if said.change == JOINED:
                self._keys_at[site, fold(said.sender)] = said.key

    def _is_hidden(self, site: str, said: Said) -> bool:
        """Whether it is not shown here. Who comes and goes is, and what is deleted goes."""
        member = fold(said.sender)
        return (
            said.change not in (JOINED, LEFT)
            and said.kind != REDACT
            and self.is_banned(member, self._keys_at.get((site, member)))
        )

    def _is_aside(self, event: Event) -> bool:
        """Whether *event* is not in its site's chain here: that has told another story."""
        assert self._graph is not None
        return event.site in self._graph.forks and self._graph.chains[event.site][event.n - 1] != event.id

    def _beside(self, transition: Transition) -> Record:
        """What has to be durable with what *transition* does: the events that arrived, and this site's own."""
        assert isinstance(transition, SiteTransition)
        self._refs.add((named.site, named.number, named.id) for named in transition.named)
        self._made += self._own_events(transition)
        events, self._arrived, self._admissions = [*self._arrived, *self._made], [], []
        self._site = transition.site
        chat = {message.id for message in transition.messages if message.kind == CHAT}
        self.has_texts = self.has_texts or bool(chat)
        self._counts.update(named.site for named in transition.named if named.id in chat)
        stories, self._stories = self._stories, {}
        return Record(
            events, transition.named, transition.came, transition.went, self._site, stories, transition.unshown, transition.gone
        )  # fmt: skip

    def _own_events(self, transition: SiteTransition) -> Iterator[Told]:
        assert self._graph is not None
        names = {named.id: named for named in transition.named if transition.site and named.site == transition.site.id}
        messages = [(transition.messages[id - transition.before.tail - 1], mark) for id, mark in transition.own]
        parts = list(chunks(messages)) or ([[]] if self._admissions else [])
        admissions = tuple(self._admissions)
        for chunk in parts:
            chain = self._graph.chains.get(self._graph.me, [])
            first = self._sites.said(chain[-1] if chain else None) + 1
            assert not chunk or names[chunk[0][0].id].number == first
            body = Body(first, tuple(said_of(message, mark, self._refs) for message, mark in chunk), admissions)
            admissions = ()
            event = signed(self._graph.make(encode_body(body)), self._key)
            yield self._own(event, tuple(text_of(message) for message, _ in chunk))
