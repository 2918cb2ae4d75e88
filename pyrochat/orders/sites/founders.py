"""Two have founded one room. As long as nobody has said anything in one of them, that is given up for the other, by itself; else they
stay two, and both are told."""

import threading
from collections.abc import Callable

from pyrochat.values.errors import OtherLog


def gives_way(root: str, stays: bool, other_root: str, other_stays: bool) -> bool:
    """Whether the room that has grown from *root* is given up for the one of *other_root*, both in hexadecimal: where it need not
    stay, and the other has to, or has the lower root. Raises OtherLog where both stay."""
    if stays and other_stays:
        raise OtherLog("another room of this name")
    return not stays and (other_stays or other_root < root)


def other_room(address: str) -> str:
    """What people are told where both stay."""
    return (
        f"at {address} there is another room of this name, which was founded by itself: nothing is merged; who wants to "
        "be in that one begins with another data folder"
    )


class GivingUp:
    """Calls *then* once, in any thread, with where the room is for which this one is given up."""

    def __init__(self) -> None:
        self.then: Callable[[str], None] = lambda address: None
        self._mutex = threading.Lock()  # guards the next one
        self._is_given_up = False

    def __call__(self, address: str) -> None:
        """The room is to be given up for the one at *address*."""
        with self._mutex:
            was, self._is_given_up = self._is_given_up, True
        if not was:
            self.then(address)
