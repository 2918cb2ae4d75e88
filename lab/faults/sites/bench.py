"""The bench: sites and senders are started, hurt as planned, healed, and asked what they have."""

import contextlib
import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from lab.faults.machines.network import Loopback, Namespaces, Network
from lab.faults.sites.plan import Deaf, Fault, Kill, Split, Step, Stop, parted, plan
from lab.faults.sites.sender import Sent
from lab.faults.sites.site import ROOM
from lab.faults.sites.verdict import Episode
from lab.processes import BenchError, Process, eventually
from pyrochat.hosting import LAMPORT

_READY_SECONDS = 60.0
_ONE_SECONDS = 60.0  # until all are one again, or the bench gives up
_LOOK_SECONDS = 0.02


class Settings(NamedTuple):
    """order: "causal" or "lamport". every: seconds between the texts of one sender. in_namespaces: else on loopback, where nobody is cut off."""

    order: str
    seed: int
    faults: int = 200
    sites: int = 5
    senders: int = 8
    every: float = 0.2
    in_namespaces: bool = True


class Result(NamedTuple):
    """logs: of each site, its texts. tips: of each, its last id and digest. sent: by whom, at which site. shown: at each site, which
    text when. away: which site was stopped or gone, from, until."""

    episodes: list[Episode]
    logs: list[list[str]]
    tips: list[tuple[int, str]]
    sent: list[tuple[int, Sent]]
    shown: list[dict[str, float]]
    away: list[tuple[int, float, float]]


class _Notes:
    """What the senders of a site have noted so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.sent: list[Sent] = []
        self.shown: dict[str, float] = {}
        self.newest = 0.0  # when the last text was acknowledged

    def look(self) -> None:
        """Read what is new."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._read += len(line)
                fields = json.loads(line)
                if len(fields) == len(Sent._fields):
                    self.sent.append(sent := Sent(*fields))
                    self.newest = sent.ended if sent.fate == "ok" else self.newest
                else:
                    self.shown.setdefault(*fields)


