"""What can be typed on the full screen: everything that the plain client knows, and what needs a screen."""

from collections.abc import Sequence

from pyrochat.terminal.commands import COMMANDS

_OWN = [
    ("/jump ID", "to message ID"),
    ("/join ROOM", "open another room of this server; it is created where you may do that"),
    ("/leave", "leave this room"),
    ("/theme [NAME]", "other colours"),
    ("/editor", "write in $EDITOR"),
    ("/notify all|mentions|none", "of which messages of this room you are told"),
    ("/highlight [WORD …]", "words that concern you as your name does (-: none)"),
    ("/ignore [NAME]", "show nothing more of NAME, or that again"),
]
SCREEN_COMMANDS = [*COMMANDS[:-3], *_OWN, *COMMANDS[-3:]]

_BRIEFLY = {
    "/history": "Show the last N", "/search": "Find in all rooms", "/confirmations": "Who has read it", "/reply": "Answer",
    "/edit": "Another text", "/redact": "Delete for all", "/react": "React", "/unreact": "Take that back", "/current": "What it is now",
    "/unread": "What is unread", "/topic": "The room's topic", "/who": "Who is here", "/rooms": "Rooms here", "/msg": "Between you two",
    "/create": "A closed room", "/invite": "Let somebody in", "/remove": "Shut somebody out", "/verify": "Is it the same log",
    "/export": "Write it to a file", "/help": "This", "/quit": "Leave", "//text": "Text with a slash", "/jump": "To that message",
    "/join": "Open a room", "/leave": "Leave this room", "/theme": "Other colours", "/editor": "Write in $EDITOR",
    "/notify": "Of what to tell you", "/highlight": "Words that concern you", "/ignore": "Hide somebody", "/me": "What you do",
}  # fmt: skip


def briefly() -> Sequence[tuple[str, str]]:
    """The commands, each with a few words, for the help."""
    return [(usage, _BRIEFLY.get(usage.split()[0], meaning)) for usage, meaning in SCREEN_COMMANDS if usage != "/help"]
