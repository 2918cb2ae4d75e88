"""Anti-entropy: sites that meet tell each other what they have, and give each other what is missing.

Demers et al., "Epidemic algorithms for replicated database maintenance" (1987), push and pull in one exchange. On
connecting, and about each second with one site by chance: A sends ``summary(graph)``; B answers with the events of
``missing(graph, theirs)`` and with ``summary(graph, theirs)``; A sends the events of ``missing`` for that, and no
summary. What was cut off at the bound comes with the next exchange.
"""

from collections.abc import Mapping
from heapq import merge, nlargest
from itertools import islice
from typing import NamedTuple

from pyrochat.core.graph.causal import Graph

WANTED = 256
"""So many events are asked for by their hash in one summary, and so many heads are told."""


class Summary(NamedTuple):
    """What a site has: how many events of each site, and the heads (events without children). And what it asks for.

    Heads, because a chain that was forked has equal counts where sets differ.
    """

    counts: Mapping[str, int]
    heads: tuple[bytes, ...]
    wanted: tuple[bytes, ...] = ()


def summary(graph: Graph, theirs: Summary | None = None) -> Summary:
    """What to tell another site. theirs: what that has told; its heads are asked for then, too."""
    told = theirs.heads[:WANTED] if theirs is not None else ()
    unknown = [head for head in told if head not in graph.nodes and head not in graph.waiting]
    wanted = list(dict.fromkeys(unknown + graph.waiting.wanted(WANTED)))[:WANTED]
    heads = nlargest(WANTED, graph.heads, key=lambda id: (graph.nodes[id].lamport, id))
    return Summary({site: len(chain) for site, chain in graph.chains.items()}, tuple(heads), tuple(wanted))


def missing(graph: Graph, theirs: Summary, most: int = 1000) -> list[bytes]:
    """The ids of what they lack, causes before effects; of more than *most* the first.

    Their counts tell it. Of a forked chain they don't: there the heads show that something is unknown, and it is asked
    for by its hash, one step back after the other, until the stories meet.
    """
    nodes = graph.nodes
    have = {site: max(0, theirs.counts.get(site, 0)) for site in graph.chains}
    wanted = [id for id in theirs.wanted[:WANTED] if id in nodes and nodes[id].n <= have[nodes[id].site]]
    lists = [chain[have[site] : have[site] + most] for site, chain in graph.chains.items() if len(chain) > have[site]]
    lists += [[id for id in branch if nodes[id].n > have[site]] for site, branch in graph.branches.items()]
    uncounted = islice(merge(*lists, key=lambda id: nodes[id].place), max(0, most - len(wanted)))
    return sorted({*wanted, *uncounted}, key=lambda id: nodes[id].place)


def has_lost_tail(graph: Graph, theirs: Summary) -> bool:
    """Whether they know more of this site than it does itself: then its disk has lost what it had said, and it must say
    nothing more under its name."""
    return theirs.counts.get(graph.me, 0) > len(graph.chains.get(graph.me, ()))
