"""A progress bar for what takes long; on standard error, and only where somebody is looking."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_WORTHWHILE = 2000


class ProgressBar:
    """A context manager that is called with ``(done, total)``. Short work shows nothing."""

    def __init__(self, description: str) -> None:
        console = Console(stderr=True)
        columns = (TextColumn(description), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._wanted = sys.stderr.isatty()
        self._task = self._progress.add_task(description, total=None)
        self._started = False

    def __call__(self, done: int, total: int) -> None:
        """So much of it is done."""
        if self._wanted and not self._started and total - done > _WORTHWHILE:
            self._started = True
        if self._started:
            self._progress.update(self._task, completed=done, total=total)
            self._progress.start()  # the first time only

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started:
            self._progress.stop()