class Bench:
    """A context manager: at its end all processes are gone, and the folder, unless it is kept. Raises BenchError, as its methods do."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.network: Network = (Namespaces if settings.in_namespaces else Loopback)(settings.sites)
        self.folder = Path(tempfile.mkdtemp(prefix="pyrochat-sites-"))
        self._is_kept = False
        self._sites: list[Process | None] = [None] * settings.sites
        self._senders: list[Process] = []
        self._notes = [_Notes(self.folder / f"notes{number}.jsonl") for number in range(settings.sites)]
        self._stopped: set[int] = set()
        self._gone_at: dict[int, float] = {}
        self.away: list[tuple[int, float, float]] = []
        self._tips: list[tuple[int, str]] = []  # as they were looked at last

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self._senders, *self._sites):
            if process is not None:
                process.kill()
        self.network.close()
        if not self._is_kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self) -> Path:
        """The folder stays."""
        self._is_kept = True
        return self.folder

    def run(self, progress: Callable[[int, str], None]) -> Result:
        """All of it. progress: called with the number of faults so far, and what happens."""
        settings = self.settings
        for number in range(settings.sites):  # the first one founds the room
            self._start(number)
            self._wait_ready(number)
        self._start_senders()
        eventually(self._are_all_heard(time.monotonic()), _ONE_SECONDS, "the senders of all sites send")
        episodes, count = [], 0
        for steps in plan(settings.seed, settings.faults, settings.sites, settings.in_namespaces):
            count += len(steps)
            progress(count, _described(steps))
            episodes.append(self._play(steps))
        progress(count, "everybody is to have everything")
        return self._finish(episodes)

    def _play(self, steps: list[Step]) -> Episode:
        begun = last = time.monotonic()
        for step in steps:
            last = time.monotonic()
            self._do(step.fault)
            time.sleep(step.seconds)
        until = time.monotonic()
        healed = self._heal()
        what = _described(steps)
        eventually(self._are_all_heard(healed), _ONE_SECONDS, f"all sites are one again after: {what}")
        has_quorum, alone = parted(steps, self.settings.sites)
        kinds = tuple(type(step.fault).__name__.lower() for step in steps)
        return Episode(what, kinds, begun, last, until, healed, time.monotonic(), has_quorum, alone)

    def _do(self, fault: Fault) -> None:
        match fault:
            case Kill(site):
                self._leaves(site)
                self._process(site).kill()
            case Stop(site):
                self._leaves(site)
                self._stopped.add(site)
                self._process(site).stop()
            case Split(part):
                others = [other for other in range(self.settings.sites) if other not in part]
                for site in part:
                    self.network.cut(site, others)
            case Deaf(site, others):
                self.network.cut(site, others, sends=True)

    def _heal(self) -> float:
        """Nothing stands in anybody's way any more; when that was."""
        self.network.heal()
        for site in self._stopped:
            self._process(site).resume()
        gone = [number for number in self._gone_at if number not in self._stopped]
        for number in gone:
            self._start(number)
        for number in gone:
            self._wait_ready(number)
        healed = time.monotonic()
        self.away += [(site, since, healed) for site, since in self._gone_at.items()]
        self._gone_at.clear()
        self._stopped.clear()
        return healed

    def _leaves(self, site: int) -> None:
        self._gone_at.setdefault(site, time.monotonic())
        self._stopped.discard(site)

    def _are_all_heard(self, since: float) -> Callable[[], bool]:
        """Whether each site has shown what was said at each of the others after *since*."""

        def look() -> bool:
            time.sleep(_LOOK_SECONDS)
            for notes in self._notes:
                notes.look()
            for notes in self._notes:
                text = next(
                    (sent.text for sent in reversed(notes.sent) if sent.fate == "ok" and sent.ended > since), None
                )
                first = next(
                    (sent.text for sent in notes.sent[-200:] if sent.fate == "ok" and sent.ended > since), text
                )
                if first is None or not all(first in other.shown for other in self._notes):
                    return False
            return True

        return look

    # -- processes ------------------------------------------------------------------------------------------

    def _process(self, number: int) -> Process:
        process = self._sites[number]
        assert process is not None
        return process

    def _at(self, number: int) -> str:
        return f"{self.network.hosts[number]}:{self.network.port}"

    def _start(self, number: int) -> None:
        others = [self._at(other) for other in range(self.settings.sites) if other != number]
        self._sites[number] = Process(
            [
                *self.network.before(number), sys.executable, "-m", "lab.faults.sites.site", self.settings.order, f"site{number}",
                self.network.hosts[number], str(self.network.port), str(self.folder / f"site{number}"), *others,
            ],
            self._environment(number), self.folder / f"site{number}.log",
        )  # fmt: skip

    def _wait_ready(self, number: int) -> None:
        self._process(number).wait_for_line("ready", _READY_SECONDS)

    def _start_senders(self) -> None:
        for number, notes in enumerate(self._notes):
            names = [
                f"s{sender}"
                for sender in range(number, max(self.settings.senders, self.settings.sites), self.settings.sites)
            ]
            command = [
                sys.executable,
                "-m",
                "lab.faults.sites.sender",
                str(notes._path),
                self._at(number),
                str(self.settings.every),
            ]
            self._senders.append(
                Process(
                    [*self.network.before(number), *command, *names], self._environment(number), self.folder / f"senders{number}.log"
                )
            )  # fmt: skip

    def _environment(self, number: int) -> dict[str, str]:
        return {
            "PYROCHAT_CONFIG_DIR": str(self.folder / f"config{number}"), "PYROCHAT_DATA": str(self.folder / f"data{number}"),
        }  # fmt: skip

    def _finish(self, episodes: list[Episode]) -> Result:
        for sender in self._senders:
            sender.tell("end")
        for sender in self._senders:
            sender.wait_for_line("done", _ONE_SECONDS)
        with contextlib.suppress(BenchError):  # the checker says what is wrong
            eventually(self._are_equal, _ONE_SECONDS, "all logs are equal")
        for number in range(self.settings.sites):
            self._process(number).end()
        for notes in self._notes:
            notes.look()
        logs = [_texts(self._log(number)) for number in range(self.settings.sites)]
        sent = [(number, sent) for number, notes in enumerate(self._notes) for sent in notes.sent]
        return Result(episodes, logs, self._tips, sent, [notes.shown for notes in self._notes], self.away)

    def _log(self, number: int) -> Path:
        return self.folder / f"site{number}" / "rooms" / f"{ROOM}.sqlite3"

    def _are_equal(self) -> bool:
        time.sleep(_LOOK_SECONDS * 10)
        logs = [self._log(number) for number in range(self.settings.sites)]
        self._tips = [_tip(log) for log in logs]  # while all are there: of who ends first the others say more
        if self.settings.order == LAMPORT and len(set(self._tips)) > 1:
            return False
        return len({frozenset(_texts(log)) for log in logs}) == 1


def _described(steps: Sequence[Step]) -> str:
    return ", ".join(f"{type(step.fault).__name__.lower()} {' '.join(map(str, step.fault))}" for step in steps)


def _texts(log: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(f"{log.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
        return [text for (text,) in db.execute("SELECT text FROM messages WHERE kind = 'chat' ORDER BY id")]


def _tip(log: Path) -> tuple[int, str]:
    with contextlib.closing(sqlite3.connect(f"{log.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
        row = db.execute("SELECT id, hex(digest) FROM messages ORDER BY id DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else (0, "")
