"""``python -m lab attacks``: what strangers and hostile members try, on a real server. Exit code 1: something worked."""

import random
import signal
import sys
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lab.attacks import clients, flooding, fuzzing, holding, running
from lab.attacks.wire import Attacked
from lab.processes import BenchError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)

Result = TypeVar("Result")


@app.command()
def run(only: Annotated[str, typer.Option(help="Only traps whose names contain this.")] = "") -> None:
    """Every trap, while ten members chat."""
    calm, results = _with_progress(lambda progress: running.run(only, progress))
    _exit(running.show(Console(), calm, results))


@app.command("clients")
def meet_clients(only: Annotated[str, typer.Option(help="Only traps whose names contain this.")] = "") -> None:
    """What hostile servers and name servers do to a client that comes; memory is measured."""
    _exit(_with_progress(lambda progress: clients.run(only, Console(), progress)))


@app.command()
def hold(
    silent: Annotated[int, typer.Option(min=0, help="TCP connections on which nothing is said.")] = 200,
    half_done: Annotated[int, typer.Option(min=0, help="TLS handshakes that stop in the middle.")] = 200,
) -> None:
    """Silent connections and half-done TLS handshakes, held open; somebody joins meanwhile."""
    _with_progress(lambda progress: holding.hold(silent, half_done, Console(), progress))


@app.command()
def fuzz(
    frames: Annotated[int, typer.Option(min=10, help="How many, half of them at a client.")] = 100_000,
    seed: Annotated[int | None, typer.Option(help="What the frames are drawn from; default: a new one.")] = None,
) -> None:
    """Mutated frames at a server and at a client's callback connection, and odd answers to a client."""
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    Console().print(f"seed {seed}", highlight=False)
    _with_progress(lambda progress: fuzzing.fuzz(seed, frames, Console(), progress))


@app.command()
def flood(
    seconds: Annotated[float, typer.Option(min=1, help="How long each flood lasts.")] = 8.0,
    only: Annotated[str, typer.Option(help="Only floods whose names contain this.")] = "",
) -> None:
    """Members who send, join, ask, forge and change their names as fast as they can; how the others fare."""
    _exit(_with_progress(lambda progress: flooding.flood(seconds, only, Console(), progress)))


def _with_progress(work: Callable[[Callable[[str], None]], Result]) -> Result:
    """Do *work*, showing what it is at; an attack that has worked ends the program."""
    signal.signal(signal.SIGTERM, _interrupt)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("starting", total=None)
        try:
            return work(lambda what: shown.update(task, description=what))
        except (Attacked, BenchError) as error:
            Console().print(f"[bold red]{error}[/]", highlight=False)
            raise typer.Exit(1) from None


def _exit(good: bool) -> None:
    raise typer.Exit(0 if good else 1)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    app(prog_name="python -m lab attacks")
