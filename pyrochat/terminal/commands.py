"""What can be typed: a text, or a command that begins with a slash. Parsing and answering, no screen."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyrochat.client.chat import Chat
from pyrochat.terminal.export import ENDINGS, export
from pyrochat.terminal.lines import Lines
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import CHAT, Message
from pyrochat.values.rules import checked_name, fold
from pyrochat.values.visible import visible

_DEFAULT_HISTORY = 20
_ID = re.compile(r"(?P<id>#?(?:[^\s.#]{1,40}\.)?[0-9]{1,15})\s+(?P<text>.+)", re.DOTALL)
_NAME = re.compile(r"#?(?:[^\s.#]{1,40}\.)?[0-9]{1,15}")

COMMANDS = [
    ("/history [N]", f"the last N messages (default {_DEFAULT_HISTORY})"),
    ("/search WORDS", 'the newest messages with all of WORDS; also "a phrase", begin* and from:NAME'),
    ("/confirmations [ID]", "who has message ID, and who has read it (default: your last one)"),
    ("/reply ID TEXT", "answer message ID"),
    ("/edit [ID] TEXT", "give your message ID (default: your last one) another text"),
    ("/redact ID", "delete your message ID: its text is gone for everybody"),
    ("/react ID EMOJI", "react to message ID"),
    ("/unreact ID EMOJI", "take that back"),
    ("/current ID", "what message ID is now: edited, answered, reacted to"),
    ("/unread", "what others wrote since you last read"),
    ("/me TEXT", "say what you do"),
    ("/topic [TEXT]", "what the room is about, or what it is to be about (-: nothing in particular)"),
    ("/who", "who is here"),
    ("/rooms", "the rooms of this server"),
    ("/msg NAME [TEXT]", "say TEXT in the room of you and NAME, which nobody else sees; without TEXT: show it"),
    ("/create ROOM [NAME …]", "create a closed room for you and these: nobody else sees it"),
    ("/invite NAME", "let NAME into this closed room"),
    ("/remove NAME", "shut NAME out of this closed room; your own name gives it up"),
    ("/verify", "up to which message this copy and the room's log are proven identical"),
    ("/export FILE", "write the history to FILE, as its ending says: .txt, .jsonl or .html"),
    ("/help", "this list"),
    ("/quit", "leave the room"),
    ("//text", "send a text that begins with a slash"),
]


@dataclass(frozen=True, slots=True)
class ChatCommand:
    """A line that begins with a slash. name: without the slash. argument: what follows, stripped."""

    name: str
    argument: str


def parse(line: str, commands: Sequence[tuple[str, str]] = COMMANDS) -> ChatCommand | str:
    """A Command, or the text to send; raises InvalidArgument for one that is not among *commands*."""
    if not line.startswith("/"):
        return line
    if line.startswith("//"):
        return line[1:]
    name, _, argument = line[1:].strip().partition(" ")
    if "/" in name:  # it is a path
        return line
    known = {usage.split()[0][1:] for usage, _ in commands}
    if name not in known:
        raise InvalidArgument(f"there is no command /{visible(name)}: see /help, or begin the text with // to send it")
    return ChatCommand(name, argument.strip())


def say(command: ChatCommand, chat: Chat) -> Message | None:
    """Send what *command* says of a message, or of the room; None where it says nothing. Raises PyroChatError."""
    argument = command.argument
    match command.name:
        case "reply":
            id, text = _id_and_text(command, chat)
            return chat.send(text, about=id)
        case "edit" if _ID.match(argument):
            return chat.edit(*_id_and_text(command, chat))
        case "edit":
            return chat.edit(_last_own(chat), argument)
        case "redact":
            return chat.redact(_message(command, chat))
        case "react":
            return chat.react(*_id_and_text(command, chat))
        case "unreact":
            return chat.unreact(*_id_and_text(command, chat))
        case "me":
            return chat.send(f"/me {argument}")
        case "topic" if argument:
            return chat.set_topic("" if argument == "-" else argument)
    return None


def answer(command: ChatCommand, chat: Chat, lines: Lines) -> list[str]:
    """The lines that answer *command*; raises PyroChatError. ``/quit`` is the caller's."""
    answers: dict[str, Callable[[], list[str]]] = {
        "history": lambda: lines.history(chat.history(last=_number(command, _DEFAULT_HISTORY))),
        "search": lambda: lines.search(chat.search(command.argument)),
        "confirmations": lambda: lines.confirmations(
            chat.confirmations(_message(command, chat) if command.argument else _last(chat))
        ),
        "current": lambda: _current(_message(command, chat), chat, lines),
        "unread": lambda: lines.unread(chat.unread()),
        "topic": lambda: lines.topic(chat.topic),
        "who": lambda: lines.members(chat.members, chat.sites() if chat.may_have_sites else ()),
        "rooms": lambda: lines.rooms(chat.rooms()),
        "create": lambda: _create(command, chat, lines),
        "invite": lambda: _let_in(command, chat.invite, chat, lines),
        "remove": lambda: _let_in(command, chat.remove, chat, lines),
        "verify": lambda: lines.verification(chat.verify()),
        "export": lambda: _export(command, chat, lines),
        "help": lambda: lines.help(COMMANDS),
    }
    return answers[command.name]()


def to_whom(argument: str) -> tuple[str, str]:
    """The name, and the text, if there is one, that ``/msg`` was given. Raises InvalidName."""
    name, _, text = argument.partition(" ")
    return checked_name(name), text.strip()


def _create(command: ChatCommand, chat: Chat, lines: Lines) -> list[str]:
    room, *names = command.argument.split() or [""]
    return lines.created(chat.create_room(room, names), names)


def _let_in(command: ChatCommand, do: Callable[[str], None], chat: Chat, lines: Lines) -> list[str]:
    name = checked_name(command.argument)
    do(name)
    return lines.let_in(chat.room, name, is_in=command.name == "invite")


def _export(command: ChatCommand, chat: Chat, lines: Lines) -> list[str]:
    if not command.argument:
        raise InvalidArgument(f"/export takes a file, whose ending says what it becomes: {', '.join(ENDINGS)}")
    messages = chat.history()
    return lines.exported(export(messages, Path(command.argument)), len(messages))


def _current(id: int, chat: Chat, lines: Lines) -> list[str]:
    return lines.current(id, chat.current(id))


def _message(command: ChatCommand, chat: Chat) -> int:
    """The id of the message that *command* names, by its number or by its name."""
    return chat.find(command.argument) if _NAME.fullmatch(command.argument) else _number(command)


def _id_and_text(command: ChatCommand, chat: Chat) -> tuple[int, str]:
    found = _ID.match(command.argument)
    if found is None:
        raise InvalidArgument(f"/{command.name} takes the number of a message, and then what to say: see /help")
    return chat.find(found["id"]), found["text"]


def _number(command: ChatCommand, default: int | None = None) -> int:
    text = command.argument.removeprefix("#")
    if not text and default is not None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InvalidArgument(f"/{command.name} takes a number, not {visible(command.argument)!r}")
    return int(text)


def _last(chat: Chat) -> int:
    """The id of this member's newest text; of the room's newest message where it has sent none."""
    try:
        return _last_own(chat)
    except InvalidArgument:
        return len(chat.history())


def _last_own(chat: Chat) -> int:
    """The id of this member's newest text; raises InvalidArgument where it has sent none."""
    for message in reversed(chat.history()):
        if message.kind == CHAT and not message.is_redacted and fold(message.sender) == fold(chat.name):
            return message.id
    raise InvalidArgument("you have sent nothing here yet: name the message by its number")
