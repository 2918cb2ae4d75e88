"""Short forms of ``python -m lab simulate``: no anomalies with the core's rules, and some with each broken one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.simulate.causal import CausalRun
from lab.simulate.costs import costs
from lab.simulate.lamport import LamportRun
from lab.simulate.running import run_many
from lab.simulate.simulation import Simulation
from lab.simulate.variants import CAUSAL, LAMPORT, Variant

REPOSITORY = Path(__file__).parents[2]
HAS_A_TEST_OF_ITS_OWN = "accepted-without-cut"  # tests/core/graph/test_member.py


def lab(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab", "simulate", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, text=True, capture_output=True, timeout=60, check=False
    )


def is_found(variant: Variant, runs: int) -> bool:
    """Within so many runs."""
    return any(run_many(variant.run, seed, 1, lambda done, broken: None).broken for seed in range(runs))


@pytest.mark.parametrize("run", [CausalRun, LamportRun])
def test_twenty_runs_without_an_anomaly(run: type[Simulation]) -> None:
    result = run_many(run, 0, 20, lambda done, broken: None)
    assert result.first == {}
    assert result.runs == 20
    assert result.texts > 1_000


@pytest.mark.parametrize("name", CAUSAL)
def test_broken_rules_of_a_causal_room_are_found(name: str) -> None:
    assert is_found(CAUSAL[name], 6)


@pytest.mark.parametrize("name", [name for name in LAMPORT if name != HAS_A_TEST_OF_ITS_OWN])
def test_broken_rules_of_a_total_order_are_found(name: str) -> None:
    assert is_found(LAMPORT[name], 20)


@pytest.mark.parametrize("order", ["causal", "lamport"])
def test_a_seed_is_the_same_run_in_every_process(order: str) -> None:
    first, second, other = (
        lab(order, "--runs", "3", "--seed", seed, hash_seed=hash_seed)
        for seed, hash_seed in (("7", "1"), ("7", "2"), ("8", "1"))
    )
    assert first.returncode == 0, first.stdout + first.stderr
    assert "runs with an anomaly: 0" in first.stdout
    assert first.stdout == second.stdout
    assert first.stdout.splitlines()[1:] != other.stdout.splitlines()[1:]


@pytest.mark.parametrize("order", ["causal", "lamport"])
@pytest.mark.parametrize("sites", [3, 10])
def test_what_a_text_costs_is_within_what_was_promised(order: str, sites: int) -> None:
    cost = costs(order, sites, texts=100)
    assert cost.is_within
    assert cost.messages > sites - 1
    assert not cost._replace(messages=6.1 * (sites - 1)).is_within


def test_an_anomaly_is_said_with_its_seed_and_how_to_have_it_again() -> None:
    done = lab("causal", "--runs", "2", "--seed", "5", "--variant", "no-gate")
    assert done.returncode == 1
    assert "effect before cause: 1, first: seed 5, effect before cause: " in done.stdout
    assert "python -m lab simulate causal --runs 2 --seed 5 --variant no-gate" in done.stdout


def test_what_is_asked_for_in_vain_is_said() -> None:
    done = lab("lamport", "--variant", "wrong")
    assert done.returncode == 2
    assert "there is no variant 'wrong': one-saw-it, any-side" in done.stdout


def test_all_anomalies_and_variants_are_listed() -> None:
    listed = lab("anomalies").stdout
    for line in (
        "causal: honest site forked: ",
        "lamport: twice: ",
        "causal --variant counts-only: ",
        "lamport --variant any-side: ",
    ):
        assert line in listed
