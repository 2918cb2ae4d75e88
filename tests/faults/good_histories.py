"""Histories in which nothing is wrong: a small room server in a single thread, driven by a seed.

It has several rooms, members that come, go, are killed and come back, restarts of the server, and sends
whose outcome is unknown and that did, did not, or did only later get into the log.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from lab.faults.events import FAILED, OK, UNKNOWN
from lab.faults.history import CHAT, SYSTEM, Answer, Content, History, Replica, Send, SightOfMarks

NAMES = ("ana", "bo", "cem", "dora", "eva")


@dataclass
class Room:
    name: str
    log: list[Content] = field(default_factory=list)
    views: list[frozenset[str]] = field(default_factory=lambda: [frozenset()])  # index: message id
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)

    def append(self, content: Content) -> int:
        self.log.append(content)
        view = self.views[-1]
        if content.kind == SYSTEM:
            view = view | {content.sender} if content.text.endswith("joined") else view - {content.sender}
        self.views.append(view)
        return len(self.log)

    def find(self, key: str | None) -> int | None:
        return next((id for id, c in enumerate(self.log, 1) if key is not None and c.key == key), None)


@dataclass
class Client:
    replica: Replica
    room: Room
    counter: int = 0
    send: Send | None = None  # under way
    place: int | None = None  # its id, once it is in the log
    unknown: Send | None = None  # to be repeated, or to get into the log late


class World:
    """`run` it, and its `history` is a good one."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.history = History(server_starts=[0])
        self.now = 1
        self.rooms = [Room(f"room{number}") for number in range(self.random.randint(1, 3))]
        self.clients: list[Client] = []
        self.lives: dict[tuple[str, str], int] = {}

    def tick(self) -> int:
        self.now += self.random.randint(1, 9)
        return self.now

    def run(self, steps: int = 260) -> History:
        for room in self.rooms:
            for name in NAMES[:3]:
                self.join(room, name)
        actions = {
            self.begin: 10, self.commit: 10, self.end: 10, self.deliver: 20, self.confirm: 12, self.ask: 5,
            self.see_marks: 3, self.late: 2, self.come: 2, self.kill: 1, self.leave: 1, self.restart: 1,
        }  # fmt: skip
        for step in range(steps):
            action = self.random.choices(list(actions), list(actions.values()))[0]
            self.restart() if step == steps // 2 else action()
        self.settle()
        return self.history

    # -- who is there ----------------------------------------------------------------------------------------

    def join(self, room: Room, name: str) -> None:
        life = self.lives[room.name, name] = self.lives.get((room.name, name), 0) + 1
        if name not in room.views[-1]:
            room.append(Content(name, f"{name} joined", SYSTEM))
        replica = Replica(f"{name}#{life}@{room.name}", name, room.name, len(room.log))
        self.history.replicas.append(replica)
        self.clients.append(Client(replica, room))

    def come(self) -> None:
        room = self.random.choice(self.rooms)
        here = {client.replica.member for client in self.clients if client.room is room}
        if away := [name for name in NAMES if name not in here]:
            self.join(room, self.random.choice(away))

    def kill(self) -> None:
        if client := self.expendable():
            self.clients.remove(client)

    def leave(self) -> None:
        if (client := self.expendable()) and client.send is None:
            client.replica.end = client.replica.last
            self.clients.remove(client)
            client.room.append(Content(client.replica.member, f"{client.replica.member} left", SYSTEM))

    def expendable(self) -> Client | None:
        client = self.random.choice(self.clients)
        return client if sum(other.room is client.room for other in self.clients) > 2 else None

    def restart(self) -> None:
        self.history.server_starts.append(self.tick())
        self.tick()

    # -- sends -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        client = self.random.choice(self.clients)
        if client.send is not None:
            return
        if client.unknown is not None and self.random.random() < 0.5:
            text, client.unknown = client.unknown.text, None
        else:
            client.counter += 1
            text = f"{client.replica.client}/{client.counter}"
        send = Send(client.replica.client, client.replica.member, client.room.name, text, self.tick())
        client.send, client.place = send, None
        self.history.sends.append(send)

    def commit(self) -> None:
        client = self.random.choice(self.clients)
        if client.send is not None and client.place is None:
            client.place = self.store(client.room, client.send)

    def store(self, room: Room, send: Send) -> int:
        key = f"key of {send.text}"
        return room.find(key) or room.append(Content(send.member, send.text, CHAT, key))

    def end(self) -> None:
        client = self.random.choice(self.clients)
        send, client.send = client.send, None
        if send is None:
            return
        send.ended = self.tick()
        if client.place is not None and self.random.random() < 0.85:
            send.outcome, send.id = OK, client.place
        elif client.place is None and self.random.random() < 0.3 and not self.is_stored(client.room, send):
            send.outcome, send.code = FAILED, "log-unavailable"
            client.unknown = None if client.unknown and client.unknown.text == send.text else client.unknown
        else:
            send.outcome, send.code, client.unknown = UNKNOWN, "send-timeout", send

    def is_stored(self, room: Room, send: Send) -> bool:
        """Whether an earlier attempt at it is in the log."""
        return room.find(f"key of {send.text}") is not None

    def late(self) -> None:
        """A send that was given up gets into the log all the same."""
        client = self.random.choice(self.clients)
        if client.unknown is not None and client.send is None:
            self.store(client.room, client.unknown)
            client.unknown = None

    # -- deliveries and confirmations ------------------------------------------------------------------------

    def deliver(self, most: int = 6) -> None:
        self.deliver_to(self.random.choice(self.clients), self.random.randint(1, most))

    def deliver_to(self, client: Client, count: int) -> None:
        position = client.replica.last
        for id, content in enumerate(client.room.log[position : position + count], position + 1):
            client.replica.add(id, content, self.tick())

    def confirm(self) -> None:
        client = self.random.choice(self.clients)
        name, last = client.replica.member, client.replica.last
        delivered, read = client.room.marks.get(name, (0, 0))
        shown = self.random.randint(0, last)
        client.room.marks[name] = (max(delivered, last), max(read, shown))

    def ask(self) -> None:
        client = self.random.choice(self.clients)
        if client.replica.last:
            self.ask_for(client, self.random.randint(max(1, client.replica.last - 5), client.replica.last))

    def ask_for(self, client: Client, id: int) -> None:
        room, asked = client.room, self.tick()
        members = room.views[id] - {room.log[id - 1].sender}
        marks = {name: room.marks.get(name, (0, 0)) for name in members}
        delivered = frozenset(name for name in members if marks[name][0] >= id)
        read = frozenset(name for name in members if marks[name][1] >= id)
        waiting = (members & room.views[-1]) - read
        answer = Answer(client.replica.client, room.name, id, delivered, read, waiting, asked, self.tick())
        self.history.answers.append(answer)

    def see_marks(self) -> None:
        client = self.random.choice(self.clients)
        marks = {name: client.room.marks.get(name, (0, 0)) for name in client.room.views[-1]}
        self.history.marks.append(SightOfMarks(client.replica.client, client.room.name, marks, self.tick()))

    # -- the end -----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everybody gets everything; and the log is read from the disk, as by one more client."""
        for client in self.clients:
            client.send = None  # its outcome stays unknown
        for room in self.rooms:
            self.clients.append(Client(Replica(f"disk@{room.name}", "", room.name), room))
            self.history.replicas.append(self.clients[-1].replica)
        for client in self.clients:
            self.deliver_to(client, len(client.room.log))
            client.replica.end, client.replica.complete = client.replica.last, True


def good_history(seed: int) -> History:
    return World(seed).run()
