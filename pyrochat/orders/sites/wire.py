"""The port between sites: what carries a call to another one."""

from collections.abc import Callable
from typing import Any, Protocol


class Wire(Protocol):
    """A connection to another site's face, on which both have proved their keys. One thread."""

    key: str  # that the other side has proved, in hexadecimal

    def call(self, method: str, *arguments: object) -> Any:
        """Call *method* of the other's face; raises PyroChatError."""

    def close(self) -> None:
        """Close it. Any thread. Idempotent."""


Dial = Callable[[str], Wire]
"""Connects to a site at ``host:port``; raises PyroChatError."""
