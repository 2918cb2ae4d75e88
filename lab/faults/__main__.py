"""``python -m lab faults``: faults on real processes, and a checker that can tell. Exit code 1: something is wrong."""

import random
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lab.faults.bench import QUICK, ROOMS
from lab.faults.bench import Settings as BenchSettings
from lab.faults.bench import run as run_bench
from lab.faults.checker import CHECKS
from lab.faults.cluster import Cluster
from lab.faults.report import Report
from lab.faults.scenarios import full, kills, naming, silence
from lab.faults.sites.bench import Bench as SitesBench
from lab.faults.sites.bench import Settings
from lab.faults.sites.report import reported
from lab.processes import BenchError
from pyrochat import Timing
from pyrochat.hosting import CAUSAL, LAMPORT

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
    settings = BenchSettings(seconds, seed, senders, rate)
    replay = f"python -m lab faults run --seconds {seconds:g} --seed {seed} --senders {senders} --rate {rate:g}"
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
    replay = f"python -m lab faults kill --count {count} --seed {seed} --senders {senders} --rate {rate:g}"
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
    replay = f"python -m lab faults stopped --seconds {plan.seconds:g} --members {plan.members} --rate {rate:g}"
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
    replay = f"python -m lab faults blackhole --seconds {plan.seconds:g} --members {plan.members} --rate {rate:g}"
    _show(lambda cluster, progress: silence.blackhole(cluster, progress, plan), replay, timing=_timing(quick))


@app.command()
def nameserver(quick: Quick = False) -> None:
    """The name server is killed, and started empty."""
    rounds = 1 if quick else 5
    _show(lambda cluster, progress: naming.run(cluster, progress, rounds), "python -m lab faults nameserver")


@app.command()
def fullfile(quick: Quick = False) -> None:
    """No file of the server may grow any more, while clients post."""
    rounds = 1 if quick else 5
    _show(lambda cluster, progress: full.run(cluster, progress, rounds), "python -m lab faults fullfile")


@app.command()
def cluster(
    faults: Annotated[list[str] | None, typer.Argument(help="Which faults; default: all.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each happens.")] = 3,
    seed: Seed = None,
    quick: Annotated[bool, typer.Option("--quick", help="On loopback: needs no root, and can cut nobody off.")] = False,
    names: Annotated[bool, typer.Option("--list", help="Say which faults there are.")] = False,
) -> None:
    """Three machines, each with a room server and a broker, in network namespaces: what happens when they fail?"""
    from lab.faults.machines.bench import play  # needs the extra `cluster`
    from lab.faults.machines.faults import FAULTS
    from lab.faults.machines.verdict import show

    console = Console(width=None if sys.stdout.isatty() else 180)
    if names:
        for fault in FAULTS:
            needs = ", needs root" if fault.in_namespaces else ""
            console.print(f"{fault.name}: {fault.what} (at most {fault.bound:g} s{needs})", highlight=False)
        return
    known = {fault.name: fault for fault in FAULTS}
    if unknown := [name for name in faults or [] if name not in known]:
        console.print(f"there is no fault {unknown[0]!r}: see --list")
        raise typer.Exit(2)
    if impossible := [name for name in faults or [] if quick and known[name].in_namespaces]:
        console.print(f"{impossible[0]!r} needs machines in network namespaces: leave out --quick, and be root")
        raise typer.Exit(2)
    signal.signal(signal.SIGTERM, _interrupt)
    seed = _seed(seed)
    wanted = [known[name] for name in faults or known if not (quick and known[name].in_namespaces)]
    verdicts = []
    try:
        for fault in wanted:
            for number in range(1, rounds + 1):
                verdict = play(fault, number, seed, lambda what: print(what, file=sys.stderr), quick)
                verdicts.append(verdict)
                how = "good" if verdict.is_good else f"NOT GOOD, {'; '.join([*verdict.problems, *verdict.notes])}"
                print(f"{fault.name} {number}: gap {verdict.gap:.2f} s: {how}", file=sys.stderr)
    except BenchError as error:
        console.print(str(error), highlight=False)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        console.print("interrupted")
    if verdicts:
        show(verdicts, console)
    if len(verdicts) < rounds * len(wanted) or not all(verdict.is_good for verdict in verdicts):
        replay = [fault.name for fault in wanted] + ["--quick"] * quick
        console.print(
            f"to have it again: python -m lab faults cluster {' '.join(replay)} --rounds {rounds} --seed {seed}",
            soft_wrap=True,
        )
        raise typer.Exit(1)


@app.command()
def sites(
    order: Annotated[str, typer.Argument(help="causal or lamport.")],
    faults: Annotated[int, typer.Option(min=1, help="So many in all.")] = 200,
    seed: Seed = None,
    senders: Annotated[int, typer.Option(min=5, help="Clients that send all the time.")] = 8,
    every: Annotated[float, typer.Option(min=0.01, help="Seconds between the texts of each.")] = 0.2,
    quick: Annotated[
        bool, typer.Option("--quick", help="Three sites on loopback: needs no root, and can cut nobody off.")
    ] = False,
) -> None:
    """A room without a server: five sites, each in a network namespace, are killed, stopped, split and half deaf."""
    console = Console()
    signal.signal(signal.SIGTERM, _interrupt)
    if order not in (CAUSAL, LAMPORT):
        console.print(f"there is no order {order!r} without a server: causal, lamport")
        raise typer.Exit(2)
    seed = _seed(seed)
    settings = Settings(order, seed, faults, 3 if quick else 5, senders, every, not quick)
    replay = f"python -m lab faults sites {order} --faults {faults} --seed {seed} --senders {senders} --every {every:g}{' --quick' * quick}"
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("starting", total=faults)
        try:
            with SitesBench(settings) as bench:
                try:
                    report = reported(
                        settings, bench.run(lambda done, what: shown.update(task, completed=done, description=what))
                    )
                except BenchError as error:
                    report = Report("not finished", troubles=[str(error)])
                kept = None if report.is_good else bench.keep()
        except BenchError as error:
            console.print(str(error), highlight=False)
            raise typer.Exit(2) from None
    report.show(console, replay, kept)
    raise typer.Exit(0 if report.is_good else 1)


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
    app(prog_name="python -m lab faults")
