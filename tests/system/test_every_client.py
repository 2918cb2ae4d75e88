"""One conversation with each client, in a room of each order: between two machines, in real processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyrochat import Chat, NameTaken
from tests.support import eventually
from tests.system.places import ORDERS, Place
from tests.system.seats import SEATS, soon
from tests.system.support import Machine


@pytest.fixture(scope="module", params=ORDERS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    machine = Machine(tmp_path_factory.mktemp(request.param))
    try:
        yield Place(machine, request.param)
    finally:
        machine.switch_off()


def found(chat: Chat, text: str) -> int:
    """The id of the message *text* in *chat*, as soon as it is there."""
    return eventually(lambda: next((m.id for m in chat.history() if m.text == text), 0), 30, f"{text} did not come")


@pytest.mark.parametrize("client", SEATS)
def test_a_conversation_with_each_client_in_a_room_of_each_order(place: Place, client: str) -> None:
    name = client.title()
    question, answer, wrong, right, secret = (
        f"{client}{what}" for what in ("question", "answer", "wrong", "right", "secret")
    )
    with (
        place.join("Igor", place.here) as igor,
        SEATS[client](place, name, lambda text: igor.called(found(igor, text))) as seat,
    ):
        soon(lambda: name in igor.members, f"{name} joined")
        igor.send(question)
        seat.sees(question)
        seat.reply(question, answer)
        answered = found(igor, answer)
        assert igor.history(1, after=answered - 1)[0].about == found(igor, question)

        seat.say(wrong)
        original = found(igor, wrong)
        seat.edit(wrong, right)
        soon(lambda: igor.current(original).text == right, "the edit")
        seat.react(question, "yes")
        soon(lambda: name in igor.current(found(igor, question)).reactions.get("yes", ()), "the reaction")
        igor.react(found(igor, answer), "fine")
        seat.sees_reaction("Igor", answer, "fine")
        seat.say(secret)
        gone = found(igor, secret)
        seat.redact(secret)
        soon(lambda: igor.current(gone).text is None, "the redaction")

        igor.mark_read(found(igor, answer))
        seat.sees_read("Igor", answer)
        soon(lambda: name in igor.confirmations(found(igor, question)).read_by, f"{name} has read")
        seat.finds(question, question)
        seat.sees_here(["Igor", name], ["one", "two"] if place.has_sites else [])
        kept = seat.kept(place.folder)
        assert question in kept
        assert answer in kept
        assert right in kept
        assert secret not in kept

        seat.leave()
        soon(lambda: name not in igor.members, f"{name} left")
        soon(lambda: f"{name} left" in [m.text for m in igor.history()], f"{name} left")
        with pytest.raises(NameTaken):
            place.join("Igor", place.there, "another machine")
