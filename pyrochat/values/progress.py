"""How far something is that takes long."""

from collections.abc import Callable

Progress = Callable[[int, int], object]
"""Called now and then with how much is done and how much there is; what it returns is ignored."""
