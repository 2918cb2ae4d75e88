"""``python -m lab.simulate``: many runs of a room without a server, from a seed. Exit code 1: something is wrong."""

import os
import random
import sys
from collections.abc import Callable, Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lab.simulate import causal as causal_room
from lab.simulate import lamport as lamport_room
from lab.simulate.costs import BOUNDS, RATE, SITES, costs
from lab.simulate.running import run_many
from lab.simulate.simulation import Simulation
from lab.simulate.variants import CAUSAL, LAMPORT, Variant
from lab.simulate.wire_costs import KINDS, wire_costs

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)

Runs = Annotated[int, typer.Option(min=1, help="How many runs.")]
Seed = Annotated[int | None, typer.Option(help="Of the first run; default: a new one, which is printed.")]
Chosen = Annotated[str | None, typer.Option("--variant", help="A broken rule instead of the right one; see anomalies.")]


@app.command()
def causal(runs: Runs = 200, seed: Seed = None, variant: Chosen = None) -> None:
    """Causally ordered rooms, half of them with a liar."""
    _run("causal", causal_room.CausalRun, CAUSAL, runs, seed, variant)


@app.command()
def lamport(runs: Runs = 200, seed: Seed = None, variant: Chosen = None) -> None:
    """Totally ordered rooms, whose members come, go, crash and lose their disks."""
    _run("lamport", lamport_room.LamportRun, LAMPORT, runs, seed, variant)


@app.command("costs")
def show_costs(
    seed: Annotated[int, typer.Option(help="Of the delays, and who speaks.")] = 1,
    real: Annotated[bool, typer.Option("--real", help="Real sites, linked over Pyro5 on loopback.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, help="Texts a second, with --real. The bounds are for 100.")] = RATE,
    seconds: Annotated[float, typer.Option(min=1, help="So long they come, with --real.")] = 5.0,
) -> None:
    """Messages between sites for each text, at 100 texts a second."""
    if real:
        raise typer.Exit(0 if _show_wire_costs(rate, seconds) else 1)
    table = Table("order", "sites", "messages a text", "of N - 1", "bound", "own, ms", "all, ms")
    is_within = True
    for order in BOUNDS:
        for sites in SITES:
            cost = costs(order, sites, seed=seed)
            is_within &= cost.is_within
            times = cost.messages / (sites - 1)
            figures = (
                f"{cost.messages:.1f}",
                f"{times:.2f}",
                f"{BOUNDS[order]:g}",
                f"{cost.own_ms:.1f}",
                f"{cost.all_ms:.1f}",
            )
            table.add_row(order, str(sites), *figures)
    Console().print(table)
    raise typer.Exit(0 if is_within else 1)


def _show_wire_costs(rate: float, seconds: float) -> bool:
    console, is_within = Console(), True
    console.print(f"load before: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores", highlight=False)
    heads = ("order", "sites", "texts/s", *(f"{kind}, a text" for kind in KINDS))
    table = Table(
        *heads, "calls, of N - 1", "messages, of N - 1", "bound", "idle calls/s", "p50, ms", "p99, ms", "load"
    )
    for order in BOUNDS:
        for sites in SITES:
            cost = wire_costs(order, sites, int(rate * seconds), rate)
            is_within &= cost.is_within or rate < RATE
            table.add_row(
                order, str(sites), f"{cost.rate:.0f}", *(f"{cost.calls[kind]:.2f}" for kind in KINDS), f"{cost.times:.2f}",
                f"{cost.messages / (sites - 1):.2f}", f"{BOUNDS[order]:g}", f"{sum(cost.idle.values()):.0f}", f"{cost.p50_ms:.0f}",
                f"{cost.p99_ms:.0f}", f"{os.getloadavg()[0]:.1f}",
            )  # fmt: skip
    console.print(table)
    return is_within


@app.command()
def anomalies() -> None:
    """What the checkers look for, and the broken variants that they have to find."""
    console = Console(soft_wrap=True)
    rooms = (("causal", causal_room.ANOMALIES, CAUSAL), ("lamport", lamport_room.ANOMALIES, LAMPORT))
    for order, kinds, variants in rooms:
        for kind, rule in kinds.items():
            console.print(f"{order}: {kind}: {rule}", highlight=False)
        for name, variant in variants.items():
            console.print(f"{order} --variant {name}: {variant.rule}", highlight=False)


def _run(
    order: str,
    run: Callable[[int], Simulation],
    variants: Mapping[str, Variant],
    runs: int,
    seed: int | None,
    name: str | None,
) -> None:
    console = Console(soft_wrap=True)
    if name is not None and name not in variants:
        console.print(f"there is no variant {name!r}: {', '.join(variants)}", highlight=False)
        raise typer.Exit(2)
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    console.print(f"seed {seed}", highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task(order, total=runs)
        chosen = run if name is None else variants[name].run
        result = run_many(
            chosen,
            seed,
            runs,
            lambda done, broken: shown.update(task, completed=done, description=f"{order}, {broken} broken"),
        )
    for what, value in result.rows():
        console.print(f"{what}: {value}", highlight=False)
    if result.broken:
        option = "" if name is None else f" --variant {name}"
        console.print(f"to have it again: python -m lab simulate {order} --runs {runs} --seed {seed}{option}")
    raise typer.Exit(1 if result.broken else 0)


if __name__ == "__main__":
    app()
