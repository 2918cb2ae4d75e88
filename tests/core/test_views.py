"""Views: who was a member when."""

from __future__ import annotations

from pyrochat.core.views import Views
from tests.support import chat_message, joined_message, left_message


def test_a_stay_is_from_the_joined_up_to_not_with_the_left() -> None:
    views = Views([joined_message(2, "Ana"), left_message(5, "Ana"), joined_message(7, "Ana")])
    assert [id for id in range(1, 10) if views.members_at(id) == ["ana"]] == [2, 3, 4, 7, 8, 9]
    assert views.members_at(1) == views.members_at(5) == []


def test_the_newest_view_is_in_the_order_of_joins() -> None:
    views = Views(
        [joined_message(1, "Zoë"), joined_message(2, "Ana"), left_message(3, "Zoë"), joined_message(4, "Zoë")]
    )
    assert views.present == ["Ana", "Zoë"]
    assert views.count == 2


def test_a_member_is_the_same_in_every_spelling() -> None:
    views = Views([joined_message(1, "Zoë"), left_message(3, "ZOE\u0308"), joined_message(4, "ZOË")])
    assert views.present == ["ZOË"]
    assert views.members_at(2) == ["zoë"]
    assert views.members_at(3) == []
    assert views.is_present("zoë")
    assert views.name_of("zoë") == "ZOË"


def test_a_name_outlives_its_stay_and_a_strangers_is_its_folded_form() -> None:
    views = Views([joined_message(1, "Ana"), left_message(2, "Ana")])
    assert views.name_of("ana") == "Ana"
    assert views.name_of("igor") == "igor"
    assert not views.is_present("ana")


def test_messages_that_change_nothing_are_passed_over() -> None:
    views = Views()
    views.apply([chat_message(1, "Ana joined", sender="Ana"), left_message(2, "Igor"), joined_message(3, "Ana")])
    views.apply([joined_message(4, "ANA"), chat_message(5)])
    assert views.present == ["Ana"]
    assert views.members_at(2) == []
    assert views.members_at(5) == ["ana"]
