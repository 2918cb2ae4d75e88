"""Runs a command that doesn't outlive its parent: ``python -m lab.leash COMMAND ARGUMENT…``.

The kernel kills it when whoever started it is gone, however that ended (Linux; elsewhere it is only run).
The process id stays the same: the command takes this process over.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execvp(sys.argv[1], sys.argv[1:])
