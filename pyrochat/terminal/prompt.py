"""The interactive client, until the full-screen one exists: a prompt, with the chat scrolling above it.

What comes in never tears the line that is being typed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import print_formatted_text

from pyrochat.client.chat import Chat
from pyrochat.terminal.commands import COMMANDS
from pyrochat.terminal.lines import PlainLines
from pyrochat.terminal.plain import PlainClient
from pyrochat.terminal.text import visible

__all__ = ["run_prompt"]

_COLOURS = ["ansicyan", "ansigreen", "ansiyellow", "ansimagenta", "ansiblue", "ansibrightcyan", "ansibrightgreen"]


def run_prompt(chat: Chat) -> None:
    """Chat in a terminal until ``/quit``, Ctrl-D or Ctrl-C."""
    client = PlainClient(chat, PlainLines(), _print_line, _print_status)
    session: PromptSession[str] = PromptSession(
        completer=_Words(chat), complete_while_typing=False, erase_when_done=True
    )
    with patch_stdout():
        client.start()
        _print_status(f"you are {chat.name} in room {chat.room}: type to send, /help for help, /quit to leave")
        while True:
            try:
                line = session.prompt(f"{chat.name}> ")
            except (EOFError, KeyboardInterrupt):
                break
            if line.strip() and not client.do(line):
                break
        client.finish()


def _print_line(line: str) -> None:
    """A delivered message: its id and time faint, its sender in the sender's colour."""
    head, _, rest = line.partition(" ")
    clock, _, body = rest.partition(" ")
    sender, colon, text = body.partition(": ")
    if not head.startswith("#") or body.startswith("* ") or not colon:
        print_formatted_text(FormattedText([("ansibrightblack", line)]))
        return
    colour = _COLOURS[hashlib.sha256(sender.encode()).digest()[0] % len(_COLOURS)]
    parts = [("ansibrightblack", f"{head} {clock} "), (f"{colour} bold", sender), ("", f": {text}")]
    print_formatted_text(FormattedText(parts))


def _print_status(line: str) -> None:
    print_formatted_text(FormattedText([("ansibrightblack italic", f"-- {visible(line)}")]))


class _Words(Completer):
    """Commands, and names after ``@`` or at the beginning."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """See prompt_toolkit."""
        word = document.get_word_before_cursor(WORD=True)
        if document.text_before_cursor == word and word.startswith("/"):
            choices = [usage.split()[0] for usage, _ in COMMANDS]
        else:
            choices = [prefix + name for name in self._chat.members for prefix in ("", "@")]
        for choice in choices:
            if word and choice.casefold().startswith(word.casefold()):
                yield Completion(choice + " ", start_position=-len(word))
