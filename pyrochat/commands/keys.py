"""``pyrochat key`` and ``pyrochat servers``: the user's own key, and the servers that the user knows."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pyrochat.client.known import KnownServers
from pyrochat.commands.access import PIPE_SECONDS
from pyrochat.folders import key_file, known_servers_file
from pyrochat.trust.files import MOST_BYTES, read_small, write_new, write_private
from pyrochat.trust.keys import Key, shown
from pyrochat.values.errors import InvalidArgument


def _group(text: str) -> typer.Typer:
    return typer.Typer(
        rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]}, help=text,
    )  # fmt: skip


key_app = _group("Your key: names on servers belong to it.")
servers_app = _group("The servers that you know, by their keys and certificates.")

FileArgument = Annotated[Path, typer.Argument(help="The file; - is standard input or output.")]
_STANDARD = Path("-")


@key_app.command("show")
def show() -> None:
    """Show your key's public half, as operators see it, and where the key is."""
    print(f"{shown(Key.kept_at(key_file()).public)}  {key_file()}")


@key_app.command("export")
def export(file: FileArgument = _STANDARD) -> None:
    """Write your private key to a file, to take it to another machine. Whoever has it can be you."""
    pem = Key.kept_at(key_file()).to_pem()
    if file == _STANDARD:
        print(pem.decode(), end="")
        return
    try:
        write_new(file, pem)
    except FileExistsError:
        raise InvalidArgument(f"{file} is there already: choose another file") from None
    print(f"your key is in {file}: bring it to the other machine, pyrochat key import {file.name}, and delete it")


@key_app.command("import")
def import_(
    file: FileArgument,
    replace: Annotated[
        bool, typer.Option("--replace", help="Even if there is another key here; it is kept beside.")
    ] = False,
) -> None:
    """Take a key from another machine: both are then the same member."""
    try:
        pem = sys.stdin.buffer.read(MOST_BYTES) if file == _STANDARD else read_small(file, wait_seconds=PIPE_SECONDS)
    except OSError as error:
        raise InvalidArgument(f"can't read {file}: {error.strerror}") from None
    key = Key.from_pem(pem, "standard input" if file == _STANDARD else file)
    path = key_file()
    if path.exists():
        old = Key.kept_at(path)
        if old.public == key.public:
            print(f"{shown(key.public)} is your key already")
            return
        if not replace:
            raise InvalidArgument(
                f"there is another key in {path} already ({shown(old.public)}): --replace puts it beside, "
                "and the names that belong to it are out of reach"
            )
        write_private(path.with_name(f"{path.stem}-{old.public.hex()[:8]}{path.suffix}"), old.to_pem())
    write_private(path, key.to_pem())
    print(f"your key is now {shown(key.public)}")


@servers_app.command("list")
def list_servers() -> None:
    """List the servers that have to show what they showed before."""
    known = KnownServers(known_servers_file()).all()
    for place, server in sorted(known.items()):
        print(f"{place}: key {shown(bytes.fromhex(server.key))}")
        if server.fingerprint:
            print(f"  certificate {server.fingerprint}")
    if not known:
        print("no server is known yet")


@servers_app.command("forget")
def forget(place: Annotated[str, typer.Argument(help="As pyrochat servers list shows it.")]) -> None:
    """Forget a server: the next one that is met in its place is remembered."""
    KnownServers(known_servers_file()).forget(place)
    print(f"{place} is forgotten")
