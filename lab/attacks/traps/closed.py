"""A closed room, and those who want to learn of it from outside."""

import contextlib

import pyrochat
from lab.attacks.target import Target
from lab.attacks.traps import Trap
from lab.attacks.wire import Attacked, call_frame, greeting
from pyrochat.room.door.closed import ClosedRooms
from pyrochat.room.door.registry import Registry
from pyrochat.values.protocol import SERVER_OBJECT, room_object

_SECRET = "swordfish"
_CALLS: list[tuple[str, list[object]]] = [
    ("post", ["x"]), ("post_many", [["x"]]), ("history", []), ("search", [_SECRET]), ("members", []), ("current", [1]),
    ("confirmations", [1]), ("join", []), ("standing", []), ("digest", [0]), ("mark_read", [1]), ("invite", ["Igor"]),
    ("remove", ["Igor"]), ("rooms", []), ("direct", ["Igor"]), ("leave", []),
]  # fmt: skip


def _closed_room(target: Target) -> str:
    """The object id of a room of two, in which something was said."""
    with target.configured():
        with pyrochat.join("Igor", at=target.at), pyrochat.join("Ana", at=target.at) as ana, ana.direct("Igor") as room:
            room.send(f"the password is {_SECRET}")
        with contextlib.closing(Registry(target.folder / "data")) as registry:
            return room_object(ClosedRooms(registry.file).all()[-1].room)


def _asked_about(target: Target) -> str:
    """By whoever has no name, and by a guest: lists, searches, objects that may be there."""
    object_id = _closed_room(target)
    said = ""
    for name in (None, "Eve"):
        with target.stranger() as outsider:
            outsider.greet(name)
            for frame in (
                call_frame("rooms", object_id=SERVER_OBJECT),
                *([call_frame("search", _SECRET)] if name else []),
            ):
                found = outsider.ask(frame).text
                if "Ana+Igor" in found or _SECRET in found or object_id in found:
                    raise Attacked(f"an outsider is told of a closed room: {found}")
            outsider.send(call_frame("closed_rooms", object_id=SERVER_OBJECT))
            said = f"{outsider.outcome() if name is None else outsider.ask(call_frame('rooms')).text}"
    for guess in (room_object("Ana+Igor"), room_object("+Ana+Igor"), object_id[:-1]):
        with target.stranger() as outsider:
            outsider.send(greeting({"name": "Eve"}, guess))
            said = outsider.outcome()
    return said


def _known_by_its_id(target: Target) -> str:
    """By a guest who has found out the object's id: every method."""
    object_id = _closed_room(target)
    said = ""
    with target.stranger() as outsider:
        reply = outsider.ask(greeting({"name": "Eve"}, object_id))
        if reply.is_refusal:
            raise Attacked(f"the trap is none: {reply.text}")
        for method, arguments in _CALLS:
            outsider.send(call_frame(method, *arguments, object_id=object_id))
            said = outsider.outcome()
            if "room-not-found" not in said:
                raise Attacked(f"{method} says that there is a room: {said}")
    return said


TRAPS = [
    Trap("a closed room, asked about from outside", _asked_about, "no such room"),
    Trap("a closed room, by somebody who has its id", _known_by_its_id, "room-not-found"),
]
