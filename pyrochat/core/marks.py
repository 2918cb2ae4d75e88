"""Marks: up to which id each member has messages delivered and read.

Marks only grow, and are written before they are announced: `record` notes what a member says,
`unwritten` is what the next commit has to carry, `written` makes it known. What is known is a log of
its own kind, compacted to each member's newest entry: every change gets the next version, and a session
is a cursor in the versions. So any backlog of changes costs at most one entry a member.
"""

from collections.abc import Iterable

from pyrochat.core.log import MemberRecord

Mark = tuple[int, int]
"""``(delivered, read)``, message ids with ``read <= delivered``."""


class Marks:
    """The marks of all members of a room, keyed by folded name."""

    def __init__(self, records: Iterable[MemberRecord] = ()) -> None:
        self._known: dict[str, Mark] = {}
        self._unwritten: dict[str, Mark] = {}
        self._versions: dict[str, int] = {}  # ordered by version: a change moves its member to the end
        self.version = 0
        self.written((record.member, (record.delivered, record.read)) for record in records)

    def of(self, member: str) -> Mark:
        """What is known of *member*; ``(0, 0)`` for a stranger."""
        return self._known.get(member, (0, 0))

    def latest(self, member: str) -> Mark:
        """The newest that *member* said, written or not."""
        return self._unwritten.get(member) or self.of(member)

    def record(self, member: str, delivered: int, read: int) -> bool:
        """Note what *member* says; read implies delivered. True where that is news."""
        old_delivered, old_read = self.latest(member)
        new = (max(old_delivered, delivered, read), max(old_read, read))
        if new == (old_delivered, old_read):
            return False
        self._unwritten[member] = new
        return True

    @property
    def has_unwritten(self) -> bool:
        """Whether a commit is needed."""
        return bool(self._unwritten)

    @property
    def unwritten(self) -> dict[str, Mark]:
        """What members said and no commit has carried yet; a copy."""
        return dict(self._unwritten)

    def written(self, marks: Iterable[tuple[str, Mark]]) -> None:
        """*marks* are durable: make them known."""
        for member, mark in marks:
            if self._unwritten.get(member) == mark:
                del self._unwritten[member]
            if mark == self._known.get(member, (0, 0)):
                continue
            self._known[member] = mark
            self.version += 1
            self._versions.pop(member, None)
            self._versions[member] = self.version

    def since(self, version: int, limit: int) -> tuple[list[tuple[str, int, int]], int]:
        """The first *limit* changes after *version*: ``([(member, delivered, read), …], new version)``."""
        newer = []
        for member in reversed(self._versions):
            if self._versions[member] <= version:
                break
            newer.append(member)
        chosen = newer[::-1][:limit]
        if not chosen:
            return [], self.version
        return [(member, *self._known[member]) for member in chosen], self._versions[chosen[-1]]
