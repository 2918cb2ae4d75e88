"""`pyrochat-server` whose rooms have no search index: what posting costs without one."""

from pyrochat.commands import server as command
from pyrochat.room import rooms

if __name__ == "__main__":
    rooms.index_path = lambda path: None  # type: ignore[assignment,return-value]
    command.run()
