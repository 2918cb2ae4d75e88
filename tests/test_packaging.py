"""What is packed, and what it needs: the archive of sources runs its own tests, with the packages that it names."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKED = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
FOLDERS = [name for name in PACKED if (ROOT / name).is_dir() and (ROOT / name / "__init__.py").exists()]
CLUSTER_ONLY = {"nats"}  # the modules of what the extra `cluster` has
CLUSTER_FILES = ("pyrochat/orders/cluster", "lab/faults/machines", "tests/orders", "tests/room/test_cluster.py")


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
def test_found_47_only_a_cluster_needs_the_client_of_its_brokers(folder: str) -> None:
    for file in (ROOT / folder).rglob("*.py"):
        if not str(file.relative_to(ROOT)).startswith(CLUSTER_FILES):
            assert not imported_at_the_top(file) & CLUSTER_ONLY, f"{file} can't be imported without the extra cluster"
    assert not [line for line in PROJECT["project"]["dependencies"] if line.startswith("nats")]


def test_a_single_machine_imports_neither_nats_nor_asyncio_nor_what_sites_need() -> None:
    program = (
        "import sys, tempfile, pyrochat\n"
        "with tempfile.TemporaryDirectory() as data, pyrochat.host('lobby', data=data, nameserver=False) as server:\n"
        "    with pyrochat.join('Ana', at=server.at) as chat: chat.send('hi')\n"
        "import pyrochat.commands.server\n"
        "of_sites = ('pyrochat.core.graph', 'pyrochat.orders.graph', 'pyrochat.orders.lamport', 'pyrochat.orders.replicated', 'pyrochat.room.sites', "
        "'pyrochat.storage.site_log', 'pyrochat.storage.member_disk')\n"
        "print([name for name in sys.modules if name in ('nats', 'asyncio') or name.startswith(of_sites)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_found_32_the_versions_of_python_that_are_named_are_those_that_are_allowed() -> None:
    named = [c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if "Python :: 3." in c]
    assert named == ["3.11", "3.12", "3.13"]
    assert PROJECT["project"]["requires-python"] == ">=3.11,<3.14"
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in named
