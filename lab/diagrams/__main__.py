"""``python -m lab diagrams``: draws docs/diagrams anew, from runs that it makes now."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from lab.diagrams.drawing import draw
from lab.diagrams.trace import LocalRun, Run

SITES = ("ana", "igor", "zoe")
_AFTER_SECONDS = 0.05
_LATE_SECONDS = 10.5  # see `Message.is_late`
_FOLDER = Path("docs/diagrams")


def _drawn(title: str, sites: Sequence[str], run: Run | LocalRun, begun: float) -> str:
    """What has happened in *run* since *begun*."""
    return draw(title, sites, run.trace, begun, time.monotonic())


def local() -> str:
    """One server says what comes next."""
    with LocalRun(SITES[:2]) as run:
        begun = run.rest()
        run.say("ana", "hello")
        run.say("igor", "hi")
        run.wait_until_shown("hello", SITES[:2])
        run.wait_until_shown("hi", SITES[:2])
        run.connect()
        return _drawn("local: one server says what comes next", ("ana", "server", "igor"), run, begun)


def lamport() -> str:
    """A text gets its number."""
    with Run("lamport", SITES) as run:
        begun = run.rest()
        run.say("igor", "hello")
        run.wait_until_shown("hello", SITES)
        time.sleep(_AFTER_SECONDS)
        return _drawn(
            "lamport: a text gets its number when a quorum says that nothing can come before it", SITES, run, begun
        )


def silence() -> str:
    """One site is silent, until it is suspected."""
    with Run("lamport", SITES) as run:
        begun = run.rest()
        run.cut(["zoe"])
        run.say("igor", "hello")
        run.wait_until_shown("hello", SITES[:2])
        time.sleep(_AFTER_SECONDS)
        run.heal()
        run.wait_until_shown("hello", SITES)
        return _drawn(
            "lamport: zoe is silent; the others agree to go on without her, and let her in again", SITES, run, begun
        )


def causal() -> str:
    """A split, in which both parts go on."""
    with Run("causal", SITES) as run:
        begun = run.rest()
        run.say("ana", "before").join()
        run.wait_until_shown("before", SITES)
        run.cut(["zoe"])
        run.say("igor", "left").join()
        time.sleep(_LATE_SECONDS)
        run.say("zoe", "right").join()
        run.wait_until_shown("left", SITES[:2])
        run.wait_until_shown("right", SITES[2:])
        run.heal()
        run.wait_until_shown("left", SITES)
        run.wait_until_shown("right", SITES)
        time.sleep(_AFTER_SECONDS)
        return _drawn("causal: both parts go on; what was said elsewhere meanwhile is appended", SITES, run, begun)


DIAGRAMS: dict[str, Callable[[], str]] = {
    "local": local,
    "lamport": lamport,
    "lamport-silence": silence,
    "causal-split": causal,
}


def main(folder: Annotated[Path, typer.Option(help="Where they go.")] = _FOLDER) -> None:
    """Draw all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, diagram in DIAGRAMS.items():
        (folder / f"{name}.svg").write_text(diagram())
        print(folder / f"{name}.svg")


if __name__ == "__main__":
    typer.run(main)
