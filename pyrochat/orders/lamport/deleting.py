"""How a room follows its sites: a text that is deleted in the room goes from its site's record, before the room's log is written.

In this order: should the log's commit fail then, the entries come again, and do the same without the text.
"""

from pyrochat.core.graph.ordered import OrderedTransition
from pyrochat.core.order import Rules
from pyrochat.core.room import Transition
from pyrochat.orders.lamport.stream import SiteStream


def rules(stream: SiteStream) -> Rules:
    """For the room that *stream* is of."""

    def beside(transition: Transition) -> None:
        assert isinstance(transition, OrderedTransition)
        if transition.gone:
            stream.erase(transition.gone)

    return Rules(transition=OrderedTransition, beside=beside)
