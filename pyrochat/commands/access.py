"""Options that client and server share: certificates, and passwords, which never stand on the command line."""

import os
import stat
import sys
from pathlib import Path
from typing import Annotated

import typer

from pyrochat.terminal.streams import write_status
from pyrochat.trust.files import is_open_to_others, read_small
from pyrochat.values.errors import InvalidArgument

PASSWORD_VARIABLE = "PYROCHAT_PASSWORD"
PIPE_SECONDS = 30.0  # for what a user names that may be a shell's <(command)
_GROUP_AND_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_OTHERS_READ = stat.S_IROTH  # a group that may read certificates' keys is usual

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
            text = read_small(file, wait_seconds=PIPE_SECONDS).decode("utf-8-sig")
        except OSError as error:
            raise InvalidArgument(f"can't read the password from {file} ({error.strerror or error})") from None
        except UnicodeDecodeError:
            raise InvalidArgument(f"can't read the password from {file}: save it in UTF-8") from None
        warn_if_open(file, _GROUP_AND_OTHERS_READ)
        password = text.split("\n", 1)[0].rstrip("\r")
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


def warn_if_open(secret: Path | None, bits: int = _OTHERS_READ) -> None:
    """Say on standard error that others on this machine can read the file *secret*, whose mode is the user's to change."""
    if secret is not None and is_open_to_others(secret, bits):
        write_status(f"warning: others on this machine can read {secret}: chmod 600 it")
