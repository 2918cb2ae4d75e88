"""Reading: handlers, listeners, unread, and what counts as read."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from pyrochat import Chat, InvalidArgument, Message, UnknownMessage
from tests.support import Running, eventually, texts

Join = Callable[..., Chat]


def test_a_handler_gets_each_message_from_now_on_in_order(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    igor.wait_for(ana.send("before").id, timeout=20)
    seen: list[Message] = []

    @igor.on_message
    def show(message: Message) -> None:
        seen.append(message)

    sent = ana.send_many([str(number) for number in range(700)])
    eventually(lambda: len(seen) >= 700)
    assert seen == sent
    assert callable(show)


def test_a_handler_that_raises_is_reported_and_goes_on(joined: Join, caplog: pytest.LogCaptureFixture) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    seen: list[str] = []

    @igor.on_message
    def fussy(message: Message) -> None:
        seen.append(message.text)
        if message.text == "bad":
            raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "pyrochat"):
        ana.send("bad")
        last = ana.send("good")
        eventually(lambda: seen == ["bad", "good"])
    reports = [record for record in caplog.records if record.name == "pyrochat"]
    assert [record.getMessage() for record in reports] == [f"the handler 'fussy' failed on message #{last.id - 1}"]
    assert reports[0].exc_info is not None


class Fussy:
    """A handler that raises on the text "bad"; knows what it has had."""

    def __init__(self) -> None:
        self.had: list[int] = []

    def __call__(self, message: Message) -> None:
        self.had.append(message.id)
        if message.text == "bad":
            raise ZeroDivisionError

    def wait(self, message: Message) -> None:
        eventually(lambda: message.id in self.had)


def test_found_19_a_message_on_which_its_handler_failed_is_not_read_when_the_next_one_returns(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    fussy = Fussy()
    igor.on_message(fussy)
    good = ana.send("good")
    eventually(lambda: igor.read_mark == good.id)
    bad = ana.send("bad")
    fussy.wait(bad)
    after = ana.send_many(["next", "and next"])
    fussy.wait(after[-1])
    mine = igor.send("mine")
    fussy.wait(mine)
    next(igor.listen(after=bad.id))
    igor.leave()  # says goodbye with its mark
    assert igor._reading.mark == good.id
    assert ana.confirmations(good.id).read_by == {"Igor"}
    for message in (bad, *after):
        found = ana.confirmations(message.id)
        assert (found.delivered_to, found.read_by) == ({"Igor"}, set())


@pytest.mark.parametrize("way", ["mark_read", "unread", "the next join"])
def test_found_19_the_mark_goes_on_after_mark_read_unread_or_the_next_join(joined: Join, way: str) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    fussy = Fussy()
    igor.on_message(fussy)
    bad, after = ana.send_many(["bad", "after"])
    fussy.wait(after)
    assert igor.read_mark < bad.id
    if way == "mark_read":
        igor.mark_read(bad.id)
        assert igor.read_mark == bad.id
    elif way == "unread":
        assert bad in igor.unread()
    else:
        igor.leave()
        igor = joined("Igor")
        igor.on_message(fussy)
    last = ana.send("last")
    eventually(lambda: ana.confirmations(last.id).read_by == {"Igor"})


def test_found_19_of_two_handlers_both_have_to_return(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    gate, quick = threading.Event(), Fussy()
    igor.on_message(lambda message: gate.wait(20))
    igor.on_message(quick)
    message = ana.send("one")
    quick.wait(message)
    next(igor.listen(after=message.id - 1))
    assert igor.read_mark < message.id
    gate.set()
    eventually(lambda: ana.confirmations(message.id).read_by == {"Igor"})


def test_found_24_what_one_session_has_read_is_read_in_the_others(joined: Join) -> None:
    ana, laptop, notebook = joined("Ana"), joined("Igor"), joined("IGOR")
    first, second = ana.send_many(["one", "two"])
    for chat in (laptop, notebook):
        chat.wait_for(second.id, timeout=20)
    laptop.mark_read(first.id)
    eventually(lambda: notebook.read_mark == first.id)
    assert notebook.unread() == [second]
    eventually(lambda: laptop.read_mark == second.id)
    assert laptop.unread() == []


def test_found_24_a_mark_is_heard_before_the_messages_that_it_is_for(joined: Join) -> None:
    """A session that is behind learns of the mark first: it counts as soon as the messages are here."""
    chat = joined("Ana")
    last = chat.send("mine")
    chat.wait_for(last.id, timeout=20)
    chat._reading.hear({"ana": (last.id, last.id + 1)})
    assert chat.read_mark == last.id
    joined("Igor")
    chat.wait_for(last.id + 1, timeout=20)
    assert chat.read_mark == last.id + 1


def test_found_24_who_never_marks_reads_for_nobody(joined: Join) -> None:
    ana, logger = joined("Ana"), joined("Igor", read="never")
    written = Fussy()
    logger.on_message(written, after=0)
    logger.send("from Igor's logger")
    message = ana.send("for Igor")
    written.wait(message)
    assert next(logger.listen(after=message.id - 1)) == message
    assert message in logger.unread()
    assert message in logger.unread(), "it is unread still"
    for wait in (True, False):
        with pytest.raises(InvalidArgument, match="never"):
            logger.mark_read(message.id, wait=wait)
    assert logger.read_mark == 0
    logger.leave()
    found = ana.confirmations(message.id)
    assert (found.delivered_to, found.read_by) == ({"Igor"}, set())


def test_found_24_a_logger_beside_its_person_follows_what_the_person_reads(joined: Join) -> None:
    ana, logger, person = joined("Ana"), joined("Igor", read="never"), joined("Igor", read="manual")
    logger.on_message(lambda message: None, after=0)
    first, second = ana.send_many(["one", "two"])
    person.wait_for(second.id, timeout=20)
    person.mark_read(first.id)
    eventually(lambda: logger.read_mark == first.id)
    assert ana.confirmations(second.id).read_by == set()
    with logger.join_room("lobby", read="never") as another:
        assert another.read_mark == first.id


def test_a_slow_handler_delays_only_itself(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    gate = threading.Event()
    quick: list[str] = []
    igor.on_message(lambda message: gate.wait(20))
    igor.on_message(lambda message: quick.append(message.text))
    last = ana.send_many(list("abc"))[-1]
    eventually(lambda: quick == list("abc"))
    assert igor.wait_for(last.id, timeout=20) == last
    eventually(lambda: ana.confirmations(last.id).delivered_to == {"Igor"})
    gate.set()


def test_listen_yields_what_comes_and_ends_when_nothing_does(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    igor.wait_for(ana.send("before").id, timeout=20)
    live = igor.listen(timeout=0.3)
    ana.send_many(["one", "two"])
    assert texts(list(live)) == ["one", "two"]


def test_listen_begins_after_an_id_with_history(joined: Join) -> None:
    chat = joined("Ana")
    chat.send_many(["one", "two"])
    assert [m.id for m in chat.listen(timeout=0.05, after=0)] == [1, 2, 3]
    assert texts(list(chat.listen(timeout=0.05, after=2))) == ["two"]
    with pytest.raises(InvalidArgument):
        chat.listen(after=-1)


def test_listen_is_live_from_the_call_not_from_the_first_look(joined: Join) -> None:
    chat = joined("Ana")
    live = chat.listen(timeout=0.3)
    chat.send("one")
    assert next(live).text == "one"


def test_listen_ends_at_leave_after_what_is_here(joined: Join) -> None:
    chat = joined("Ana")
    live = chat.listen(after=0)
    last = chat.send("one")
    chat.wait_for(last.id, timeout=20)
    listening = Running(lambda: list(live))
    chat.leave()
    assert texts(listening.result()) == ["one"]  # type: ignore[arg-type]


def test_what_listen_has_yielded_is_read(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    first, second = ana.send_many(["one", "two"])
    assert next(igor.listen(after=first.id - 1)) == first
    eventually(lambda: ana.confirmations(first.id).read_by == {"Igor"})
    assert ana.confirmations(second.id).read_by == set()
    assert igor.read_mark == first.id


def test_what_a_handler_has_returned_from_is_read(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    gate = threading.Event()
    entered = threading.Event()

    @igor.on_message
    def show(message: Message) -> None:
        entered.set()
        assert gate.wait(20)

    message = ana.send("one")
    assert entered.wait(20)
    eventually(lambda: ana.confirmations(message.id).delivered_to == {"Igor"})
    assert ana.confirmations(message.id).waiting_for == {"Igor"}
    gate.set()
    eventually(lambda: ana.confirmations(message.id).read_by == {"Igor"})


def test_unread_gives_what_others_wrote_and_marks_it_read(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    igor.unread()
    igor.send("mine")
    message = ana.send("hers")
    igor.wait_for(message.id, timeout=20)
    assert igor.unread() == [message]
    assert igor.unread() == []
    eventually(lambda: ana.confirmations(message.id).read_by == {"Igor"})


def test_looking_does_not_mark(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    message = ana.send("hi")
    igor.wait_for(message.id, timeout=20)
    for look in (
        igor.history,
        igor.history()._repr_html_,
        lambda: repr(igor),
        lambda: igor.members,
        lambda: igor.marks,
    ):
        look()
    assert igor.read_mark < message.id
    igor.wait_for(igor.send("my own, after it").id, timeout=20)
    assert igor.read_mark < message.id
    assert ana.confirmations(message.id).read_by == set()


def test_sending_marks_ones_own_message_read(joined: Join) -> None:
    chat = joined("Ana")
    message = chat.send("mine")
    eventually(lambda: chat.read_mark == message.id)
    eventually(lambda: chat.marks["Ana"] == (message.id, message.id))


def test_reading_by_hand_leaves_it_to_mark_read(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor", read="manual")
    seen = threading.Event()
    igor.on_message(lambda message: seen.set())
    first, second = ana.send_many(["one", "two"])
    assert seen.wait(20)
    assert [m.id for m in igor.listen(timeout=0.05, after=first.id - 1)] == [first.id, second.id]
    eventually(lambda: ana.confirmations(second.id).delivered_to == {"Igor"})
    assert ana.confirmations(first.id).read_by == set()
    igor.mark_read(first.id)
    assert ana.confirmations(first.id).read_by == {"Igor"}
    assert ana.confirmations(second.id).read_by == set()
    igor.mark_read(first.id - 1)
    assert igor.read_mark == first.id


def test_what_is_not_here_can_not_be_marked(joined: Join) -> None:
    chat = joined("Ana")
    with pytest.raises(UnknownMessage):
        chat.mark_read(99)
    with pytest.raises(InvalidArgument):
        chat.mark_read(0)


def test_the_room_knows_a_mark_when_mark_read_returns(joined: Join) -> None:
    """Also where the mark had moved on by itself, and was not told yet."""
    ana, igor = joined("Ana"), joined("Igor")
    for number in range(5):
        message = ana.send(str(number))
        igor.wait_for(message.id, timeout=20)
        next(igor.listen(after=message.id - 1))
        igor.mark_read(message.id)
        assert ana.confirmations(message.id).read_by == {"Igor"}


def test_leaving_does_not_wait_for_a_mark_that_was_told(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    for number in range(3):
        message = ana.send(str(number))
        next(igor.listen(after=message.id - 1))
        Running(igor.leave).result(3)
        eventually(lambda message=message: ana.confirmations(message.id).read_by == {"Igor"})
        igor = joined("Igor")


def test_who_leaves_at_once_has_confirmed_what_had_come(joined: Join) -> None:
    ana = joined("Ana")
    for _ in range(5):
        igor = joined("Igor", read="manual")
        first, second = ana.send("first"), ana.send("second")
        igor.wait_for(second.id, timeout=20)
        igor.leave()
        for message in (first, second):
            assert ana.confirmations(message.id).delivered_to == {"Igor"}


def test_marks_outlast_a_stay(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    message = ana.send("hi")
    igor.wait_for(message.id, timeout=20)
    igor.mark_read(message.id)
    igor.leave()
    again = joined("Igor")
    assert again.read_mark >= message.id
    assert message not in again.unread()


def test_reading_is_by_itself_or_by_hand(joined: Join) -> None:
    with pytest.raises(InvalidArgument, match='"auto" or "manual"'):
        joined("Ana", read="sometimes")
