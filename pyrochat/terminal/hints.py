"""What the library says to programs, said to people who use the commands.

Its errors name a parameter as Python does, ``data=`` or ``at="host:port"``. The commands have an option of the same name
for each, with hyphens.
"""

import re

_PARAMETERS = (
    "advertise", "at", "cluster", "cluster_credentials", "cluster_replicas", "cluster_secret_file", "data", "disk_reserve",
    "fingerprint", "host", "password", "peer_bytes", "port", "room", "room_bytes", "tls_ca",
    "tls_cert", "tls_key",
)  # fmt: skip
_NAMED = re.compile(rf'(?<![\w.=-])({"|".join(_PARAMETERS)})=(?:"([^"\s]+)"|(?=[\s,.;:)]|$))')


def as_options(text: str) -> str:
    """*text* with options in the place of parameters: ``--data``, ``--at host:port``."""
    return _NAMED.sub(lambda found: f"--{found[1].replace('_', '-')}" + (f" {found[2]}" if found[2] else ""), text)
