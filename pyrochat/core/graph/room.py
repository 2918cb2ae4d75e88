"""A site's room: a function of its own log, as every room; and what it says to others, and hears of them, are messages.

What a site's own clients want is decided as ever (`core.room`), but that each message gets a name, and that who is here is
said of this site only. What another site has said was decided there: it is taken in as it is, after its causes, and is
the same set of messages on all sites, in whatever order it comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from pyrochat.core.commands import Command, Entry, OwnCommand, Post
from pyrochat.core.digests import erased
from pyrochat.core.graph.bodies import Name, Said
from pyrochat.core.graph.record import Named, Presence, Site, SiteLog, Unshown
from pyrochat.core.log import Log
from pyrochat.core.redaction import Versions, aims
from pyrochat.core.room import Outcome, RoomState, Transition
from pyrochat.core.sessions import Session
from pyrochat.core.views import Member
from pyrochat.values.keys import key_owner, mark_of
from pyrochat.values.message import EDIT, JOINED, LEFT, REDACT, SYSTEM, Message
from pyrochat.values.times import clamped_time_us


class Heard(NamedTuple):
    """A message of another site. member: its sender, folded by whoever takes it in. text, salt: see `record.Text`. is_hidden: it is passed
    on, and not shown here."""

    said: Said
    member: str
    text: str | None
    salt: str
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Relayed(OwnCommand):
    """The site *site*, called *label*, has said this. first: the number of the first message. kin: the sites of the same server. named: where
    it has told another story under the same numbers, what its messages are named by here. here: what the site that takes this in is called from now
    on, where that has changed."""

    site: str
    label: str
    first: int
    messages: Sequence[Heard]
    kin: frozenset[str] = frozenset()
    named: str = ""
    here: str = ""


@dataclass(frozen=True, slots=True)
class BeginSite(OwnCommand):
    """This is the site *site* from now on. kin: those that the same server was before; who was there is not there. salt: of
    each "left"."""

    site: Site
    kin: frozenset[str]
    salt: str


@dataclass(frozen=True, slots=True)
class SiteRoom(RoomState):
    """presences: of each member that has some."""

    site: Site | None = None
    presences: Mapping[str, tuple[Presence, ...]] = field(default_factory=dict)


def site_room(log: Log) -> RoomState:
    """The state that *log*, a site's, tells of."""
    assert isinstance(log, SiteLog)
    presences: dict[str, tuple[Presence, ...]] = {}
    for presence in log.presences():
        presences[presence.member] = (*presences.get(presence.member, ()), presence)
    return _with(RoomState.of(log), log.site(), presences)


def _with(state: RoomState, site: Site | None, presences: Mapping[str, tuple[Presence, ...]]) -> SiteRoom:
    plain = {known.name: getattr(state, known.name) for known in fields(RoomState)}
    return SiteRoom(**plain, site=site, presences=presences)


