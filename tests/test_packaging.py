"""What is packed, and what it needs: the archive of sources runs its own tests, with the packages that it names."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKED = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
FOLDERS = [name for name in PACKED if (ROOT / name).is_dir() and (ROOT / name / "__init__.py").exists()]
BENCH_ONLY = {"nats"}  # the modules of what the extra `bench` has


def imported_at_the_top(file: Path) -> set[str]:
    """The first names of the modules that importing *file* imports."""
    found = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_found_47_what_the_packed_folders_import_is_packed_too(folder: str) -> None:
    own = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    imported = {name for file in (ROOT / folder).rglob("*.py") for name in imported_at_the_top(file)}
    assert imported & own <= set(FOLDERS)
    assert "pyrochat" in imported


@pytest.mark.parametrize("folder", FOLDERS)
def test_found_47_only_a_benchmark_needs_the_clients_of_other_servers(folder: str) -> None:
    for file in (ROOT / folder).rglob("*.py"):
        assert not imported_at_the_top(file) & BENCH_ONLY, f"{file} can't be imported without the extra bench"
    extras = PROJECT["project"]["optional-dependencies"]
    assert not [line for line in extras["dev"] if line.startswith("nats-py")]


def test_found_32_the_versions_of_python_that_are_named_are_those_that_are_allowed() -> None:
    named = [c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if "Python :: 3." in c]
    assert named == ["3.11", "3.12", "3.13"]
    assert PROJECT["project"]["requires-python"] == ">=3.11,<3.14"
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in named
