"""The clients that a room can be talked to with, each doing the same: what a scenario is played with (`test_every_client`)."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from Pyro5.api import Proxy, expose

from pyrochat import Chat
from tests.pyro.test_bare import StockDaemon
from tests.support import eventually
from tests.system.places import Place
from tests.system.support import PATIENCE_SECONDS, Process
from tests.system.test_terminal import ENTER, Screen, in_terminal

Called = Callable[[str], str]
SIZE = (150, 40)


def soon(condition: Callable[[], object], what: str) -> None:
    eventually(condition, PATIENCE_SECONDS, f"it did not come: {what}")


class Seat(ABC):
    """*name* in front of a client. Messages are named by their texts. called: what a message is called in this room."""

    has_reactions = True

    def __init__(self, name: str, called: Called) -> None:
        self.name, self.called = name, called

    @abstractmethod
    def sees(self, text: str) -> None: ...

    @abstractmethod
    def say(self, text: str) -> None: ...

    @abstractmethod
    def reply(self, to: str, text: str) -> None: ...

    @abstractmethod
    def edit(self, what: str, text: str) -> None: ...

    @abstractmethod
    def redact(self, what: str) -> None: ...

    @abstractmethod
    def react(self, to: str, reaction: str) -> None: ...

    @abstractmethod
    def sees_reaction(self, of: str, to: str, reaction: str) -> None: ...

    @abstractmethod
    def sees_read(self, by: str, what: str) -> None: ...

    @abstractmethod
    def finds(self, words: str, text: str) -> None: ...

    @abstractmethod
    def sees_here(self, names: Sequence[str], sites: Sequence[str]) -> None: ...

    @abstractmethod
    def kept(self, folder: Path) -> str:
        """The whole conversation as this client gives it away."""

    @abstractmethod
    def leave(self) -> None: ...


class ProgramSeat(Seat):
    """A program with `Chat`."""

    def __init__(self, name: str, called: Called, chat: Chat) -> None:
        super().__init__(name, called)
        self.chat = chat
        self.heard: list[str] = []
        chat.on_message(lambda message: self.heard.append(message.text))

    def _id(self, text: str) -> int:
        return self.chat.find(self.called(text))

    def sees(self, text: str) -> None:
        soon(lambda: text in self.heard, text)

    def say(self, text: str) -> None:
        self.chat.send(text)

    def reply(self, to: str, text: str) -> None:
        self.chat.send(text, about=self._id(to))

    def edit(self, what: str, text: str) -> None:
        self.chat.edit(self._id(what), text)

    def redact(self, what: str) -> None:
        self.chat.redact(self._id(what))

    def react(self, to: str, reaction: str) -> None:
        self.chat.react(self._id(to), reaction)

    def sees_reaction(self, of: str, to: str, reaction: str) -> None:
        soon(lambda: of in self.chat.current(self._id(to)).reactions.get(reaction, ()), reaction)

    def sees_read(self, by: str, what: str) -> None:
        soon(lambda: by in self.chat.confirmations(self._id(what)).read_by, f"{what} is read by {by}")

    def finds(self, words: str, text: str) -> None:
        soon(lambda: text in [message.text for message in self.chat.search(words)], words)

    def sees_here(self, names: Sequence[str], sites: Sequence[str]) -> None:
        soon(lambda: set(names) <= set(self.chat.members), f"{names} are here")
        soon(lambda: set(sites) <= {seen.label for seen in self.chat.sites()}, f"the sites {sites}")

    def kept(self, folder: Path) -> str:
        return "\n".join(message.text for message in self.chat.history())

    def leave(self) -> None:
        self.chat.leave()


class TypedSeat(Seat):
    """Commands that are typed."""

    @abstractmethod
    def type(self, line: str) -> None: ...

    @abstractmethod
    def shows(self, *texts: str) -> bool:
        """Whether one line has all of *texts*."""

    def _shows_soon(self, *texts: str) -> None:
        soon(lambda: self.shows(*texts), f"{texts} in\n{self}")

    def _asks(self, command: str, *texts: str) -> None:
        """Ask until the answer says so: what others say may be on its way."""

        def is_said() -> bool:
            self.type(command)
            with contextlib.suppress(AssertionError):
                return bool(eventually(lambda: self.shows(*texts), 0.7))
            return False

        soon(is_said, f"{texts} to {command} in\n{self}")

    def sees(self, text: str) -> None:
        self._shows_soon(text)

    def say(self, text: str) -> None:
        self.type(text)

    def reply(self, to: str, text: str) -> None:
        self.type(f"/reply {self.called(to)} {text}")

    def edit(self, what: str, text: str) -> None:
        self.type(f"/edit {self.called(what)} {text}")

    def redact(self, what: str) -> None:
        self.type(f"/redact {self.called(what)}")

    def react(self, to: str, reaction: str) -> None:
        self.type(f"/react {self.called(to)} {reaction}")

    def sees_reaction(self, of: str, to: str, reaction: str) -> None:
        self._asks(f"/current {self.called(to)}", f"{self.called(to)} now", f"{reaction} {of}")

    def sees_read(self, by: str, what: str) -> None:
        self._asks(f"/confirmations {self.called(what)}", f"confirmations of {self.called(what)}: ", f"read by {by}")

    def sees_here(self, names: Sequence[str], sites: Sequence[str]) -> None:
        self._asks("/who", " members: ", *names)
        if sites:
            self._asks("/who", " sites: ", *sites)

    def kept(self, folder: Path) -> str:
        path = folder / f"{self.name}.txt"
        self.type(f"/export {path}")
        soon(path.exists, "the exported history")
        return path.read_text()


class PlainSeat(TypedSeat):
    """Lines in a pipe."""

    def __init__(self, name: str, called: Called, process: Process) -> None:
        super().__init__(name, called)
        self.process = process

    def __str__(self) -> str:
        return str(self.process)

    def type(self, line: str) -> None:
        self.process.write(line)

    def shows(self, *texts: str) -> bool:
        return any(all(text in line for text in texts) for line in list(self.process.lines))

    def finds(self, words: str, text: str) -> None:
        self._asks(f"/search {words}", text)

    def leave(self) -> None:
        self.process.write("/quit")
        assert self.process.finish() == 0, str(self)
        assert not self.process.complaints, str(self)


class ScreenSeat(TypedSeat):
    """The full screen in a terminal."""

    def __init__(self, name: str, called: Called, screen: Screen, process: Any) -> None:
        super().__init__(name, called)
        self.screen, self.process = screen, process

    def __str__(self) -> str:
        return "\n".join(self.screen.lines)

    def type(self, line: str) -> None:
        self.screen.type(line + ENTER)

    def shows(self, *texts: str) -> bool:
        return any(all(text in line for text in texts) for line in self.screen.lines)

    def finds(self, words: str, text: str) -> None:
        self.type(f"/search {words}")
        self.screen.see("found, newest first")
        self.screen.see(text)
        self.screen.type("\x1b")
        self.screen.see("here", gone="found, newest first")

    def leave(self) -> None:
        self.type("/quit")
        assert self.process.wait(PATIENCE_SECONDS) == 0
        assert "Traceback" not in self.screen.text


class Callback:
    """What the room calls, of a program that knows nothing but Pyro5."""

    def __init__(self) -> None:
        self.messages: list[list[Any]] = []

    @expose
    def deliver(self, messages: list[list[Any]], marks: list[list[Any]]) -> list[int]:
        self.messages += messages
        return [len(self.messages), len(self.messages)]


class BareSeat(Seat):
    """A stock Pyro5 proxy, and a callback in a stock daemon."""

    def __init__(self, name: str, called: Called, proxy: Proxy, callback: Callback) -> None:
        super().__init__(name, called)
        self.proxy, self.callback = proxy, callback

    def _id(self, text: str) -> int:
        return int(next(message[0] for message in self.callback.messages if message[3] == text))

    def sees(self, text: str) -> None:
        soon(lambda: any(message[3] == text for message in list(self.callback.messages)), text)

    def _post(self, *arguments: object) -> None:
        [id, *_] = self.proxy.post(*arguments)
        soon(lambda: len(self.callback.messages) >= id, f"its own message {id}")

    def say(self, text: str) -> None:
        self._post(text)

    def reply(self, to: str, text: str) -> None:
        self._post(text, None, self._id(to))

    def edit(self, what: str, text: str) -> None:
        self._post(text, None, self._id(what), "edit")

    def redact(self, what: str) -> None:
        self._post("", None, self._id(what), "redact")

    def react(self, to: str, reaction: str) -> None:
        self._post(reaction, None, self._id(to), "react")

    def sees_reaction(self, of: str, to: str, reaction: str) -> None:
        soon(lambda: of in dict(self.proxy.current(self._id(to))[2]).get(reaction, ()), reaction)

    def sees_read(self, by: str, what: str) -> None:
        soon(lambda: by in self.proxy.confirmations(self._id(what))[1], f"{what} is read by {by}")

    def finds(self, words: str, text: str) -> None:
        soon(lambda: text in [message[3] for message in self.proxy.search(words)[0]], words)

    def sees_here(self, names: Sequence[str], sites: Sequence[str]) -> None:
        soon(lambda: set(names) <= set(self.proxy.members()), f"{names} are here")
        soon(lambda: set(sites) <= {label for label, _, _ in self.proxy.sites()}, f"the sites {sites}")

    def kept(self, folder: Path) -> str:
        messages: list[list[Any]] = []
        while more := self.proxy.history(len(messages)):
            messages += more
        return "\n".join(message[3] or "" for message in messages)

    def leave(self) -> None:
        self.proxy.leave()


# -- each at its own machine ----------------------------------------------------------------------------------


@contextlib.contextmanager
def program(place: Place, name: str, called: Called) -> Iterator[Seat]:
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(place.host(name)).at if place.has_sites else place.there
        yield ProgramSeat(name, called, stack.enter_context(place.join(name, at)))


@contextlib.contextmanager
def plain(place: Place, name: str, called: Called) -> Iterator[Seat]:
    command, arguments, environment = place.command(name)
    process = place.machine.start(command, *arguments, "--plain", env=environment)
    process.wait_error(f" as {name}")
    yield PlainSeat(name, called, process)
    process.close()


@contextlib.contextmanager
def full_screen(place: Place, name: str, called: Called) -> Iterator[Seat]:
    command, arguments, environment = place.command(name)
    with in_terminal(place.machine, command, *arguments, size=SIZE, **environment) as (screen, process):
        screen.see(" here")
        yield ScreenSeat(name, called, screen, process)


@contextlib.contextmanager
def bare_pyro(place: Place, name: str, called: Called) -> Iterator[Seat]:
    with contextlib.closing(StockDaemon()) as daemon, Proxy(f"PYRO:pyrochat.lobby@{place.there}") as proxy:
        proxy._pyroHandshake = {"name": name}
        callback = Callback()
        proxy.join(daemon.uri(callback))
        yield BareSeat(name, called, proxy, callback)


SEATS: dict[str, Callable[[Place, str, Called], contextlib.AbstractContextManager[Seat]]] = {
    "program": program, "plain": plain, "screen": full_screen, "bare": bare_pyro,
}  # fmt: skip
