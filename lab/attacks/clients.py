"""What hostile servers, and whoever stands in their place, do to a client that comes; each to a process of its own."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from Pyro5 import protocol
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.attacks.hostile import Answer, HostileNameServer, HostileServer, Said, refused, said
from lab.attacks.wire import Stranger, call_frame, frame, packed
from lab.ports import free_port
from pyrochat.pyro.serializers import JSON, MSGPACK, SERPENT
from pyrochat.values.protocol import CALLBACK_OBJECT

_MIB = 1 << 20
_VICTIM_SECONDS = 90.0
_MOST_CHARACTERS = 800
_MOST_LINES = 30
_FAULT = "^ServerFault"
_JOINED = [1, "lobby", "victim", "victim joined", 1_700_000_000_000_000, "system", None, None, "joined", None, None]
_TIMES, _PAUSE_SECONDS = 5, 1.0  # so long the attack lasts: the victim listens meanwhile


@dataclass(frozen=True, slots=True)
class Trap:
    """What a server does. answers, deliver: see `HostileServer`. names: what the name server answers instead, by method.

    method: of its chat, that the victim calls. outcome: a pattern of what has to come of it. most_mib: how much the
    victim may grow. most_calls: how often it may call one method.
    """

    name: str
    answers: dict[str, Answer] = field(default_factory=dict)
    deliver: Callable[[Stranger], None] | None = None
    names: dict[str, Answer] | None = None
    method: str = ""
    outcome: str = _FAULT
    most_mib: float = 20.0
    most_calls: int = 10


@dataclass(frozen=True, slots=True)
class Met:
    """What came of a trap. grew: the most memory of the victim above what it began with, MiB. wrong: empty if all is well."""

    name: str
    outcome: str
    seconds: float
    grew: float
    wrong: str


def _maps(count: int) -> bytes:
    """A list of so many empty maps: a byte of each becomes a hundred in memory."""
    return b"\xdd" + count.to_bytes(4, "big") + b"\x80" * count


def _raw(payload: bytes, serializer: int = MSGPACK) -> Answer:
    return lambda arguments: Said(payload, serializer)


def delivering(payload: bytes, method: str = "deliver", times: int = _TIMES) -> Callable[[Stranger], None]:
    """Calls *method* of the callback with *payload*, a list of arguments in msgpack; others than `deliver` a few times."""

    def deliver(client: Stranger) -> None:
        client.ask(call_frame("welcome", "session", object_id=CALLBACK_OBJECT))
        if method != "deliver":
            client.ask(call_frame("deliver", [_JOINED], [], object_id=CALLBACK_OBJECT))
        for _ in range(1 if method == "deliver" else times):
            time.sleep(_PAUSE_SECONDS / times)
            client.send(
                frame(protocol.MSG_INVOKE, b"\x94" + packed(CALLBACK_OBJECT) + packed(method) + payload + b"\x80")
            )
            client.reply()

    return deliver


_ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e\n" * 100_000
_HUGE_SERPENT = b"[" + b"{}," * (2 * _MIB) + b"]"
_HUGE_JSON = b"[" + b"{}," * (10 * _MIB) + b"{}]"
_UNBELIEVED = "^(ServerFault|UntrustedServer|VersionMismatch)"

TRAPS = [
    # before any proof: whoever listens at the address
    Trap("rooms: 32 MiB of empty maps", {"rooms": _raw(_maps(32 * _MIB))}),
    Trap("rooms: 64,000 empty maps", {"rooms": _raw(_maps(64_000))}),
    Trap("rooms: a text of 60 MiB", {"rooms": said(["x" * (60 * _MIB)])}),
    Trap("rooms: maps without end in serpent", {"rooms": _raw(_HUGE_SERPENT, SERPENT)}),
    Trap("rooms: maps without end in json", {"rooms": _raw(_HUGE_JSON, JSON)}),
    Trap("rooms: 1,000 rooms with terminal escapes", {"rooms": said([f"\x1b[3{n}m" for n in range(1000)])},
         outcome=r"^RoomNotFound.*and 990 more$"),
    Trap("rooms: no list", {"rooms": said({"__class__": "builtins.SystemExit", "args": [1]})}),
    Trap("a greeting of 32 MiB of empty maps", {"greeting": _raw(_maps(32 * _MIB))}, outcome=_UNBELIEVED),
    Trap("a greeting that is nonsense", {"greeting": said({"handshake": {"version": [1] * 1000}})}, outcome=_UNBELIEVED),
    Trap("a refusal of 3 MB of terminal escapes", {"rooms": refused(_ESCAPES)}),
    Trap("a refusal in terminal escapes", {"rooms": refused(f"banned: {_ESCAPES[:5000]}")}, outcome="^Banned"),
    # by a server that has proved its key
    Trap("a delivery of 15 MiB of empty maps", deliver=delivering(b"\x92" + _maps(15 * _MIB) + b"\x90")),
    Trap("a delivery of 4 MiB of empty maps", deliver=delivering(b"\x92" + _maps(4 * _MIB - 100) + b"\x90")),
    Trap("marks: 60,000 empty maps", deliver=delivering(b"\x92\x90" + _maps(60_000))),
    Trap("a message from nowhere", deliver=delivering(packed([[[1, None, {}, 5, "x", [], 2**63]], []]))),
    Trap("a notice of 3 MB of terminal escapes", deliver=delivering(packed([_ESCAPES]), method="notice"),
         outcome="notice of 500 characters"),
    Trap("5,000 notices", deliver=delivering(packed(["look here"]), "notice", 5_000), outcome="notice of 9 characters"),
    Trap("a farewell that is nonsense", deliver=delivering(packed([[1, 2, {}]]), method="closing"), outcome="^joined"),
    Trap("an answer of 32 MiB of empty maps", {"suspected": _raw(_maps(32 * _MIB))}, method="suspected"),
    Trap("an answer of 60,000 empty maps", {"confirmations": _raw(_maps(60_000))}, method="suspected", outcome="answered"),
    Trap("a digest that is none", {"digest": said("zz")}, method="verify"),
    Trap("an answer to join that is none", {"join": said([1, 2, "three"])}),
    Trap("an error that nobody knows, for ever", {"suspected": refused("internal-error: the server could not do this")},
         method="suspected", most_calls=1),
    Trap("'the connection was lost', as an answer", {"suspected": refused("room-unreachable: the connection was lost")},
         method="suspected", most_calls=1),
    Trap("'you have left', as an answer", {"suspected": refused("chat-closed: the chat has been left")},
         method="suspected", most_calls=1),
    # by a name server
    Trap("names: 32 MiB of empty maps", names={"list": _raw(_maps(32 * _MIB))}, outcome="^Unavailable"),
    Trap("names: maps without end in serpent", names={"list": _raw(_HUGE_SERPENT, SERPENT)}, outcome="^Unavailable"),
    Trap("names: 3,000 rooms with terminal escapes",
         names={"list": said({f"pyrochat.\x1b[{n}m": f"PYRO:x@h:{n + 1}" for n in range(3000)}, SERPENT)},
         outcome=r"^RoomNotFound.*and 2,990 more$"),
    Trap("names: addresses that are none", names={"list": said({"pyrochat.lobby": ["PYRO"], "pyrochat.x": 5}, SERPENT)},
         outcome="^RoomUnreachable"),
    Trap("names: a host that can't be one", names={"list": said({"pyrochat.lobby": f"PYRO:x@a..{'b' * 70}:5"}, SERPENT)},
         outcome="^RoomUnreachable"),
    Trap("names: a refusal in terminal escapes", names={"list": refused(_ESCAPES[:9000], SERPENT)}, outcome="^Unavailable"),
]  # fmt: skip


@contextlib.contextmanager
def _set(trap: Trap, folder: Path) -> Iterator[tuple[str, dict[str, str], HostileServer]]:
    """Where the victim goes, with which environment; and who waits there."""
    environment = {
        "PYROCHAT_CONFIG_DIR": str(folder / "config"), "PYROCHAT_DATA": str(folder / "data"),
        "PYRO_NS_HOST": "localhost", "PYRO_NS_PORT": str(free_port()),
    }  # fmt: skip
    with HostileServer(folder / "rooms", trap.answers, trap.deliver) as server, contextlib.ExitStack() as stack:
        if trap.names is not None:
            stack.enter_context(HostileNameServer(int(environment["PYRO_NS_PORT"]), trap.names))
        yield ("-" if trap.names is not None else server.at), environment, server


def meet(trap: Trap) -> Met:
    """Let a client meet *trap*."""
    with (
        tempfile.TemporaryDirectory(prefix="pyrochat-attacks-") as folder,
        _set(trap, Path(folder)) as (at, own, server),
    ):
        command = [sys.executable, "-m", "lab.attacks.victim", at, trap.method]
        try:
            done = subprocess.run(
                command, env=os.environ | own, capture_output=True, text=True, timeout=_VICTIM_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return Met(trap.name, "", _VICTIM_SECONDS, 0.0, f"not over after {_VICTIM_SECONDS:g} s")
        calls = server.calls.count(trap.method)
    if done.returncode or not done.stdout:
        return Met(trap.name, done.stderr[-300:], 0.0, 0.0, "the client has crashed")
    report = json.loads(done.stdout)
    return Met(
        trap.name, report["outcome"], report["seconds"], report["grew"], _wrong(trap, report, done.stderr, calls)
    )


def _wrong(trap: Trap, report: dict[str, object], logged: str, calls: int) -> str:
    said, grew, characters = str(report["outcome"]), report["grew"], report["characters"]
    assert isinstance(grew, float)
    assert isinstance(characters, int)
    if not re.search(trap.outcome, said):
        return f"expected {trap.outcome!r}"
    if characters > _MOST_CHARACTERS or not _is_fit(said):
        return f"says {characters:,} characters, or some that no terminal should get"
    lines = logged.splitlines()
    if "Traceback" in logged or len(lines) > _MOST_LINES or not all(_is_fit(line) for line in lines):
        return f"has logged {len(lines):,} lines, as {logged[:200]!r}"
    if grew > trap.most_mib:
        return f"grew by {grew:.0f} MiB, {trap.most_mib:g} are the most"
    if calls > trap.most_calls:
        return f"called {calls} times"
    return ""


def _is_fit(line: str) -> bool:
    """Whether it may be printed on any terminal."""
    return len(line) <= _MOST_CHARACTERS and line.isprintable()


def run(only: str, console: Console, progress: Callable[[str], None]) -> bool:
    """All traps whose names contain *only*, as a table; whether all is well."""
    table = Table(title="what servers do to clients", title_justify="left")
    for heading, justify in (("trap", "left"), ("what came of it", "left"), ("s", "right"), ("MiB", "right")):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    failed = 0
    for trap in TRAPS:
        if only not in trap.name:
            continue
        progress(trap.name)
        met = meet(trap)
        failed += bool(met.wrong)
        shown = escape(met.outcome[:160])
        shown = f"[bold red]{shown} – {escape(met.wrong)}[/]" if met.wrong else shown
        table.add_row(escape(met.name), shown, f"{met.seconds:.2f}", f"{met.grew:.1f}")
    console.print(table)
    console.print(f"{len(table.rows) - failed} withstood, {failed} not")
    return not failed
