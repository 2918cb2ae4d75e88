"""A progress bar for what takes long; on standard error, and only where somebody is looking."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress

_WORTHWHILE = 2000


class ProgressBar:
    """A context manager that is called with ``(done, total)``. Short work shows nothing."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._wanted = sys.stderr.isatty()
        self._shown: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        """So much of it is done."""
        if self._wanted and self._shown is None and total - done > _WORTHWHILE:
            self._shown = _bar(self._description)
        if self._shown is not None:
            self._shown.update(self._shown.task_ids[0], completed=done, total=total)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown is not None:
            self._shown.stop()


def _bar(description: str) -> "Progress":
    from rich.console import Console  # only who sees it waits for it to load
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(description), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task(description, total=None)
    bar.start()
    return bar
