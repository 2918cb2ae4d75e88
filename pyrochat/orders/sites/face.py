"""What the faces of all sites have, whatever they answer."""

from collections.abc import Callable, Sequence

LOOKING = "looking"
_ADDRESS_CHARACTERS = 300


class SiteFace:
    """The site of one room. look_id: what it is known by as long as it looks for others.

    called: told where a site is that calls; met: where there may be one. addresses: where sites are, as far as it was heard of.
    """

    def __init__(self, look_id: str) -> None:
        self.look_id = look_id
        self.called: Callable[[str], None] = lambda address: None
        self.met: Callable[[str], None] = lambda address: None
        self.addresses: Callable[[], Sequence[str]] = list

    def _called_from(self, address: object) -> None:
        """A caller says that it is at *address*, if others can get there."""
        if is_address(address):
            self.called(str(address))


def is_address(at: object) -> bool:
    """Whether *at* can be where a site is."""
    return isinstance(at, str) and 0 < len(at) <= _ADDRESS_CHARACTERS and at.isprintable()
