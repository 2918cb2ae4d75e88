"""What the plain client writes: a line for each thing, or a JSON object for each."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pyrochat.client.chat import Chat
from pyrochat.client.messages import SearchResult
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.current import Current
from pyrochat.values.message import Message
from pyrochat.values.sites import SiteSeen
from pyrochat.values.verification import Verification
from pyrochat.values.visible import visible


class Lines:
    """How to write; one implementation for people and pipes, one for programs. Each answer is a list of lines."""

    def speak_of(self, chat: Chat) -> None:
        """The messages are those of *chat* from now on: it knows what they are called."""

    def message(self, message: Message) -> str:
        """The line of a delivered message."""
        raise NotImplementedError

    def beside(self, message: Message) -> str:
        """The line of a message of another room than the one that is shown."""
        raise NotImplementedError

    def history(self, messages: Sequence[Message]) -> list[str]:
        """The answer to ``/history``."""
        raise NotImplementedError

    def search(self, found: SearchResult) -> list[str]:
        """The answer to ``/search``: newest first."""
        raise NotImplementedError

    def confirmations(self, confirmations: Confirmations) -> list[str]:
        """The answer to ``/confirmations``."""
        raise NotImplementedError

    def verification(self, verification: Verification) -> list[str]:
        """The answer to ``/verify``."""
        raise NotImplementedError

    def members(self, members: Sequence[str], sites: Sequence[SiteSeen] = ()) -> list[str]:
        """The answer to ``/who``. sites: of a causal room, this client's first."""
        raise NotImplementedError

    def rooms(self, names: Sequence[str]) -> list[str]:
        """The answer to ``/rooms``."""
        raise NotImplementedError

    def created(self, room: str, names: Sequence[str]) -> list[str]:
        """The answer to ``/create``: the closed *room* is there for *names*."""
        raise NotImplementedError

    def let_in(self, room: str, name: str, is_in: bool) -> list[str]:
        """The answer to ``/invite`` and ``/remove``: whether *name* may enter *room* now."""
        raise NotImplementedError

    def unread(self, messages: Sequence[Message]) -> list[str]:
        """The answer to ``/unread``."""
        raise NotImplementedError

    def current(self, id: int, current: Current) -> list[str]:
        """The answer to ``/current``."""
        raise NotImplementedError

    def topic(self, topic: str) -> list[str]:
        """The answer to ``/topic``."""
        raise NotImplementedError

    def exported(self, file: Path, count: int) -> list[str]:
        """The answer to ``/export``: *count* messages are in *file*."""
        raise NotImplementedError

    def help(self, commands: Sequence[tuple[str, str]]) -> list[str]:
        """The answer to ``/help``: pairs of usage and meaning."""
        raise NotImplementedError


