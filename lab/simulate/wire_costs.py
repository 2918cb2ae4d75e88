"""What a chat message costs on the wire: calls between real sites, which are servers of this process, linked over Pyro5 on loopback.

A call is one request of a site to another one; its answer, which is also the acknowledgement, is not counted, nor what a connection
begins with. A call can carry several messages of the order: these, which are what `costs` counts, are counted beside it. Summaries and
ticks that come while texts are said are in the calls; what quiet sites say is counted apart. Nobody has a session: texts go
straight into the orders of the sites in turn, at a steady rate, whether those before have been shown or not. The rate that was
reached is that of the texts that were shown everywhere; where it is less than was asked for, more texts went in one call.
A busy machine lets no site be suspected here, and ordered sites of more than ten tick each 3 s, not each half.
"""

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from lab.processes import eventually
from lab.simulate.costs import BOUNDS
from pyrochat.clock import monotonic
from pyrochat.core.commands import Post
from pyrochat.core.rates import rate_of
from pyrochat.core.room import Transition
from pyrochat.orders.lamport.site import SiteTimes
from pyrochat.room.room import Room
from pyrochat.room.server import Server
from pyrochat.room.sites import hosting, ordered
from pyrochat.room.sites.dialing import PyroWire
from pyrochat.trust.salts import new_salt

ROOM = "lobby"
_FOUNDING_SECONDS = 0.3
_START_SECONDS = 240.0
_SHOWN_SECONDS = 60.0
_AT_ONCE = 8  # sites that start
_MOST_AT_FULL_PACE = 10  # one process can't take the ticks of more sites of a totally ordered room
_PACE = SiteTimes(silent_seconds=30.0, told_seconds=30.0)
_SLOW_PACE = SiteTimes(tick_seconds=3.0, silent_seconds=60.0, told_seconds=60.0)
_SETTLING_SECONDS = 2.0  # after the sites have met
EVENTS, AGREEMENT, MARKS, SUMMARIES, BESIDE, MEETING = "events", "agreement", "marks", "summaries", "beside", "meeting"
KINDS = (EVENTS, AGREEMENT, MARKS, SUMMARIES, BESIDE)
_SAID = {"events": EVENTS, "marks": MARKS, "tick": SUMMARIES}  # and all else is agreement
_METHODS = {"meet": MEETING, "enter": MEETING, "beside": BESIDE, "exchange": SUMMARIES}


class WireCost(NamedTuple):
    """Of one text. rate: texts a second, shown everywhere. calls: of each kind, a text. messages: in them. idle: calls of each kind, a second, where
    nobody says anything. p50_ms, p99_ms: from handing in to the last site."""

    order: str
    sites: int
    rate: float
    calls: dict[str, float]
    messages: float
    idle: dict[str, float]
    p50_ms: float
    p99_ms: float

    @property
    def times(self) -> float:
        """Calls a text of all kinds, of N - 1."""
        return sum(self.calls.values()) / (self.sites - 1)

    @property
    def is_within(self) -> bool:
        """Whether that is what was promised."""
        return self.times <= BOUNDS[self.order]


