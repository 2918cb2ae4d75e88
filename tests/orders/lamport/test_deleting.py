"""A deleted text is gone from all that a site of a totally ordered room has on disk; and the order stays the same for all."""

from __future__ import annotations

from pathlib import Path

from pyrochat.core.graph.messages import Text
from pyrochat.core.graph.texts import apart, commitments, packed_text, together
from pyrochat.orders.lamport.proofs import is_proved
from pyrochat.orders.replicated.entries import Fields, to_bytes
from pyrochat.values.message import EDIT, REDACT, Message
from tests.orders.lamport.sites import OneSite, are_equal, wait_for_view
from tests.orders.lamport.test_sites import Sites, sites
from tests.support import eventually

__all__ = ["sites"]
SECRET, EDITED = "the-first-secret", "the-second-secret"


def about(site: OneSite, message: Message, kind: str, text: str) -> Message:
    post = site.post(message.sender, text)._replace(kind=kind, about=message.id)
    [made] = site.order.submit(post).wait()
    return made


def files_with(folder: Path, *texts: str) -> list[tuple[str, str]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [(path.name, text) for path in files for text in texts if text.encode() in path.read_bytes()]


def is_gone(sites: Sites) -> bool:
    return not files_with(sites.folder, SECRET, EDITED)


def test_a_deleted_text_and_its_edits_are_in_no_file_of_any_site(sites: Sites) -> None:
    ana, igor, zoe = sites.three()
    text = igor.say("Igor", SECRET)
    about(igor, text, EDIT, EDITED)
    stays = ana.say("Ana", "what stays")
    eventually(lambda: are_equal(ana, igor, zoe))
    assert files_with(sites.folder / "zoe", SECRET, EDITED, stays.text)
    about(igor, text, REDACT, "")
    eventually(lambda: are_equal(ana, igor, zoe))
    eventually(lambda: is_gone(sites))
    events = list(zoe.site._member.ordering.events.values())
    assert events
    assert all(map(is_proved, events))
    rui = sites.start("rui", "zoe")
    wait_for_view(ana, igor, zoe, rui)
    eventually(lambda: are_equal(ana, igor, zoe, rui))
    assert stays.text in rui.texts()
    assert is_gone(sites)


def test_a_site_that_meets_an_edited_text_after_its_deletion_has_the_same_log(sites: Sites) -> None:
    ana, igor, zoe = sites.three()
    ana.say("Ana", "before")
    eventually(lambda: are_equal(ana, igor, zoe))
    sites.stop(zoe)
    wait_for_view(ana, igor)
    text = ana.say("Ana", SECRET, key="k")
    about(ana, text, EDIT, EDITED)
    assert ana.say("Ana", SECRET, key="k") == text
    about(ana, text, REDACT, "")
    ana.say("Ana", "after")
    eventually(lambda: are_equal(ana, igor))
    eventually(lambda: is_gone(sites))
    zoe = sites.start("zoe", "ana")
    eventually(lambda: are_equal(ana, igor, zoe))
    wait_for_view(ana, igor, zoe)
    said = zoe.say("Zoe", "here again").id
    eventually(lambda: ana.log.tail == said)
    assert is_gone(sites)


def test_what_was_said_twice_under_one_key_is_gone_twice(sites: Sites) -> None:
    ana = sites.start("ana")
    text = ana.say("Ana", SECRET, key="k")
    about(ana, text, REDACT, "")
    eventually(lambda: is_gone(sites))
    assert ana.say("Ana", SECRET, key="k").id == text.id
    eventually(lambda: is_gone(sites))


def test_a_text_that_comes_again_after_its_deletion_is_not_kept(sites: Sites) -> None:
    ana = sites.start("ana")
    text = ana.say("Ana", SECRET)
    [kept] = ana.site.disk.found([bytes_of(text)]).values()
    about(ana, text, REDACT, "")
    ana.site.do(lambda: ana.site.disk.keep([kept]))
    ana.say("Ana", "written with it")
    assert is_gone(sites)


def bytes_of(message: Message) -> str:
    from pyrochat.core.digests import commitment

    return commitment(message.proof or "", message.text).hex()


def test_an_entry_without_its_texts_is_an_entry() -> None:
    salts = ["a" * 11, "b" * 11]
    post = ["post", "Ana", "ana", ["one", "two"], [None, None], salts, None, "", True, "chat", None]
    react = ["post", "Ana", "ana", ["+1"], [None], ["c" * 11], None, "", True, "react", 1]
    data = to_bytes(Fields([1, 7, 0, [post, react, ["lose", "s", "ana", ""]], None, [0, ""]]))
    said, taken = apart(data)
    assert [spoken.text for spoken in taken] == ["one", "two"]
    assert b"one" not in said
    assert b"+1" in said
    known = {spoken.commitment: spoken for spoken in taken}
    assert commitments(Text("room/1", packed_text(5, said))) == list(known)
    assert together(said, known) == data
    assert together(said, {}) == said
    for garbage in (
        b'["post"',
        b'{"entry":[["post"]]}',
        b'{"entry":[1,2,3,[["post"]]]}',
        b'{"entry":[1,2,3,[["post",1]]]}',
    ):
        assert apart(garbage) == (garbage, [])
        assert commitments(Text("room/1", packed_text(5, garbage))) == []
