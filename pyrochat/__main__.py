"""``python -m pyrochat``: the same as ``pyrochat``."""

from pyrochat.commands.chat import run

run()
