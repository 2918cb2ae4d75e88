"""``python -m lab.faults``: faults on real processes, and a checker that can tell. Exit code 1: something is wrong."""

import random
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lab.faults.bench import QUICK, ROOMS, Settings
from lab.faults.bench import run as run_bench
from lab.faults.checker import CHECKS
from lab.faults.cluster import Cluster
from lab.faults.report import Report
from lab.faults.scenarios import full, kills, naming, silence
from lab.processes import BenchError
from pyrochat import Timing

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)

Seed = Annotated[int | None, typer.Option(help="What the faults are drawn from; default: a new one, which is printed.")]
Quick = Annotated[bool, typer.Option("--quick", help="A short form, with quicker failure detection.")]
Scenario = Callable[[Cluster, Callable[[str], None]], Report]


@app.command()
def run(
    seconds: Annotated[float, typer.Option(min=1, help="How long faults are injected.")] = 120.0,
    seed: Seed = None,
    senders: Annotated[int, typer.Option(min=4, help="Clients that send all the time.")] = 8,
    rate: Annotated[float, typer.Option(min=0.1, help="Messages a second of each sender.")] = 10.0,
) -> None:
    """Random faults under load, from a seed; then the checker."""
    seed = _seed(seed)
    settings = Settings(seconds, seed, senders, rate)
    replay = f"python -m lab.faults run --seconds {seconds:g} --seed {seed} --senders {senders} --rate {rate:g}"
    _show(lambda cluster, progress: run_bench(cluster, settings, progress), replay, ROOMS, QUICK, seed)


@app.command()
def kill(
    count: Annotated[int, typer.Option(min=1, help="How often the server is killed.")] = 50,
    seed: Seed = None,
    senders: Annotated[int, typer.Option(min=1, help="Clients that send all the time.")] = 8,
    rate: Annotated[float, typer.Option(min=0.1, help="Messages a second of each sender.")] = 50.0,
    quick: Quick = False,
) -> None:
    """kill -9 of the server under load, again and again."""
    seed = _seed(seed)
    count = 3 if quick else count
    replay = f"python -m lab.faults kill --count {count} --seed {seed} --senders {senders} --rate {rate:g}"
    _show(lambda cluster, progress: kills.run(cluster, progress, seed, count, senders, rate), replay, seed=seed)


@app.command()
def stopped(
    seconds: Annotated[float, typer.Option(min=1, help="How long the member is stopped.")] = 30.0,
    members: Annotated[int, typer.Option(min=3)] = 20,
    rate: Annotated[float, typer.Option(min=1, help="Messages a second in all.")] = 100.0,
    quick: Quick = False,
) -> None:
    """One member of many is stopped (SIGSTOP): what do the others feel, and does it heal?"""
    plan = silence.Plan(seconds, members, rate) if not quick else silence.Plan(6.0, 6, rate)
    replay = f"python -m lab.faults stopped --seconds {plan.seconds:g} --members {plan.members} --rate {rate:g}"
    _show(lambda cluster, progress: silence.stopped(cluster, progress, plan), replay, timing=_timing(quick))


@app.command()
def blackhole(
    seconds: Annotated[float, typer.Option(min=1, help="How long, for each direction.")] = 30.0,
    members: Annotated[int, typer.Option(min=3)] = 20,
    rate: Annotated[float, typer.Option(min=1, help="Messages a second in all.")] = 100.0,
    quick: Quick = False,
) -> None:
    """One member's packets vanish, in each direction and in both."""
    plan = silence.Plan(seconds, members, rate) if not quick else silence.Plan(6.0, 6, rate)
    replay = f"python -m lab.faults blackhole --seconds {plan.seconds:g} --members {plan.members} --rate {rate:g}"
    _show(lambda cluster, progress: silence.blackhole(cluster, progress, plan), replay, timing=_timing(quick))


@app.command()
def nameserver(quick: Quick = False) -> None:
    """The name server is killed, and started empty."""
    rounds = 1 if quick else 5
    _show(lambda cluster, progress: naming.run(cluster, progress, rounds), "python -m lab.faults nameserver")


@app.command()
def fullfile(quick: Quick = False) -> None:
    """No file of the server may grow any more, while clients post."""
    rounds = 1 if quick else 5
    _show(lambda cluster, progress: full.run(cluster, progress, rounds), "python -m lab.faults fullfile")


@app.command()
def anomalies() -> None:
    """What the checker looks for."""
    console = Console(soft_wrap=True)
    for check in CHECKS:
        console.print(f"{check.kind}: {check.rule}", highlight=False)


def _seed(seed: int | None) -> int:
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    Console().print(f"seed {seed}", highlight=False)
    return seed


def _timing(quick: bool) -> Timing:
    return QUICK if quick else Timing()


def _show(
    scenario: Scenario, replay: str, rooms: Sequence[str] = ("lobby",), timing: Timing | None = None, seed: int = 0
) -> None:
    """Play *scenario* on a cluster of its own, show its report, and exit."""
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    shown = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with shown, Cluster(rooms, timing, seed) as cluster:
        task = shown.add_task("starting", total=None)
        try:
            report = scenario(cluster, lambda what: shown.update(task, description=what))
        except BenchError as error:
            report = Report("not finished", troubles=[str(error)])
            cluster.end_processes()
            report.check(cluster.history())
        kept = None if report.is_good else cluster.keep()
    report.show(console, replay, kept)
    raise typer.Exit(0 if report.is_good else 1)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    app()
