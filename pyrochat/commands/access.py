"""Options that client and server share: certificates, and passwords, which never stand on the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pyrochat.values.errors import InvalidArgument

__all__ = ["PasswordFileOption", "PasswordOption", "TlsCertOption", "TlsKeyOption", "given_password"]

PASSWORD_VARIABLE = "PYROCHAT_PASSWORD"

# For a parameter that is not called "password": PYROCHAT_PASSWORD is the password itself, no flag.
PasswordOption = Annotated[
    bool,
    typer.Option(
        "--password",
        help=f"A private room: ask for its password, unless {PASSWORD_VARIABLE} or --password-file gives it.",
    ),
]
PasswordFileOption = Annotated[
    Path | None, typer.Option(help="A private room: the file whose first line is its password.")
]
TlsCertOption = Annotated[Path | None, typer.Option(help="Your own certificate (PEM), with its chain.")]
TlsKeyOption = Annotated[Path | None, typer.Option(help="Its key (PEM).")]


def given_password(ask: bool, file: Path | None) -> str | None:
    """The password from *file*, the environment, or a prompt; None where none is given. Raises InvalidArgument."""
    password: str | None
    if file is not None:
        try:
            password = file.read_text().split("\n", 1)[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidArgument(f"can't read the password from {file} ({error})") from None
        if not password:
            raise InvalidArgument(f"the first line of {file} is empty: write the password there")
        return password
    password = os.environ.get(PASSWORD_VARIABLE) or None
    if password is None and ask:
        if not sys.stdin.isatty():
            raise InvalidArgument(
                f"there is nobody to ask: give the password with {PASSWORD_VARIABLE} or --password-file"
            )
        password = str(typer.prompt("password", hide_input=True, err=True)) or None
    return password
