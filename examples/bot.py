"""A bot that counts: says how many messages a room has had, whenever somebody asks "!count".

Start it with a name that is its own: python examples/bot.py counter [HOST:PORT]. It comes back by itself when the server
was gone, sends nothing twice, and leaves when it is told to end.
"""

import signal
import sys

import pyrochat

with pyrochat.join(sys.argv[1], at=sys.argv[2] if len(sys.argv) > 2 else None) as chat:
    signal.signal(signal.SIGTERM, lambda number, frame: chat.leave())  # `listen` ends then

    for message in chat.listen():
        if message.kind == "chat" and message.text == "!count":
            count = sum(1 for each in chat.history() if each.kind == "chat")
            # The key makes the answer one, also where the bot is killed between sending it and hearing that it arrived.
            chat.send(f"{count} messages", key=f"count-{message.id}")
