"""What can be typed: a text, or a command that begins with a slash. Parsing and answering, no screen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyrochat.client.chat import Chat
from pyrochat.terminal.export import ENDINGS, export
from pyrochat.terminal.lines import Lines
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import CHAT
from pyrochat.values.rules import fold
from pyrochat.values.visible import visible

_DEFAULT_HISTORY = 20

COMMANDS = [
    ("/history [N]", f"the last N messages (default {_DEFAULT_HISTORY})"),
    ("/search WORDS", 'the newest messages with all of WORDS; also "a phrase", begin* and from:NAME'),
    ("/confirmations [ID]", "who has message ID, and who has read it (default: your last one)"),
    ("/who", "who is here"),
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
    known = {usage.split()[0][1:] for usage, _ in commands}
    if name not in known:
        raise InvalidArgument(f"there is no command /{visible(name)}: see /help, or begin the text with // to send it")
    return ChatCommand(name, argument.strip())


def answer(command: ChatCommand, chat: Chat, lines: Lines) -> list[str]:
    """The lines that answer *command*; raises PyroChatError. ``/quit`` is the caller's."""
    answers: dict[str, Callable[[], list[str]]] = {
        "history": lambda: lines.history(chat.history(last=_number(command, _DEFAULT_HISTORY))),
        "search": lambda: lines.search(chat.search(command.argument)),
        "confirmations": lambda: lines.confirmations(
            chat.confirmations(_number(command, 0) if command.argument else _last_own(chat))
        ),
        "who": lambda: lines.members(chat.members),
        "verify": lambda: lines.verification(chat.verify()),
        "export": lambda: _export(command, chat, lines),
        "help": lambda: lines.help(COMMANDS),
    }
    return answers[command.name]()


def _export(command: ChatCommand, chat: Chat, lines: Lines) -> list[str]:
    if not command.argument:
        raise InvalidArgument(f"/export takes a file, whose ending says what it becomes: {', '.join(ENDINGS)}")
    messages = chat.history()
    return lines.exported(export(messages, Path(command.argument)), len(messages))


def _number(command: ChatCommand, default: int) -> int:
    text = command.argument.removeprefix("#")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InvalidArgument(f"/{command.name} takes a number, not {visible(command.argument)!r}")
    return int(text)


def _last_own(chat: Chat) -> int:
    """The id of this member's newest message; of the room's newest where it has sent none."""
    messages = chat.history()
    for message in reversed(messages):
        if message.kind == CHAT and fold(message.sender) == fold(chat.name):
            return message.id
    return len(messages)
