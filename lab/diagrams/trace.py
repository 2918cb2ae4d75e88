"""Real rooms whose calls are watched: sites in this process that call each other by Pyro5 on loopback, and can be cut off from each other."""

import contextlib
import json
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple, Self

from pyrochat import Chat, Message, join
from pyrochat.core.room import Transition
from pyrochat.hosting import LAMPORT
from pyrochat.orders.lamport.site import SiteTimes
from pyrochat.room.server import Server
from pyrochat.room.sites.dialing import PyroWire
from pyrochat.room.sites.hosting import Sites
from pyrochat.room.sites.ordered import OrderedSites
from pyrochat.trust.keys import Key
from pyrochat.values.addresses import Address, shown_address
from pyrochat.values.errors import RoomUnreachable

ROOM = "lobby"
_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.01
_REST_SECONDS = 1.5
_FOUNDING_SECONDS = 0.3


class Call(NamedTuple):
    """One site tells another something: when it was said, when it arrived there, and what kinds of messages."""

    source: str
    target: str
    begun: float
    ended: float
    what: tuple[str, ...]


class Moment(NamedTuple):
    """Something at one site. kind: "said", "numbered", "shown", or "told" (what the room says beside the log)."""

    site: str
    at: float
    kind: str
    text: str


class Span(NamedTuple):
    """*sites* are cut off from all others."""

    sites: tuple[str, ...]
    begun: float
    ended: float


