"""The registry's log where several servers have the same: entries come from their order, and each file has what they come to."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pyrochat.core.integrity import DIFFERS
from pyrochat.core.log import Standing, counted
from pyrochat.core.registry import RegistryCommand, apply, command_from_wire
from pyrochat.storage.registry_file import RegistryFile, Tables, write_entry
from pyrochat.values.errors import LogLost, PyroChatError


class SharedEntry(Protocol):
    """An entry (`core.commands`) of the log of a registry that several servers have."""

    number: int
    time_us: int
    commands: tuple[RegistryCommand, ...]
    source: tuple[str, int] | None


class RegistryLog:
    """The log of the registry in *file*, which others have too. Raises LogUnavailable where the file fails."""

    def __init__(self, file: RegistryFile) -> None:
        self._file = file

    @property
    def standing(self) -> Standing | None:
        """Where it stands in the order; None where nobody else has it."""
        return self._file.standing

    @property
    def identity(self) -> str:
        """Of the log; empty where nobody else has it."""
        return self._file.identity or ""

    def apply(self, entries: Sequence[SharedEntry]) -> list[list[Any]]:
        """*entries* are next; returns for each what came of its commands: an empty list, or why nothing has changed."""
        outcomes: list[list[Any]] = []
        standing = self._file.standing or Standing()
        with self._file.writing() as db:
            for entry in entries:
                sources = entry.source and counted(standing.sources, entry.source)
                if entry.number <= standing.entry or not sources:
                    outcomes.append([None] * len(entry.commands))
                else:
                    outcomes.append([self._outcome(db, command, entry.time_us) for command in entry.commands])
                standing = Standing(max(entry.number, standing.entry), 1, sources or standing.sources)
            _note(db, self._file.identity or "", standing)
        self._file.standing = standing
        return outcomes

    def _outcome(self, db: sqlite3.Connection, command: RegistryCommand, time_us: int) -> list[object] | PyroChatError:
        try:
            changes = apply(Tables(db), command, time_us)
        except PyroChatError as error:
            return error
        if changes:
            write_entry(db, command, changes, time_us)
        return []

    def adopt(self, number: int, identity: str, about: Mapping[str, Any]) -> None:
        """Entry *number*: the log *identity* begins, or goes on from a copy of its entries. Raises LogLost where the one here is another."""
        with self._file.writing() as db:
            count = db.execute("SELECT count(*) FROM entries").fetchone()[0]
            if count and (self._file.identity not in (None, identity) or (self._file.identity is None and not about)):
                raise LogLost(
                    "the register of names here is another one than the cluster's: move names.sqlite3 away, or take it into a "
                    "new cluster (pyrochat-server --import)"
                )
            if about and count > about["count"]:
                raise LogLost(
                    f"{DIFFERS}: they go on from entry {about['count']} of the register of names, here are {count}"
                )
            standing = Standing(number, 1, about["sources"] if about else {}, bool(about))
            _note(db, identity, standing)
        self._file.identity, self._file.standing = identity, standing

    def paste(self, number: int, kind: str, rows: Sequence[Any]) -> None:
        """Entry *number*: entries of the copy, ``[number, time_us, command]``; those that are here already are passed over."""
        with self._file.writing() as db:
            count = db.execute("SELECT count(*) FROM entries").fetchone()[0]
            for entry, time_us, wire in rows:
                if entry > count:
                    command = command_from_wire(wire)
                    write_entry(db, command, apply(Tables(db), command, time_us), time_us)
            standing = Standing(number, 1, self._file.standing.sources if self._file.standing else {}, kind != "end")
            _note(db, self._file.identity or "", standing)
        self._file.standing = standing

    def copy(self) -> tuple[dict[str, Any], list[list[Any]]]:
        """What `adopt` and `paste` take: all entries, and what is said of them."""
        with self._file.querying() as reader:
            rows = reader.execute("SELECT time_us, command FROM entries ORDER BY number").fetchall()
        sources = dict(self._file.standing.sources) if self._file.standing else {}
        entries = [[number, time_us, json.loads(wire)] for number, (time_us, wire) in enumerate(rows, 1)]
        return {"count": len(rows), "sources": sources}, entries

    def share(self, identity: str) -> None:
        """From now on others have the same, which begins as *identity*."""
        with self._file.writing() as db:
            _note(db, identity, Standing())
        self._file.identity, self._file.standing = identity, Standing()

    def forget(self) -> None:
        """It is the one of nobody any more, and there is nothing in it."""
        with self._file.writing() as db:
            for table in ("entries", "names", "rooms", "about"):
                db.execute(f"DELETE FROM {table}")
        self._file.identity = self._file.standing = None
        self._file.touched = True

    def make_own(self) -> None:
        """From now on nobody else has the same."""
        with self._file.writing() as db:
            db.execute("DELETE FROM about")
        self._file.identity = self._file.standing = None


def _note(db: sqlite3.Connection, identity: str, standing: Standing) -> None:
    wire = json.dumps([standing.entry, standing.version, dict(standing.sources), standing.copying])
    db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", [("identity", identity), ("standing", wire)])
