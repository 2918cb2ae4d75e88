"""``pyrochat-server names``: which name belongs to which key; freeing and banning names."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from pyrochat.commands.tables import print_table
from pyrochat.core.registry import RegistryCommand, command_to_wire
from pyrochat.folders import data_folder
from pyrochat.room.door.registry import Registry
from pyrochat.room.operating import ask_server
from pyrochat.trust.keys import shown
from pyrochat.values.errors import CannotHost
from pyrochat.values.times import moment

app = typer.Typer(
    rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True,
    context_settings={"auto_envvar_prefix": "PYROCHAT", "help_option_names": ["-h", "--help"]},
    help="Which name belongs to which key, for all rooms of a server; works while the server runs.",
)  # fmt: skip

DataOption = Annotated[
    Path | None, typer.Option(envvar="PYROCHAT_DATA", help="The server's data folder; default: your data folder.")
]
_PATIENCE_SECONDS = 5.0  # with a server that writes

NameArgument = Annotated[str, typer.Argument(help="The name.")]


@contextlib.contextmanager
def opened_registry(data: Path | None) -> Iterator[Registry]:
    """The registry in *data*, or in the user's data folder, for a command that does one thing with it."""
    logging.getLogger("pyrochat").addHandler(logging.NullHandler())  # what fails is told in one line: by the error
    folder = data_folder() if data is None else data
    with contextlib.closing(Registry(folder, busy_seconds=_PATIENCE_SECONDS)) as registry:
        if registry.file.standing is not None:
            registry.file.decide = lambda command: _ask(folder, command)
        yield registry


def _ask(folder: Path, command: RegistryCommand) -> None:
    """The register is a cluster's: its server decides nothing alone."""
    if ask_server(folder, "register", command=command_to_wire(command)) is None:
        raise CannotHost(f"the register of names is a cluster's: start the server on {folder} first")


@app.command("list")
def list_names(data: DataOption = None) -> None:
    """List all names, with their keys."""
    with opened_registry(data) as registry:
        entries = registry.entries()
    if not entries:
        print("no name belongs to a key yet")
        return
    rows = []
    for entry in entries:
        since = f"{moment(entry.since_us).astimezone():%Y-%m-%d %H:%M}"
        key = shown(entry.key) if entry.key else "-"
        state = "banned" if entry.banned else "refused: another name is the same" if entry.rival else ""
        rows.append((entry.name, key, since, state))
    print_table(("name", "key", "since", ""), rows)


@app.command("remove")
def remove(name: NameArgument, data: DataOption = None) -> None:
    """Free a name, because its key was lost: it belongs to the next key that uses it."""
    with opened_registry(data) as registry:
        registry.remove(name)
    print(f"{name} is free: it belongs to the next key that uses it")


@app.command("ban")
def ban(name: NameArgument, data: DataOption = None) -> None:
    """Ban a name, and the key that it belongs to; whoever is in the room under it is shown out."""
    with opened_registry(data) as registry:
        registry.ban(name)
    print(f"{name} is banned, and its key under any name")


@app.command("unban")
def unban(name: NameArgument, data: DataOption = None) -> None:
    """Take a ban back."""
    with opened_registry(data) as registry:
        registry.unban(name)
    print(f"{name} is no longer banned")
