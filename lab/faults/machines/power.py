"""Power cuts: what a process had not synced is gone (`forgetful.c`)."""

import shutil
import subprocess
from pathlib import Path

from lab.processes import BenchError

_SOURCE = Path(__file__).with_name("forgetful.c")


def forgetful_in(folder: Path) -> Path:
    """The library that is preloaded, built in *folder*. Raises BenchError where there is no C compiler."""
    built = folder / "forgetful.so"
    if not built.exists():
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise BenchError("a power cut needs a C compiler: install one (cc)")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(built), str(_SOURCE), "-ldl"], check=True)
    return built


def environment(folder: Path, data: Path, built: Path) -> dict[str, str]:
    """What a process gets that forgets: below *data* what was not synced. folder: for what was."""
    kept = folder / f"{data.name}-synced"
    kept.mkdir(exist_ok=True)
    return {"LD_PRELOAD": str(built), "FORGETFUL_FOLDER": str(data), "FORGETFUL_KEPT": str(kept)}


def cut(folder: Path, data: Path, suffixes: tuple[str, ...] = (".sqlite3", ".sqlite3-wal")) -> int:
    """The power was cut while a process wrote below *data*, which is gone: its files with these *suffixes* are what was synced
    of them. Returns how many have lost something."""
    kept, lost = folder / f"{data.name}-synced", 0
    for path in [path for path in data.rglob("*") if path.name.endswith(suffixes)]:
        synced = kept / path.relative_to(data)
        before = path.read_bytes()
        if synced.exists():
            shutil.copyfile(synced, path)
        else:
            path.unlink()
        lost += not synced.exists() or synced.read_bytes() != before
    for path in data.rglob("*.sqlite3-shm"):
        path.unlink()
    return lost
