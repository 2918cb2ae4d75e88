"""Salts: what keeps the commitment to a short text from being guessed. See `core.digests`."""

import base64
import secrets

_BYTES = 8  # 11 characters


def new_salt() -> str:
    """A salt: 11 characters, 64 random bits."""
    return secrets.token_urlsafe(_BYTES)


def new_salts(count: int) -> tuple[str, ...]:
    """As many salts, for less than one by one."""
    if count == 1:
        return (new_salt(),)
    random = secrets.token_bytes(_BYTES * count)
    return tuple(
        base64.urlsafe_b64encode(random[start : start + _BYTES])[:-1].decode()
        for start in range(0, len(random), _BYTES)
    )
