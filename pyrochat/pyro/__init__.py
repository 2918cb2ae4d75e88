"""The Pyro5 side: the only place that imports Pyro5; connections, frames, TLS, callbacks and the name server.

Knows what bytes on the wire mean, and serves objects by their names; what a room or a chat does, it doesn't know.
"""

import sys
from pathlib import Path

from pyrochat.values.errors import InvalidArgument

_COMMANDS = {"pyrochat", "pyrochat-server", "pyrochat-client"}

try:
    import Pyro5.configure  # noqa: F401 - which reads the environment, whoever asks for it first
except ValueError as error:
    _text = f"{error}: correct that environment variable, or unset it"
    if _COMMANDS & {Path(word).name for word in sys.orig_argv[:3]}:  # nothing of ours is there yet that could say it
        raise SystemExit(f"pyrochat: {_text}") from None
    raise InvalidArgument(_text) from None
