"""A server's data folder: made for its owner only, and closed to others where an older version or a umask left it open.

The folder may be one that the operator shares with other things, ``/tmp`` even. So what is in it is corrected where
its name is ours, and the folder itself only where all that is in it is ours.
"""

import os
import re
from pathlib import Path

from pyrochat.trust.files import close_folder, close_to_others, make_folder

_FOLDERS = ("rooms", "drafts", "lamport")  # all in them is ours; drafts are the clients'
_OURS = re.compile(rf"{'|'.join(_FOLDERS)}|names\.sqlite3(-wal|-shm|-journal)?|\.?(server-key|tls)\.pem.*")


def _is_ours(name: str) -> bool:
    return _OURS.fullmatch(name) is not None


def open_data_folder(data: Path) -> None:
    """Make *data*, or correct who may see what in it. Raises OSError where it can't be made or read."""
    make_folder(data)
    ours = [name for name in os.listdir(data) if _is_ours(name)]
    close_folder(data, _is_ours)
    for name in ours:
        close_to_others(data / name, loudly=name.endswith(".pem"))
    for folder in set(_FOLDERS) & set(ours):
        for path in (data / folder).iterdir():
            if not path.is_symlink():
                close_to_others(path)
