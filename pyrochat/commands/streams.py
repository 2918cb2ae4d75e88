"""Standard input, output and error as a command finds them: cron, supervisors and daemons close them, disks fill up."""

import os
import sys
from typing import TextIO

_NAMES = ("stdin", "stdout", "stderr")  # of the descriptors 0, 1 and 2


def open_standard_streams() -> None:
    """Let the streams that were closed lead to the null device. To be called before anything is opened.

    The next socket would get a free descriptor from 0 to 2, and somebody's chat would be read as what is typed.
    """
    for descriptor, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest that is free, so the one that was closed
            os.set_inheritable(null, null == descriptor)
            setattr(sys, name, open(null, "r" if name == "stdin" else "w"))  # noqa: SIM115 - until the process ends


def flush_output() -> OSError | None:
    """Write what is still in the buffers; the error, where standard output takes it no more.

    Python would try again when it ends, and exit with 120.
    """
    for stream in (sys.stderr, sys.stdout):
        found = None
        try:
            stream.flush()
        except OSError as error:
            found = error
            discard(stream)
    return found


def discard(stream: TextIO) -> None:
    """Let what is written to *stream*, and what it still holds, go nowhere: nobody takes it any more."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
