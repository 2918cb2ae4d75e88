"""Views: who is a member now, and who ever was."""

from __future__ import annotations

from pyrochat.core.views import Member, Views
from tests.support import chat_message, joined_message, left_message


def test_the_newest_view_is_in_the_order_of_joins() -> None:
    views = Views(
        [joined_message(1, "Zoë"), joined_message(2, "Ana"), left_message(3, "Zoë"), joined_message(4, "Zoë")]
    )
    assert list(views.present.values()) == ["Ana", "Zoë"]


def test_a_member_is_the_same_in_every_spelling() -> None:
    views = Views([joined_message(1, "Zoë"), left_message(3, "ZOE\u0308"), joined_message(4, "ZOË")])
    assert views.present == {"zoë": "ZOË"}
    assert views.members == {"zoë": Member("ZOË", 1, 4)}


def test_who_has_left_was_a_member() -> None:
    views = Views([joined_message(1, "Ana"), left_message(2, "Ana"), joined_message(3, "Ana"), left_message(4, "Ana")])
    assert views.present == {}
    assert views.members == {"ana": Member("Ana", 1, None)}


def test_messages_that_change_nothing_are_passed_over() -> None:
    views = Views()
    views.apply([chat_message(1, "Ana joined", sender="Ana"), left_message(2, "Igor"), joined_message(3, "Ana")])
    views.apply([joined_message(4, "ANA"), chat_message(5)])
    assert views.present == {"ana": "Ana"}
    assert views.members == {"ana": Member("Ana", 3, 3)}
