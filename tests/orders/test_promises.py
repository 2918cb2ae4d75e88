"""What docs/orders.md says that each order promises, each for all the orders that promise it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import pyrochat
from pyrochat import Chat, NameTaken, NotYours, PyroChatError, Server
from tests.orders.groups import SIZE, Group
from tests.orders.promises import PROMISES, Promise
from tests.support import QUICK, eventually, together

PATIENCE_SECONDS = 20
AFTERWARDS = "said when all is well again"


@pytest.mark.promise(Promise.DURABLE)
def test_what_is_acknowledged_is_on_as_many_disks_as_it_takes(group: Group) -> None:
    for number in range(5):
        text = f"kept {number}"
        group.say(number % SIZE, "Ana", text)
        assert group.disks_with(text) >= group.disks


@pytest.mark.promise(Promise.DURABLE)
def test_what_no_disk_takes_is_not_acknowledged_and_shown_nowhere(group: Group) -> None:
    group.say(0, "Ana", "before")
    mend = group.fail_disks()
    with pytest.raises(PyroChatError):
        group.say(0, "Ana", "not stored", key="k")
    assert not any("not stored" in group.texts(at) for at in range(SIZE))
    mend()
    group.insist(0, "Ana", "not stored", key="k")
    eventually(lambda: group.have_all("before", "not stored"), PATIENCE_SECONDS)
    assert all(group.texts(at).count("not stored") == 1 for at in range(SIZE))


@pytest.mark.promise(Promise.CAUSES_FIRST)
def test_an_answer_never_stands_before_its_question(group: Group) -> None:
    def ask(at: int) -> None:
        for turn in range(8):
            question = f"{at}.{turn}?"
            group.say(at, f"Asker {at}", question)
            other = (at + 1 + turn % 2) % SIZE
            eventually(lambda question=question, other=other: question in group.texts(other), PATIENCE_SECONDS)  # type: ignore[misc]
            group.say(other, f"Answerer {at}", f"{at}.{turn}!")

    together([partial(ask, at) for at in range(SIZE)])
    answers = [f"{at}.{turn}!" for at in range(SIZE) for turn in range(8)]
    eventually(lambda: group.have_all(*answers), PATIENCE_SECONDS)
    for at in range(SIZE):
        place = {text: number for number, text in enumerate(group.texts(at))}
        assert all(place[f"{answer[:-1]}?"] < place[answer] for answer in answers)


@pytest.mark.promise(Promise.CAUSES_FIRST)
@pytest.mark.promise(Promise.ALL_GO_ON)
def test_an_answer_waits_for_a_question_that_others_have_to_pass_on(group: Group) -> None:
    group.only_by_1()
    for turn in range(5):
        group.say(0, "Ana", f"{turn}?")
        eventually(lambda turn=turn: f"{turn}?" in group.texts(1), PATIENCE_SECONDS)  # type: ignore[misc]
        group.say(1, "Igor", f"{turn}!")
        eventually(lambda turn=turn: f"{turn}!" in group.texts(2), PATIENCE_SECONDS)  # type: ignore[misc]
        assert group.texts(2) == [f"{number}{mark}" for number in range(turn + 1) for mark in "?!"]


def talk(group: Group) -> list[str]:
    """All sites talk at once; what was said."""

    def say(at: int) -> None:
        for turn in range(15):
            group.say(at, f"Member {at}", f"{at} {turn}")

    together([partial(say, at) for at in range(SIZE)])
    return [f"{at} {turn}" for at in range(SIZE) for turn in range(15)]


@pytest.mark.promise(Promise.ONE_ORDER)
def test_all_have_the_same_ids_and_one_order(group: Group) -> None:
    said = talk(group)
    eventually(lambda: group.have_all(*said), PATIENCE_SECONDS)
    assert group.messages(0) == group.messages(1) == group.messages(2)
    assert [message.id for message in group.messages(0)] == list(range(1, len(said) + 1))


@pytest.mark.promise(Promise.EQUAL_SETS)
def test_all_have_the_same_messages_and_no_others(group: Group) -> None:
    said = talk(group)
    eventually(lambda: group.have_all(*said), PATIENCE_SECONDS)
    facts = [sorted((m.sender, m.text, m.kind, m.ref) for m in group.messages(at)) for at in range(SIZE)]
    assert facts[0] == facts[1] == facts[2]
    assert sorted(group.texts(0)) == sorted(said)


@pytest.mark.promise(Promise.ONCE)
def test_what_is_said_again_under_its_key_wherever_it_is_said_is_one_message(group: Group) -> None:
    group.say(0, "Ana", "first", key="k0")
    together([partial(group.say, at, "Ana", "once", "k1") for at in (0, 1, 2, 0, 1, 2)])
    for at in range(SIZE):
        group.say(at, "Ana", "first", key="k0")
        group.say(at, "Ana", f"{AFTERWARDS} {at}")
    eventually(lambda: group.have_all("first", "once", *(f"{AFTERWARDS} {at}" for at in range(SIZE))), PATIENCE_SECONDS)
    for at in range(SIZE):
        assert (group.texts(at).count("first"), group.texts(at).count("once")) == (1, 1)


@pytest.mark.promise(Promise.MINORITY_WAITS)
def test_in_a_split_the_majority_goes_on_and_the_minority_stores_nothing_until_it_has_healed(group: Group) -> None:
    group.say(2, "Zoe", "before")
    eventually(lambda: group.have_all("before"), PATIENCE_SECONDS)
    group.split()
    for _ in range(2):
        with pytest.raises(PyroChatError):
            group.say(2, "Zoe", "alone", key="k")
    group.say(0, "Ana", "we go on")
    eventually(lambda: "we go on" in group.texts(1), PATIENCE_SECONDS)
    assert group.texts(2) == ["before"]
    assert "alone" not in group.texts(0)
    group.heal()
    group.insist(2, "Zoe", "alone", key="k")
    eventually(lambda: all(group.texts(at) == ["before", "we go on", "alone"] for at in range(SIZE)), PATIENCE_SECONDS)


@pytest.mark.promise(Promise.ALL_GO_ON)
def test_in_a_split_all_go_on_and_have_all_of_it_when_it_has_healed(group: Group) -> None:
    group.say(2, "Zoe", "before")
    eventually(lambda: group.have_all("before"), PATIENCE_SECONDS)
    group.split()
    group.say(0, "Ana", "here")
    group.say(2, "Zoe", "there")
    eventually(lambda: "here" in group.texts(1), PATIENCE_SECONDS)
    assert (group.texts(1), group.texts(2)) == (["before", "here"], ["before", "there"])
    group.heal()
    eventually(lambda: group.have_all("here", "there"), PATIENCE_SECONDS)
    assert all(len(group.texts(at)) == 3 for at in range(SIZE))


# -- by the doors of real servers -----------------------------------------------------------------------------


@pytest.fixture
def come(config_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Come]:
    come = Come(config_dir, monkeypatch)
    yield come
    for chat in come.chats:
        chat.leave()


class Come:
    """Joins, with the key of the machine that is named."""

    def __init__(self, config_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._config_dir, self._monkeypatch = config_dir, monkeypatch
        self.chats: list[Chat] = []

    def __call__(self, name: str, server: Server, machine: str) -> Chat:
        self._monkeypatch.setenv("PYROCHAT_CONFIG_DIR", str(self._config_dir.with_name(f"config-{machine}")))
        self.chats.append(pyrochat.join(name, at=server.at, timing=QUICK))
        return self.chats[-1]


def found(chat: Chat, text: str) -> int:
    """The id that the first message with *text* has in *chat*, as soon as it is there."""
    return eventually(lambda: next((m.id for m in chat.history() if m.text == text), 0), PATIENCE_SECONDS)


@pytest.mark.promise(Promise.AUTHORS)
def test_only_the_author_edits_and_deletes_at_whichever_server(servers: list[Server], come: Come) -> None:
    ana, igor = come("Ana", servers[0], "ana"), come("Igor", servers[-1], "igor")
    ana.send("mine")
    at_igor = found(igor, "mine")
    for attempt in (lambda: igor.edit(at_igor, "forged"), lambda: igor.redact(at_igor)):
        with pytest.raises(NotYours):
            attempt()
    ana.edit(found(ana, "mine"), "better")
    eventually(lambda: igor.current(at_igor).text == "better", PATIENCE_SECONDS)
    ana.redact(found(ana, "mine"))
    eventually(lambda: igor.current(at_igor).text is None, PATIENCE_SECONDS)
    assert {message.sender for message in igor.history() if message.about} == {"Ana"}


@pytest.mark.promise(Promise.SENDERS)
def test_nobody_speaks_under_anothers_name_at_any_server(servers: list[Server], come: Come) -> None:
    ana, igor = come("Ana", servers[0], "ana"), come("Igor", servers[-1], "igor")
    ana.send("I am Ana")
    found(igor, "I am Ana")
    for server in servers:

        def is_refused(server: Server = server) -> bool:
            try:
                come("Ana", server, "somebody else's").leave()
            except NameTaken:
                return True
            return False

        assert is_refused()
    assert come("Ana", servers[-1], "ana").name == "Ana"  # she may come to any


# -- the table ------------------------------------------------------------------------------------------------


def test_the_table_for_people_says_the_same() -> None:
    text = (Path(__file__).parents[2] / "docs" / "orders.md").read_text()
    lines = text.split("## What each promises")[1].split("## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    orders = rows[0][1:]
    assert sorted(orders) == sorted(PROMISES)
    for title, *cells in rows[2:]:
        meant = [promise for promise in Promise if promise.value.startswith(title) or title.startswith(promise.value)]
        assert meant, f"no promise for the row {title}"
        for order, cell in zip(orders, cells, strict=True):
            says = {promise for promise in meant if promise in PROMISES[order]}
            is_promised = not re.match("no[:,]|who can't reach", cell)
            assert bool(says) == is_promised, (order, title)
            if title == "in a split" and says:
                assert says == {Promise(f"in a split: {cell}")}


def test_each_promise_has_a_test() -> None:
    marks = [mark for test in globals().values() for mark in getattr(test, "pytestmark", ())]
    assert {mark.args[0] for mark in marks} == set(Promise)