class SiteTransition(Transition):
    """As `Transition`. named: names that are new. came, went: presences that are new, and the names of those that have ended. own:
    the ids of the messages that this site has said, each with its author's mark. unshown, gone: see `record.Record`. site: which it is afterwards."""

    def __init__(self, state: RoomState, log: Log, entries: Iterable[Entry] = ()) -> None:
        assert isinstance(state, SiteRoom)
        assert isinstance(log, SiteLog)
        entries = list(entries)
        super().__init__(state, log, entries)
        commands = [command for entry in entries for command in entry.commands]
        heard = [one for command in commands if isinstance(command, Relayed) for one in command.messages]
        self.site = state.site
        self.named: list[Named] = []
        self.came: list[Presence] = []
        self.went: list[Name] = []
        self.own: list[tuple[int, str]] = []
        self.unshown: list[Unshown] = []
        self.gone: list[Name] = []
        self._presences = state.presences
        self._owner = ""
        self._ref: str | None = None  # of a message of another site
        self._known = dict(log.named({one.said.about for one in heard if one.said.about is not None})) if heard else {}
        if heard:
            edited = {self._id_of(one.said.about) for one in heard if one.said.kind in (EDIT, REDACT)}
            posts = [command for command in commands if isinstance(command, Post)]
            self._versions = Versions(log, aims(posts) | (edited - {0}))
            self._keys.look_up([_key_of(one) for one in heard if one.said.key is not None and one.said.kind != SYSTEM])
        self._is_empty = not any(isinstance(command, OwnCommand) for command in commands)

    @property
    def state(self) -> RoomState:
        return _with(super().state, self.site, self._presences)

    @property
    def is_empty(self) -> bool:
        return super().is_empty and self._is_empty

    def _do(self, command: Command) -> Outcome:
        if isinstance(command, OwnCommand) and self._loss is None:
            match command:
                case Relayed():
                    if command.here and self.site is not None:
                        self.site = self.site._replace(label=command.here)
                    for number, heard in enumerate(command.messages, command.first):
                        self._hear(command, number, heard)
                case BeginSite(site, kin, salt):
                    self._begin(site, kin, salt)
            return []
        return super()._do(command)

    # -- this site --------------------------------------------------------------------------------------

    def _begin(self, site: Site, kin: frozenset[str], salt: str) -> None:
        """Nobody is any more at what the same server was before, but for those who are here."""
        self.site = site
        for presence in [one for known in self._presences.values() for one in known]:
            if presence.name[0] in kin and not presence.is_here:
                self._leave(presence, salt)

    def _next_ref(self) -> str | None:
        if self._ref is None:
            assert self.site is not None
            self.site = self.site._replace(said=self.site.said + 1)
            return f"{self.site.label}.{self.site.said}"
        return self._ref

    def _append(
        self, sender: str, text: str, kind: str, key: str | None, change: str | None, salt: str, about: int | None = None
    ) -> Message:  # fmt: skip
        message = super()._append(sender, text, kind, key, change, salt, about)
        if self._ref is None:
            assert self.site is not None
            self._name(Named(self.site.id, self.site.said, message.id, self._owner))
            self.own.append((message.id, mark_of(self._owner)))
        return message

    def _take(self, post: Post, owner: str, number: int) -> Message:
        self._owner = owner
        try:
            return super()._take(post, owner, number)
        finally:
            self._owner = ""

    def _take_back(self, owner: str, length: int) -> None:
        count = len(self.messages) - length
        super()._take_back(owner, length)
        if count:
            assert self.site is not None
            for row in self.named[-count:]:
                del self._known[row.site, row.number]
            del self.named[-count:], self.own[-count:]
            self.site = self.site._replace(said=self.site.said - count)

    def _open(self, session: Session, salt: str, key: str | None) -> Outcome:
        if self._find(session.member, session.id) is not None:
            return []
        self._put(session)
        self.opened.append(session)
        if self._here(session.member) is not None:
            return []
        joined = self._append(session.name, f"{session.name} {JOINED}", SYSTEM, key, JOINED, salt)
        self._come(self.named[-1], joined, session.member, is_here=True)
        return [joined]

    def _end(self, member: str, id: str, salt: str, lost_at: int | None) -> list[Message]:
        session = self._find(member, id)
        if session is None or (lost_at is not None and session.lost_at != lost_at):
            return []
        self._own()
        self.sessions[id] = None
        self.ended.append(session)
        others = tuple(other for other in self._by_member.pop(member) if other.id != id)
        if others:
            self._by_member[member] = others
            return []
        here = self._here(member)
        return [] if here is None else [self._leave(here, salt)]

    def _restart(self, home: str) -> None:
        for presence in [one for known in self._presences.values() for one in known if one.is_here]:
            if presence.member not in self._by_member:
                id = f"before entry {self._entry}: {presence.member}"
                self._put(Session(id, presence.member, presence.spelled, None, home))
        for sessions in list(self._by_member.values()):
            for session in sessions:
                self._lose(session.member, session.id, home)

    # -- who is where -----------------------------------------------------------------------------------

    def _here(self, member: str) -> Presence | None:
        return next((one for one in self._presences.get(member, ()) if one.is_here), None)

    def _leave(self, presence: Presence, salt: str) -> Message:
        name = presence.spelled
        left = self._append(name, f"{name} {LEFT}", SYSTEM, None, LEFT, salt, presence.id)
        self._go(presence)
        return left

    def _come(self, name: Named, joined: Message, member: str, is_here: bool = False) -> None:
        self._own()
        presence = Presence((name.site, name.number), joined.id, member, joined.sender, is_here)
        self.came.append(presence)
        self._presences = {**self._presences, member: (*self._presences.get(member, ()), presence)}
        if member not in self._present:
            known = self._members.get(member)
            first_joined = joined.id if known is None else known.first_joined
            self._members[member] = Member(joined.sender, first_joined, joined.id)
            self._present[member] = joined.sender
            self.moved.append(member)

    def _go(self, presence: Presence) -> None:
        self._own()
        self.went.append(presence.name)
        member = presence.member
        others = tuple(one for one in self._presences[member] if one.name != presence.name)
        self._presences = {known: stays for known, stays in self._presences.items() if known != member}
        if others:
            self._presences = {**self._presences, member: others}
        else:
            del self._present[member]
            self._members[member] = self._members[member]._replace(joined=None)
            self.moved.append(member)

    # -- other sites ------------------------------------------------------------------------------------

    def _name(self, name: Named) -> None:
        self.named.append(name)
        self._known.setdefault((name.site, name.number), name)

    def _id_of(self, name: Name | None) -> int:
        return self._known[name].id if name is not None and name in self._known else 0

    def _hear(self, by: Relayed, number: int, heard: Heard) -> None:
        """Take in the message *number* of another site. What it may not say of the one that it is about has no effect."""
        said = heard.said
        owner, key = _key_of(heard)
        name = Named(by.named or by.site, number, 0, owner)
        about = self._id_of(said.about)
        is_sound = self._is_sound(said, by, about, owner)
        if said.kind == REDACT and said.about is not None and self._owner_of(said.about) == owner:
            self.gone.append(said.about)
        if heard.is_hidden or not is_sound:
            self._pass_over(name, heard, about)
            return
        if said.key is not None and said.kind != SYSTEM:
            known = self._keys.known(owner, key)
            if known is not None and _is_same(known, said, heard.text, about):  # it came in there and here
                self._name(name._replace(id=known.id, salt=heard.salt))
                return
            if known is not None:  # two texts under one key, in a split: both stay
                owner = key_owner(owner, by.site)
        if said.kind in (EDIT, REDACT):  # what it is about may have come, under another name, in this group
            self._versions.look_up(self._log, about)
        self._ref, self._time_us = f"{by.label}.{number}", clamped_time_us(said.time_us)
        text, proof = ("", said.commitment) if heard.text is None else (heard.text, heard.salt)
        message = self._append(said.sender, text, said.kind, said.key, said.change, proof, about or None)
        self._ref = None
        self._name(name._replace(id=message.id))
        if said.key is not None and said.kind != SYSTEM:
            self._keys.made(owner, said.key, message)
            self.owners[message.id] = owner
        self._follow(message, self.named[-1], heard.member)

    def _pass_over(self, name: Named, heard: Heard, about: int) -> None:
        """The log does not take it."""
        self._name(name)
        versions = self._versions.of(about) if about and heard.said.kind == EDIT else []
        if heard.text is not None and not any(message.is_redacted for message in versions):
            self.unshown.append(Unshown((name.site, name.number), heard.said.about, heard.text, heard.salt))

    def _owner_of(self, name: Name) -> str | None:
        return self._known[name].owner if name in self._known else None

    def _is_sound(self, said: Said, by: Relayed, about: int, owner: str) -> bool:
        known = self._known.get(said.about) if said.about is not None else None
        match said.kind:
            case "edit" | "redact":
                return about > 0 and known is not None and known.owner == owner
            case "react" | "unreact":
                return about > 0
            case "system" if said.change == LEFT:
                presence = self._presence(said.about)
                return presence is not None and said.about is not None and said.about[0] in by.kin | {by.site}
        return True

    def _presence(self, name: Name | None) -> Presence | None:
        return next((one for known in self._presences.values() for one in known if one.name == name), None)

    def _follow(self, message: Message, name: Named, member: str) -> None:
        """What *message*, of another site, does."""
        if message.change == JOINED:
            self._come(name, message, member)
        elif message.change == LEFT:
            presence = next((one for one in self._presences.get(member, ()) if one.id == message.about), None)
            if presence is not None:
                self._go(presence)
        elif message.kind == EDIT:
            self._versions.edited(message)
            if message.about is not None and self._versions.of(message.about)[0].is_redacted:
                self._put_back(erased(message))
        elif message.kind == REDACT and message.about is not None:
            self._erase(message.about)

    def _put_back(self, message: Message) -> None:
        self.messages[message.id - self.before.tail - 1] = message


def _key_of(heard: Heard) -> tuple[str, str]:
    """Whose the key of *heard* is, and the key."""
    return key_owner(heard.member, heard.said.mark), heard.said.key or ""


def _is_same(known: Message, said: Said, text: str | None, about: int) -> bool:
    return (known.kind, known.about or 0) == (said.kind, about) and (known.is_redacted or text in (None, known.text))
