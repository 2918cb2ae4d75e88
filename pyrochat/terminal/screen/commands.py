"""What can be typed on the full screen: everything that the plain client knows, and what needs a screen."""

from pyrochat.terminal.commands import COMMANDS

_OWN = [
    ("/jump ID", "to message ID"),
    ("/join ROOM", "open another room of this server; it is created where you may do that"),
    ("/leave", "leave this room"),
    ("/theme [NAME]", "other colours"),
]
SCREEN_COMMANDS = [*COMMANDS[:-3], *_OWN, *COMMANDS[-3:]]