class Trace:
    """What has happened. `time.monotonic()` everywhere."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.moments: list[Moment] = []
        self.spans: list[Span] = []


class Place:
    """A site, with somebody at it. server: None where the room has one server for all."""

    def __init__(self, name: str, chat: Chat, server: Server | None) -> None:
        self.name, self.chat, self.server = name, chat, server


class Run:
    """Sites called *names*, in one room of *order*. A context manager; raises PyroChatError, TimeoutError."""

    def __init__(self, order: str, names: Collection[str]) -> None:
        self.trace = Trace()
        self._cut: frozenset[str] = frozenset()
        self._cut_at = 0.0
        self._labels: dict[str, str] = {}  # by address
        self._arrivals: dict[
            tuple[str, str], float
        ] = {}  # by site and the key of the one that has called it: of its last call
        self._ends = contextlib.ExitStack()
        folder = Path(self._ends.enter_context(tempfile.TemporaryDirectory(prefix="pyrochat-diagram-")))
        self.places: dict[str, Place] = {}
        for name in names:
            peers = [place.server.at for place in self.places.values() if place.server is not None][:1]
            kind = OrderedSites if order == LAMPORT else Sites
            own = kind(name, peers, None, False, _FOUNDING_SECONDS)
            own.wire = self._wire(name)
            if isinstance(own, OrderedSites):
                own.pace = SiteTimes(tick_seconds=0.3, silent_seconds=1.0, told_seconds=0.6)
            server = self._ends.enter_context(Server([ROOM], folder / name, nameserver=False, sites=own))
            self._labels[server.at] = name
            self._watch(name, own)
            self._add(name, server.at, server, name.title())
        self.wait(lambda: all(len(_met(place, own)) == len(names) for place in self.places.values()), "all have met")

    def _watch(self, name: str, own: Sites) -> None:
        """Note when calls arrive at *own*."""
        face = own._door if isinstance(own, OrderedSites) else own._faces[ROOM]

        def noted(answer: Callable[..., object]) -> Callable[..., object]:
            def arrived(key: str, *arguments: object) -> object:
                self._arrivals[name, key] = time.monotonic()
                return answer(key, *arguments)

            return arrived

        for method in ("push", "exchange"):
            if hasattr(face, method):
                setattr(face, method, noted(getattr(face, method)))

    def _wire(self, name: str) -> type[PyroWire]:
        run = self

        class Watched(PyroWire):
            """Notes its calls, and fails where they would cross a cut."""

            def __init__(self, address: Address, object_id: str, label: str, key: Key, *arguments: object) -> None:
                self._at, self._own = shown_address(address), key.public.hex()
                run._check(name, self._at)
                super().__init__(address, object_id, label, key, *arguments)  # type: ignore[arg-type]

            def call(self, method: str, *arguments: object) -> object:
                run._check(name, self._at)
                begun = time.monotonic()
                answer = super().call(method, *arguments)
                run._note(name, self._at, self._own, begun, method, _kinds(method, arguments, answer))
                return answer

        return Watched

    def _note(self, name: str, address: str, key: str, begun: float, method: str, what: tuple[str, ...]) -> None:
        """*name*, which has *key*, has called *method* at *address*. What was missing is in the answer of an exchange."""
        other = self._labels.get(address, "")
        arrived = self._arrivals.get((other, key), 0.0)
        if arrived < begun:
            return  # it was not watched yet
        if method == "exchange":
            self.trace.calls.append(Call(other, name, arrived, time.monotonic(), what))
        else:
            self.trace.calls.append(Call(name, other, begun, arrived, what))

    def _add(self, name: str, at: str, server: Server | None, member: str) -> None:
        chat = self._ends.enter_context(join(member, ROOM, at=at))
        self.places[name] = Place(name, chat, server)
        newest_us = [0]

        @chat.on_message
        def see(message: Message) -> None:
            if message.kind == "chat":
                self.trace.moments.append(Moment(name, time.monotonic(), "shown", _named(message, newest_us[0])))
            newest_us[0] = max(newest_us[0], message.time_us)

        @chat.on_notice
        def hear(text: str) -> None:
            self.trace.moments.append(Moment(name, time.monotonic(), "told", text.partition(":")[0]))

    def say(self, name: str, text: str) -> threading.Thread:
        """Somebody at *name* says *text*; the thread ends when it has its place."""
        self.trace.moments.append(Moment(name, time.monotonic(), "said", text))
        thread = threading.Thread(target=self.places[name].chat.send, args=(text,), daemon=True)
        thread.start()
        return thread

    def cut(self, names: Collection[str]) -> None:
        """They and all others don't reach each other."""
        self._cut, self._cut_at = frozenset(names), time.monotonic()

    def heal(self) -> None:
        """All reach each other again."""
        self.trace.spans.append(Span(tuple(sorted(self._cut)), self._cut_at, time.monotonic()))
        self._cut = frozenset()

    def _check(self, source: str, address: str) -> None:
        if (source in self._cut) != (self._labels.get(address) in self._cut):
            raise RoomUnreachable("cut off")

    def wait_until_shown(self, text: str, names: Collection[str]) -> None:
        """Return when *text* is shown at all *names*."""
        self.wait(
            lambda: (
                set(names)
                <= {m.site for m in list(self.trace.moments) if m.kind == "shown" and m.text.startswith(text)}
            ),
            text,
        )

    @staticmethod
    def wait(condition: Callable[[], bool], what: str) -> None:
        """Return when *condition* holds. Raises TimeoutError."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError(f"not within {_PATIENCE_SECONDS:g} s: {what}")
            time.sleep(_LOOK_SECONDS)

    def rest(self) -> float:
        """When nothing more is to be said of what was; that is now."""
        time.sleep(_REST_SECONDS)
        return time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()


class LocalRun(Run):
    """Members called *names* of a room with one server, which is the line ``server``: its calls are what it delivers."""

    def __init__(self, names: Collection[str]) -> None:
        self.trace = Trace()
        self._ends = contextlib.ExitStack()
        self.places = {}
        folder = Path(self._ends.enter_context(tempfile.TemporaryDirectory(prefix="pyrochat-diagram-")))
        self.server = self._ends.enter_context(Server([ROOM], folder, nameserver=False))
        self._watch_log()
        for name in names:
            self._add(name, self.server.at, None, name.title())

    def _watch_log(self) -> None:
        """Note when texts are on the server's disk."""
        applier = self.server._rooms._rooms[ROOM].opened()._applier
        committed = applier._committed

        def noted(transition: Transition) -> None:
            now = time.monotonic()
            texts = [message for message in transition.messages if message.kind == "chat"]
            self.trace.moments += [Moment("server", now, "numbered", _named(message)) for message in texts]
            committed(transition)

        applier._committed = noted

    def connect(self) -> None:
        """Add to the trace how what was said came to the server, and from there to all."""
        moments = list(self.trace.moments)
        for numbered in (moment for moment in moments if moment.kind == "numbered"):
            for other in moments:
                if other.kind == "said" and numbered.text.startswith(f"{other.text} "):
                    self.trace.calls.append(Call(other.site, "server", other.at, numbered.at, ("events",)))
                elif other.kind == "shown" and other.text == numbered.text:
                    self.trace.calls.append(Call("server", other.site, numbered.at, other.at, ("delivery",)))


def _named(message: Message, newest_us: int = 0) -> str:
    """Its text, with the name that it has."""
    late = " (written meanwhile)" if message.is_late(newest_us) else ""
    return f"{message.text} {message.ref or f'#{message.id}'}{late}"


def _met(place: Place, own: Sites) -> list[str]:
    assert place.server is not None
    assert place.server._sites is not None
    return [seen.at for seen in place.server._sites.seen(ROOM) if seen.seconds is not None]


def _kinds(method: str, arguments: tuple[object, ...], answer: object) -> tuple[str, ...]:
    """What is said in a call between sites, in words of the order."""
    if method == "exchange":
        return ("events",) if isinstance(answer, list | tuple) and answer[0] else ()
    if method != "push":
        return ()
    if len(arguments) == 3:
        return ("events",)
    found = (json.loads(str(piece[3]).partition("\n")[0])[0] for piece in arguments[2] if piece[1])  # type: ignore[attr-defined]
    return tuple(dict.fromkeys(found))
