"""A bot that counts: says how many messages a room has had, whenever somebody asks "!count".

Start it with a name that is its own: python examples/bot.py counter [HOST:PORT]. It comes back by itself when the server
was gone, answers what was asked while it was away, answers nothing twice, and leaves when it is told to end.
"""

import contextlib
import signal
import sys

import pyrochat

with (
    pyrochat.join(sys.argv[1], at=sys.argv[2] if len(sys.argv) > 2 else None) as chat,
    contextlib.suppress(pyrochat.ChatClosed),  # told to end in the middle of an answer: the next start gives it
):
    signal.signal(signal.SIGTERM, lambda number, frame: chat.leave())  # `listen` ends then
    for message in chat.listen(after=chat.read_mark):
        if message.kind == "chat" and message.text == "!count":
            count = sum(1 for each in chat.history() if each.kind == "chat" and each.id < message.id)
            # The key makes the answer one, also where the bot was killed between sending it and hearing that it arrived.
            chat.send(f"{count} messages", key=f"count-{message.id}")
