"""Whose a message's key is, where the sender's name doesn't say it.

A key is its member's own. But guests can't show who they are: two that come after each other under one name are two.
So a guest's key stands in the log with a mark of its owner before it. Nobody else sees that: on the wire and in the
digest a message has the key that its sender gave.
"""

from __future__ import annotations

import hashlib
import secrets

__all__ = ["KEY_MARK", "guest_owner", "owned_key", "shown_key"]

_OWNER_DIGITS = 32
KEY_MARK = "\x1f"  # follows them; no key that somebody gives has it: those are printable


def guest_owner(client: str | None) -> str:
    """The mark of a guest's client, as it calls itself in the handshake; of one that doesn't, a new one."""
    if client is None:
        return secrets.token_hex(_OWNER_DIGITS // 2)
    return hashlib.sha256(client.encode()).hexdigest()[:_OWNER_DIGITS]


def owned_key(owner: str, key: str) -> str:
    """*key* as it stands in the log; *owner*: empty for a member, whose name says it."""
    return f"{owner}{KEY_MARK}{key}" if owner else key


def shown_key(key: str) -> str:
    """The key that its sender gave, of one that stands in the log."""
    return key[_OWNER_DIGITS + 1 :] if key[_OWNER_DIGITS : _OWNER_DIGITS + 1] == KEY_MARK else key
