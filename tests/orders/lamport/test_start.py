"""How a site of a totally ordered room begins with what it has on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.messages import Text
from pyrochat.core.graph.texts import packed_text
from pyrochat.orders.lamport.site import LamportSite
from pyrochat.storage.member_disk import SqliteMemberDisk
from pyrochat.trust.keys import Key


def test_nothing_of_the_file_is_read_any_more_when_a_site_begins_with_tidying_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With more in it than is read at once."""
    key, root = Key.kept_at(tmp_path / "key.pem"), b"r" * 32
    disk = SqliteMemberDisk(tmp_path / "sites.sqlite3", "lobby")
    site = LamportSite(disk, key, "ana", lambda: 1, is_said=lambda data: True)
    identity = site.new_identity()
    view = View(1, (identity.id,))
    texts = [Text(f"lobby/{number}", packed_text(number, b"{}")) for number in range(3000)]
    disk.adopt(root, identity, [view, *texts, view._replace(number=2)])
    monkeypatch.setattr(site._thread, "start", disk.tidy)
    site.start()
    disk.close()
    assert site.has_texts
    assert caplog.messages == []
