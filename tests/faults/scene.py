"""A good history, and the tools with which injectors put one fault into it."""

from __future__ import annotations

import random
from typing import TypeVar

from lab.faults.events import OK
from lab.faults.history import SYSTEM, Answer, Content, History, Replica, Send

Candidate = TypeVar("Candidate")


class NoPlace(Exception):
    """This history has no place for the fault."""


class Scene:
    """A good history, one of its rooms, and what injectors do to them."""

    def __init__(self, history: History, seed: int) -> None:
        self.history = history
        self.random = random.Random(seed)
        self.room = self.random.choice(sorted({replica.room for replica in history.replicas}))
        self.replicas = [replica for replica in history.replicas if replica.room == self.room]
        self.settled = [replica for replica in self.replicas if replica.complete]
        self.clients = [replica for replica in self.settled if replica.member]
        times = [at for replica in history.replicas for at in replica.times]
        times += [answer.at for answer in history.answers] + [send.ended or send.begun for send in history.sends]
        self.now = max([*times, *history.server_starts]) + 1000

    def tick(self) -> int:
        self.now += 10
        return self.now

    @property
    def log(self) -> list[Content]:
        return self.settled[0].contents

    def append(self, content: Content, but: Replica | None = None) -> int:
        """Everybody (*but* one) gets one more message."""
        id = self.settled[0].end + 1
        for replica in self.settled:
            if replica is not but:
                replica.add(id, content, self.tick())
            replica.end = id
        return id

    def send(self, member: str, text: str, outcome: str, id: int | None = None, room: str | None = None) -> Send:
        send = Send(f"{member}#9", member, room or self.room, text, self.tick(), self.tick(), outcome, id)
        self.history.sends.append(send)
        return send

    def sent(self, text: str, member: str = "ana") -> Content:
        """A message that was sent, with an unknown outcome."""
        self.send(member, text, "unknown")
        return Content(member, text)

    def answer(self, id: int, delivered: set[str], read: set[str], waiting: frozenset[str] = frozenset()) -> Answer:
        groups = (frozenset(delivered), frozenset(read), frozenset(waiting))
        answer = Answer("asking", self.room, id, *groups, self.tick(), self.tick())
        self.history.answers.append(answer)
        return answer

    def pick(self, candidates: list[Candidate]) -> Candidate:
        if not candidates:
            raise NoPlace
        return self.random.choice(candidates)

    def acknowledged(self) -> Send:
        return self.pick([s for s in self.history.sends if s.room == self.room and s.outcome == OK])

    def chat_id(self) -> int:
        return self.pick([id for id, content in enumerate(self.log, 1) if content.kind != SYSTEM])
