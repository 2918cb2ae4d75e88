"""Standard input and output, as lines: what is typed in groups, what is written whole or not at all."""

import contextlib
import errno
import os
import select
import sys
from collections.abc import Callable, Iterator

from pyrochat.values.rules import MAX_TEXT_BYTES
from pyrochat.values.visible import visible

_MOST_LINES = 1000
_LONGEST_LINE = 2 * MAX_TEXT_BYTES


def input_groups(descriptor: int, goes_on: Callable[[], bool] = lambda: True) -> Iterator[list[str]]:
    """The lines that can be read from *descriptor*, in groups of those that were there together.

    goes_on: called before each read; False ends it. What was typed of a line that is not whole then is dropped.
    """
    rest = b""
    while goes_on():
        chunk = _next_chunk(descriptor)
        if not chunk:
            if rest:
                yield [_decoded(rest)]
            return
        *whole, rest = (rest + chunk).split(b"\n")
        rest = rest[:_LONGEST_LINE]  # too long to be sent anyway: it is refused when it ends
        for start in range(0, len(whole), _MOST_LINES):
            yield [_decoded(line) for line in whole[start : start + _MOST_LINES]]


def _next_chunk(descriptor: int) -> bytes:
    """What comes next; empty at the end."""
    try:
        return os.read(descriptor, 65_536)
    except OSError as error:
        if error.errno == errno.EIO:  # the terminal is gone
            return b""
        raise


def _decoded(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="surrogateescape")


def write_line(line: str) -> None:
    """Write to standard output, all of it and past its buffer: what failed is not tried again at the end. Raises OSError."""
    stream = sys.stdout
    stream.flush()
    data = f"{line}\n".encode(stream.encoding, stream.errors or "strict")
    while data:
        try:
            data = data[os.write(stream.fileno(), data) :]
        except BlockingIOError:  # somebody who shares the pipe has made it so
            select.select([], [stream], [])


def is_hang_up(error: OSError) -> bool:
    """Whether nobody reads any more: the end of a pipe, which is no failure."""
    return isinstance(error, BrokenPipeError | ConnectionResetError)


def write_status(line: str) -> None:
    """Write to standard error."""
    with contextlib.suppress(OSError):
        print(visible(line), file=sys.stderr, flush=True)
