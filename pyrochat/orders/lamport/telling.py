"""What people are told of the sites of a totally ordered room. called: what a site is called."""

from collections.abc import Callable, Collection

from pyrochat.core.graph.lamport import View

Called = Callable[[str], str]


def change_of_view(me: str, before: View, view: View, called: Called) -> str | None:
    """What *view* has changed, at the site *me*; None: nothing that anybody has to be told."""
    if me not in view.members or not before.members:
        return None
    gone, come = set(before.members) - set(view.members), set(view.members) - set(before.members) - {me}
    told = []
    if come:
        told.append(f"{_names(come, called)} {'is a site' if len(come) == 1 else 'are sites'} of the room now")
    if gone:
        told.append(f"the room goes on without the site{'s' * (len(gone) > 1)} {_names(gone, called)}")
    count = len(view.members)
    return f"{'; '.join(told)} ({count} {'sites' if count > 1 else 'site'})" if told else None


def held_up(view: View, silent: Collection[str], is_waiting: bool, called: Called) -> str | None:
    """What keeps the members of *view* from going on, of whom those that are *silent* are not heard of. is_waiting: whether there is
    anything that has no place yet."""
    here = [site for site in view.members if site not in silent]
    if not view.is_quorum(here):
        eldest = "" if view.members[0] in here or 2 * len(here) < len(view.members) else ", and not the eldest"
        return f"{len(here)} of {len(view.members)} sites are here{eldest}: your text waits"
    if silent and is_waiting:
        return f"the room waits for {_names(silent, called)}"
    return None


def _names(sites: Collection[str], called: Called) -> str:
    return ", ".join(sorted(map(called, sites)))
