"""Which sites a graph has, and whether an event may be theirs. A function of the event's causes only: all sites agree.

A site is let in by an event of one that is in. Its first event has that one among its parents; every later one has the
one before it. The founder lets itself in: the graph's root is a hash over who it is.
"""

from collections.abc import Callable, Iterable

from pyrochat.core.graph.bodies import SITE_DIGITS, Admission, Body, decode_body, root_of
from pyrochat.core.graph.event import Event
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.sites import LABEL_DIGITS

MAX_SITES = 100


class Sites:
    """Those that were let in, and up to which number each has said something. room: its folded name. is_signed: whether the signature of an event is that
    of the site with this key."""

    def __init__(
        self, room: str, root: bytes, is_signed: Callable[[Event, str], bool] = lambda event, key: True
    ) -> None:
        self._room = room
        self._root = root
        self.is_signed = is_signed
        self.known: dict[str, Admission] = {}
        self._let_in_by: dict[bytes, frozenset[str]] = {}  # event: whom it lets in
        self._said: dict[bytes, int] = {}  # event: the number of its site's last message, with it
        self.let_in_by: dict[str, bytes] = {}  # site: the first event here that has let it in
        self._read: dict[bytes, Body] = {}
        self._called: dict[str, str] = {}

    def may_write(self, event: Event) -> bool:
        """Whether *event*, whose parents were delivered, is what a site that is in may say next; then it counts as said."""
        try:
            body = decode_body(event.body)
        except InvalidArgument:
            return False
        said = self._said.get(event.parents[0], 0) if event.n > 1 else 0
        if body.first != said + 1 or not self._is_in(event, body):
            return False
        key = next((one.key for one in body.admissions if one.id == event.site), None) or self.key_of(event.site)
        if key is None or not self.is_signed(event, key):
            return False
        self._said[event.id] = said + len(body.messages)
        if body.admissions:
            self._let_in_by[event.id] = frozenset(admission.id for admission in body.admissions)
            for admission in body.admissions:
                self.known.setdefault(admission.id, admission)
                self.let_in_by.setdefault(admission.id, event.id)
        self._read[event.id] = body
        return True

    def _is_in(self, event: Event, body: Body) -> bool:
        if event.n > 1:
            return True
        if not event.parents:
            admitted = body.admissions[:1]
            return any(root_of(self._room, one) == self._root and one.id == event.site for one in admitted)
        let_in = {site for parent in event.parents for site in self._let_in_by.get(parent, ())}
        return event.site in let_in or self._is_reborn(event, body, let_in)

    def _is_reborn(self, event: Event, body: Body, let_in: Iterable[str]) -> bool:
        """A server that was let in begins under another nonce."""
        itself = body.admissions[:1]
        return any(one.id == event.site and one.key == self.known[site].key for one in itself for site in let_in)

    def read(self, event: Event) -> Body:
        """What *event*, which was delivered, says. Once."""
        return self._read.pop(event.id)

    def forget(self, event: Event) -> None:
        """What *event* says is known already."""
        self._read.pop(event.id, None)

    def said(self, event: bytes | None) -> int:
        """The number of the last message that the site of *event* has said up to there."""
        return 0 if event is None else self._said[event]

    def key_of(self, site: str) -> str | None:
        """The public key, in hexadecimal, by which the events of *site* are verified."""
        known = self.known.get(site)
        return None if known is None else known.key

    def label(self, site: str) -> str:
        """What *site* is called. Where two were let in under one label, by sites that did not know of each other, each has the
        beginning of its id behind it: a function of who was let in, so all sites that have met agree."""
        known = self.known.get(site)
        if known is None:
            return site
        namesakes = [other.id for other in self.known.values() if other.label == known.label]
        return known.label if len(namesakes) == 1 else self._with_digits(known, namesakes)

    def _with_digits(self, site: Admission, namesakes: Iterable[str]) -> str:
        taken = {other.label for other in self.known.values()}
        for digits in range(LABEL_DIGITS, SITE_DIGITS):
            label = f"{site.label}~{site.id[:digits]}"
            if label not in taken and [other[:digits] for other in namesakes].count(site.id[:digits]) == 1:
                return label
        return site.id

    def renamed(self) -> list[tuple[str, str]]:
        """Labels that sites had when this was asked last, and what each is called now."""
        if len(self._called) == len(self.known):
            return []
        before, self._called = self._called, {site: self.label(site) for site in self.known}
        return [(label, self._called[site]) for site, label in before.items() if self._called[site] != label]

    def kin(self, key: str) -> frozenset[str]:
        """The sites of the server with the public *key*."""
        return frozenset(site.id for site in self.known.values() if site.key == key)

    def free_label(self, wanted: str, taken: Iterable[str] = ()) -> str:
        """*wanted*, or with a number behind it where a site is called so, or it is *taken*."""
        return _free(wanted, [*taken, *(site.label for site in self.known.values()), *map(self.label, self.known)])


def _free(wanted: str, taken: Iterable[str]) -> str:
    labels = set(taken)
    number, label = 2, wanted
    while label in labels:
        label, number = f"{wanted}~{number}", number + 1
    return label