class Counts:
    """Of calls, by kind, and of the messages in them. Any thread."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._messages = 0

    def add(self, method: str, arguments: Sequence[Any]) -> None:
        """A site calls *method* of another."""
        kinds = kinds_of(method, arguments)
        with self._mutex:
            self._calls[min(kinds, key=[*KINDS, MEETING].index)] += 1
            self._messages += len(kinds)

    def take(self) -> tuple[Counter[str], int]:
        """What was counted since the last time, but for meeting."""
        with self._mutex:
            taken = self._calls, self._messages
            self._calls, self._messages = Counter(), 0
        taken[0].pop(MEETING, None)
        return taken


def kinds_of(method: str, arguments: Sequence[Any]) -> list[str]:
    """Of the messages that one call carries; a call counts as the first of `KINDS` that is among them."""
    if method in _METHODS:
        return [_METHODS[method]]
    if len(arguments) < 4:  # a push of a causal room: root, who, events
        return [EVENTS]
    said, rows = arguments[2:]
    kinds = [_SAID.get(_name(piece), AGREEMENT) for _, is_first, _, piece in said if is_first]
    return kinds + [BESIDE] * bool(rows) or [SUMMARIES]


def _name(piece: str) -> str:
    name, _ = json.JSONDecoder().raw_decode(piece, 1)
    return str(name)


class _Shown:
    """When a site has put a text into its log."""

    def __init__(self, sites: int) -> None:
        self._sites = sites
        self._mutex = threading.Lock()
        self._counts: Counter[str] = Counter()
        self.last: dict[str, float] = {}  # when the last one of all had it

    def add(self, transition: Transition) -> None:
        now = monotonic()
        with self._mutex:
            for message in transition.messages:
                self._counts[message.text or ""] += 1
                if self._counts[message.text or ""] == self._sites:
                    self.last[message.text or ""] = now


@contextmanager
def _watched(counts: Counts, shown: _Shown) -> Iterator[None]:
    """All wires and rooms of this process are looked at."""

    class CountedWire(PyroWire):
        def call(self, method: str, *arguments: object) -> object:
            counts.add(method, arguments)
            return super().call(method, *arguments)

    committed = Room._committed

    def watched(room: Room, transition: Transition) -> None:
        committed(room, transition)
        shown.add(transition)

    with (
        patch.object(hosting.Sites, "wire", CountedWire),
        patch.object(ordered, "_LEAVING_SECONDS", 0.0),
        patch.object(Room, "_committed", watched),
    ):
        yield


def _started(order: str, sites: int, folder: Path, undo: ExitStack) -> list[Server]:
    def started(number: int, peers: Sequence[str]) -> Server:
        kind = ordered.OrderedSites if order == "lamport" else hosting.Sites
        site = kind(f"s{number:02}", peers, None, False, _FOUNDING_SECONDS)
        if isinstance(site, ordered.OrderedSites):
            site.pace = _PACE if sites <= _MOST_AT_FULL_PACE else _SLOW_PACE
        return undo.enter_context(Server([ROOM], folder / f"{number}", nameserver=False, sites=site, rate=rate_of(0)))

    first = started(0, [])
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        servers = [first, *pool.map(started, range(1, sites), [[first.at]] * sites)]
    eventually(lambda: all(_has_met_all(server, sites) for server in servers), _START_SECONDS, "all sites are linked")
    return servers


def _has_met_all(server: Server, sites: int) -> bool:
    assert server._sites is not None
    site = server._sites
    if isinstance(site, ordered.OrderedSites):
        assert site._site is not None
        assert site._net is not None
        return len(site._site.view.members) == sites and len(site._net.up) == sites - 1
    return len(site._links[ROOM].up) == sites - 1


def _room(server: Server) -> Room:
    [room] = server._rooms.open_ones
    return room


def _post(server: Server, number: int, text: str) -> None:
    name = f"Member{number}"
    _room(server)._order.submit(
        Post(name, name.casefold(), (text,), (None,), (new_salt(),), None, "", True, "chat", None)
    )


def wire_costs(order: str, sites: int, texts: int = 1000, rate: float = 100.0, idle_seconds: float = 5.0) -> WireCost:
    """Of one order, in a room of so many sites. Raises BenchError where a text is not shown everywhere."""
    counts, shown, pause = Counts(), _Shown(sites), threading.Event()
    with tempfile.TemporaryDirectory() as folder, _watched(counts, shown), ExitStack() as undo:
        servers = _started(order, sites, Path(folder), undo)
        pause.wait(_SETTLING_SECONDS)
        counts.take()
        pause.wait(idle_seconds)
        quiet = counts.take()[0]
        begun, handed_in = monotonic(), dict[str, float]()
        for number in range(texts):
            pause.wait(max(0.0, begun + number / rate - monotonic()))
            handed_in[f"text {number}"] = monotonic()
            _post(servers[number % sites], number % sites, f"text {number}")
        eventually(lambda: handed_in.keys() <= shown.last.keys(), _SHOWN_SECONDS, "all texts are shown at all sites")
        calls, messages = counts.take()
        seconds = max(shown.last[text] for text in handed_in) - begun
    waits = sorted(1000 * (shown.last[text] - at) for text, at in handed_in.items())
    return WireCost(
        order, sites, texts / seconds, {kind: calls[kind] / texts for kind in KINDS}, messages / texts,
        {kind: quiet[kind] / idle_seconds for kind in KINDS},
        waits[len(waits) // 2], waits[len(waits) * 99 // 100],
    )  # fmt: skip