class PlainLines(Lines):
    """``#12 14:03:22 Erick: Olá``; in a causal room ``#erick.7 14:03:22 Erick: Olá``"""

    def __init__(self) -> None:
        self._chat: Chat | None = None
        self._newest_us = 0

    def speak_of(self, chat: Chat) -> None:
        """See `Lines`."""
        self._chat, self._newest_us = chat, 0

    def message(self, message: Message) -> str:
        """See `Lines`; times are local. What was written elsewhere while what stands above it was says so."""
        is_late = message.is_late(self._newest_us)
        self._newest_us = max(self._newest_us, message.time_us)
        return f"{self._line(message)} (written meanwhile)" if is_late else self._line(message)

    def _line(self, message: Message) -> str:
        if self._chat is None or message.ref is None:
            return plain_line(message, "%H:%M:%S")
        return plain_line(message, "%H:%M:%S", self._chat.called, self._chat.who(message))

    def _called(self, id: int) -> str:
        return f"#{id}" if self._chat is None else self._chat.called(id)

    def beside(self, message: Message) -> str:
        """See `Lines`."""
        return f"[{visible(message.room)}] {plain_line(message, '%H:%M:%S')}"

    def history(self, messages: Sequence[Message]) -> list[str]:
        """See `Lines`."""
        return [f"-- history: {_count(messages)}", *map(self._line, messages), "-- end of history"]

    def search(self, found: SearchResult) -> list[str]:
        """See `Lines`."""
        answer = [f"-- search: {_count(found)}", *map(self._line, found)]
        if not found.is_complete:
            answer.append(f"-- still indexing: searched up to #{found.indexed_up_to} of #{found.end}")
        return [*answer, "-- end of search"]

    def confirmations(self, confirmations: Confirmations) -> list[str]:
        """See `Lines`."""
        away = f"; away {_names(confirmations.away)}" if confirmations.away else ""
        return [
            f"-- confirmations of {self._called(confirmations.id)}: "
            f"delivered to {_names(confirmations.delivered_to)}; read by {_names(confirmations.read_by)}; "
            f"waiting for {_names(confirmations.waiting_for)}{away}"
        ]

    def verification(self, verification: Verification) -> list[str]:
        """See `Lines`."""
        upto, end = verification.identical_up_to, verification.end
        proof = f"{upto}:{verification.digest}"
        if verification.whole:
            found = [f"-- verified: identical with the room's log up to #{upto}; {proof}"]
        else:
            found = [f"-- NOT identical with the room's log: only up to #{upto} of #{end}; {proof}"]
        if known := verification.replaced_log_id:
            found.append(f"-- ANOTHER LOG: this one is {verification.log_id}, the one that you knew before {known}")
        return found

    def members(self, members: Sequence[str], sites: Sequence[SiteSeen] = ()) -> list[str]:
        """See `Lines`."""
        noun = "member" if len(members) == 1 else "members"
        answer = [f"-- {len(members)} {noun}: {', '.join(map(visible, members))}"]
        if sites:
            answer.append(f"-- {len(sites)} site{'s' * (len(sites) != 1)}: {', '.join(map(_site, sites))}")
        return answer

    def rooms(self, names: Sequence[str]) -> list[str]:
        """See `Lines`."""
        return [f"-- {len(names)} room{'s' * (len(names) != 1)}: {', '.join(map(visible, names))}"]

    def created(self, room: str, names: Sequence[str]) -> list[str]:
        """See `Lines`."""
        return [f"-- the closed room {visible(room)} is there for you and {_names(names)}"]

    def let_in(self, room: str, name: str, is_in: bool) -> list[str]:
        """See `Lines`."""
        return [f"-- {visible(name)} {'may enter' if is_in else 'is shut out of'} {visible(room)} now"]

    def unread(self, messages: Sequence[Message]) -> list[str]:
        """See `Lines`."""
        return [f"-- unread: {_count(messages)}", *map(self._line, messages), "-- end of unread"]

    def current(self, id: int, current: Current) -> list[str]:
        """See `Lines`."""
        text = "(deleted)" if current.text is None else visible(current.text)
        said = [f"{visible(reaction)} {_names(names)}" for reaction, names in current.reactions.items()]
        if current.replies:
            said.append("answered by " + ", ".join(map(self._called, current.replies)))
        edited = " (edited)" if current.is_edited and current.text is not None else ""
        return [f"-- {self._called(id)} now{edited}: " + "; ".join([text, *said])]

    def topic(self, topic: str) -> list[str]:
        """See `Lines`."""
        return [f"-- topic: {visible(topic)}" if topic else "-- no topic"]

    def exported(self, file: Path, count: int) -> list[str]:
        """See `Lines`."""
        return [f"-- {count} {'message' if count == 1 else 'messages'} written to {visible(str(file))}"]

    def help(self, commands: Sequence[tuple[str, str]]) -> list[str]:
        """See `Lines`."""
        width = max(len(usage) for usage, _ in commands)
        return [f"-- {usage:<{width}}  {meaning}" for usage, meaning in commands]


