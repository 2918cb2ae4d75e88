"""Tables of plain text that commands print."""

from collections.abc import Iterable, Sequence

WIDTH = 200  # also in a pipe: a name is shown whole


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print *rows* under their *headings*, as they are: what looks like markup is text."""
    from rich.console import Console  # only who prints a table waits for it to load
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=WIDTH).print(table)
