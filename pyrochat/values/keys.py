"""Whose a message's key is.

A key is its member's own. But guests can't show who they are: two that come after each other under one name are two.
So a guest's key is its own by its client too. Nobody sees that in a message: the log notes it beside (`core.log`).
"""

import hashlib
import secrets

_MARK_DIGITS = 32
_SEPARATOR = "\x1f"  # no name has it


def guest_mark(client: str | None) -> str:
    """What tells a guest from others of its name: its client's, as that calls itself; where it doesn't, a new one."""
    if client is None:
        return secrets.token_hex(_MARK_DIGITS // 2)
    return hashlib.sha256(client.encode()).hexdigest()[:_MARK_DIGITS]


def mark_of(owner: str) -> str:
    """The mark in what `key_owner` has made."""
    return owner.partition(_SEPARATOR)[2]


def key_owner(member: str, mark: str = "") -> str:
    """Whose the keys of *member* (a folded name) are; *mark*: a guest's, empty for who has shown that the name is its own."""
    return f"{member}{_SEPARATOR}{mark}" if mark else member