class JsonLines(Lines):
    """One object per line, in ASCII."""

    def message(self, message: Message) -> str:
        """See `Lines`."""
        return _json(type="message", **_fields(message))

    def beside(self, message: Message) -> str:
        """See `Lines`: a message says which room it is of."""
        return self.message(message)

    def history(self, messages: Sequence[Message]) -> list[str]:
        """See `Lines`."""
        return [_json(type="history", messages=[_fields(message) for message in messages])]

    def search(self, found: SearchResult) -> list[str]:
        """See `Lines`."""
        messages = [_fields(message) for message in found]
        return [_json(type="search", messages=messages, indexed_up_to=found.indexed_up_to, end=found.end)]

    def confirmations(self, confirmations: Confirmations) -> list[str]:
        """See `Lines`."""
        delivered_to, read_by, waiting_for, away = confirmations.to_wire()
        return [
            _json(
                type="confirmations", id=confirmations.id,
                delivered_to=delivered_to, read_by=read_by, waiting_for=waiting_for, away=away,
            )
        ]  # fmt: skip

    def verification(self, verification: Verification) -> list[str]:
        """See `Lines`."""
        return [
            _json(
                type="verification", identical_up_to=verification.identical_up_to, end=verification.end,
                whole=verification.whole, digest=verification.digest, **_logs(verification),
            )
        ]  # fmt: skip

    def members(self, members: Sequence[str], sites: Sequence[SiteSeen] = ()) -> list[str]:
        """See `Lines`."""
        of_sites = {"sites": [seen._asdict() for seen in sites]} if sites else {}
        return [_json(type="members", members=list(members), **of_sites)]

    def rooms(self, names: Sequence[str]) -> list[str]:
        """See `Lines`."""
        return [_json(type="rooms", rooms=list(names))]

    def created(self, room: str, names: Sequence[str]) -> list[str]:
        """See `Lines`."""
        return [_json(type="created", room=room, members=list(names))]

    def let_in(self, room: str, name: str, is_in: bool) -> list[str]:
        """See `Lines`."""
        return [_json(type="invited" if is_in else "removed", room=room, name=name)]

    def unread(self, messages: Sequence[Message]) -> list[str]:
        """See `Lines`."""
        return [_json(type="unread", messages=[_fields(message) for message in messages])]

    def current(self, id: int, current: Current) -> list[str]:
        """See `Lines`."""
        reactions = {reaction: sorted(names) for reaction, names in current.reactions.items()}
        now = current._asdict() | {"reactions": reactions}
        return [_json(type="current", id=id, **now)]

    def topic(self, topic: str) -> list[str]:
        """See `Lines`."""
        return [_json(type="topic", topic=topic)]

    def exported(self, file: Path, count: int) -> list[str]:
        """See `Lines`."""
        return [_json(type="export", file=str(file), messages=count)]

    def help(self, commands: Sequence[tuple[str, str]]) -> list[str]:
        """See `Lines`."""
        return [_json(type="help", commands=[{"usage": usage, "meaning": meaning} for usage, meaning in commands])]


def plain_line(
    message: Message, time_format: str, called: Callable[[int], str] = "#{}".format, sender: str | None = None
) -> str:
    """*message* on one line, its time local, as *time_format* (of strftime) says. called, sender: see `Message.told`."""
    clock = message.time.astimezone().strftime(time_format)
    return f"#{message.ref or message.id} {clock} {message.told(visible, called, sender)}"


def _site(seen: SiteSeen) -> str:
    label = visible(seen.label)
    if seen.seconds is None:
        return f"{label} (not heard of yet)"
    return f"{label} (not heard of for {seen.seconds:.0f} s)" if seen.is_silent else label


def _count(messages: Sequence[Message]) -> str:
    return f"{len(messages)} message{'s' * (len(messages) != 1)}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(visible, sorted(names))) or "nobody"


def _logs(verification: Verification) -> dict[str, object]:
    """The room's log and the one that was known before, where that is another one."""
    known = verification.replaced_log_id
    return {"log": verification.log_id, "replaced_log": known} if known else {}


def _fields(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "room": message.room,
        "sender": message.sender,
        "text": message.text,
        "time": _iso(message.time),
        "kind": message.kind,
        "about": message.about,
        "ref": message.ref,
    }


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _json(**fields: object) -> str:
    return json.dumps(fields)
