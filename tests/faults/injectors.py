"""One fault each, put into a good history. An injector that finds no place for its fault raises `NoPlace`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lab.faults.events import FAILED, OK
from lab.faults.history import SYSTEM, Content, Replica, SightOfMarks
from tests.faults.scene import Scene

Injector = Callable[[Scene], None]


# -- messages ------------------------------------------------------------------------------------------------


def acknowledge_what_is_not_there(scene: Scene) -> None:
    scene.send("ana", "gone", OK, scene.settled[0].end + 1)


def cut_the_log_back(scene: Scene) -> None:
    """What one client got and another was acknowledged is not there after a restart; the client is killed too."""
    end = scene.settled[0].end or 0
    newcomer(scene, list(range(1, end + 1)), 1)
    early = scene.history.replicas[-1]
    early.complete, early.end = False, None
    scene.send("ana", "cut off", OK, end + 1)
    early.add(end + 1, Content("ana", "cut off"), scene.tick())


def put_another_in_an_acknowledged_place(scene: Scene) -> None:
    lost = scene.acknowledged()
    id, other = lost.id, scene.sent("instead", lost.member)
    for replica in scene.replicas:
        replica.contents = [
            other if n == id else content for n, content in zip(replica.ids, replica.contents, strict=True)
        ]
    scene.history.sends[-1].begun = min(send.begun for send in scene.history.sends)


def store_a_message_again(scene: Scene) -> None:
    scene.append(scene.log[scene.chat_id() - 1])


def store_a_key_again(scene: Scene) -> None:
    content = scene.log[scene.chat_id() - 1]
    scene.append(replace(scene.sent("another text", content.sender), key=content.key))


def acknowledge_under_another_id(scene: Scene) -> None:
    first = scene.append(scene.sent("first"))
    second = scene.append(Content("ana", "second"))
    scene.send("ana", "second", OK, first)
    assert second != first


def store_what_nobody_sent(scene: Scene) -> None:
    scene.append(Content("ana", "out of nothing"))


def store_what_failed(scene: Scene) -> None:
    scene.send("ana", "refused", FAILED)
    scene.append(Content("ana", "refused"))


def forge_a_sender(scene: Scene) -> None:
    scene.append(replace(scene.sent("mine", "ana"), sender="bo"))


def store_what_went_to_another_room(scene: Scene) -> None:
    scene.send("ana", "elsewhere", OK, 1, room="another room")
    scene.append(Content("ana", "elsewhere"))


def label_with_another_room(scene: Scene) -> None:
    scene.pick(scene.replicas).strays.append((1, "another room"))


# -- replicas ------------------------------------------------------------------------------------------------


def change_one_replica(scene: Scene) -> None:
    starts = scene.history.server_starts
    places = [
        (one, id)
        for id in range(1, scene.settled[0].end + 1)
        if scene.log[id - 1].kind != SYSTEM
        for one in scene.replicas
        for other in scene.replicas
        if other is not one and (mine := one.time_of(id)) and (theirs := other.time_of(id))
        if not any(min(mine, theirs) <= start <= max(mine, theirs) for start in starts)
    ]
    replica, id = scene.pick(places)
    replica.contents[id - 1] = Content("ana", "something else")


def use_an_id_again(scene: Scene) -> None:
    places = []
    for id in range(1, scene.settled[0].end + 1):
        for start in scene.history.server_starts if scene.log[id - 1].kind != SYSTEM else ():
            late = [r for r in scene.replicas if (at := r.time_of(id)) and at > start]
            if late and any((at := r.time_of(id)) and at < start for r in scene.replicas):
                places.append((id, late))
    id, late = scene.pick(places)
    for replica in late:
        replica.contents[id - 1] = Content("ana", "second use")


def show_a_join_elsewhere(scene: Scene) -> None:
    at = scene.append(Content("nils", "nils joined", SYSTEM))
    scene.append(scene.sent("beside it"))
    contents = scene.pick(scene.settled).contents
    contents[at - 1], contents[at] = contents[at], contents[at - 1]


def join_twice(scene: Scene) -> None:
    for _ in range(2):
        scene.append(Content("nils", "nils joined", SYSTEM))


def leave_without_being_there(scene: Scene) -> None:
    scene.append(Content("nils", "nils left", SYSTEM))


def leave_a_gap(scene: Scene) -> None:
    scene.append(scene.sent("before"))
    scene.append(scene.sent("missing"), but=scene.pick(scene.settled))
    scene.append(scene.sent("after"))


def swap_two_deliveries(scene: Scene) -> None:
    replica = scene.pick(scene.clients)
    for text in ("before", "one", "two"):
        scene.append(scene.sent(text))
    for column in (replica.ids, replica.contents):
        column[-2], column[-1] = column[-1], column[-2]


def deliver_again(scene: Scene) -> None:
    replica = scene.pick(scene.clients)
    id = scene.append(scene.sent("before"))
    replica.add(id, replica.contents[-1], scene.tick())


def newcomer(scene: Scene, ids: list[int], tail: int) -> None:
    replica = Replica("late#1", "late", scene.room, tail, end=scene.settled[0].end, complete=True)
    for id in ids:
        replica.add(id, scene.log[id - 1], scene.tick())
    scene.history.replicas.append(replica)


def miss_between_history_and_live(scene: Scene) -> None:
    end = scene.settled[0].end
    tail = scene.random.randint(2, end - 1)
    missing = scene.pick([tail, tail + 1] if tail + 1 < end else [tail])
    newcomer(scene, [id for id in range(1, end + 1) if id != missing], tail)


def miss_the_history(scene: Scene) -> None:
    end = scene.settled[0].end
    newcomer(scene, list(range(end, end + 1)), end - 1)


def overlap_of_history_and_live(scene: Scene) -> None:
    end = scene.settled[0].end
    tail = scene.random.randint(1, end - 1)
    newcomer(scene, [*range(1, tail + 1), *range(tail, end + 1)], tail)


def stay_behind(scene: Scene) -> None:
    scene.append(scene.sent("last"), but=scene.pick(scene.settled))


# -- order -----------------------------------------------------------------------------------------------------


def reorder(scene: Scene, first: str, second: str) -> None:
    end = scene.settled[0].end
    scene.send(first, "begun first", OK, end + 2)
    scene.send(second, "begun second", OK, end + 1)
    scene.append(Content(second, "begun second"))
    scene.append(Content(first, "begun first"))


def reorder_one_senders(scene: Scene) -> None:
    reorder(scene, "ana", "ana")


def reorder_two_senders(scene: Scene) -> None:
    reorder(scene, "ana", "bo")


# -- confirmations -----------------------------------------------------------------------------------------


def confirm_by_nobody_known(scene: Scene) -> None:
    scene.answer(scene.append(scene.sent("a")), {"stranger"}, {"stranger"})


def confirm_by_the_sender(scene: Scene) -> None:
    scene.answer(scene.append(scene.sent("a", "ana")), set(), set(), frozenset({"ana"}))


def confirm_by_a_later_member(scene: Scene) -> None:
    id = scene.append(scene.sent("a"))
    scene.append(Content("nils", "nils joined", SYSTEM))
    scene.answer(id, {"nils"}, set())


def read_what_was_not_delivered(scene: Scene) -> None:
    member = scene.pick(scene.clients).member
    id = scene.append(scene.sent("a", "another"))
    scene.answer(id, set(), {member})


def read_before_it_was_shown(scene: Scene) -> None:
    member = scene.pick(scene.clients).member
    content = scene.sent("a", "another")
    scene.answer(scene.settled[0].end + 1, {member}, {member})
    scene.append(content)


def deliver_to_one_who_never_got_it(scene: Scene) -> None:
    join = scene.append(Content("nils", "nils joined", SYSTEM))
    replica = Replica("nils#1", "nils", scene.room, join, end=join)
    for id, content in enumerate(scene.log, 1):
        replica.add(id, content, scene.tick())
    scene.history.replicas.append(replica)
    scene.answer(scene.append(scene.sent("a")), {"nils"}, set())


def take_a_confirmation_back(scene: Scene, restart: bool = False) -> None:
    member = scene.pick(scene.clients).member
    id = scene.append(scene.sent("a", "another"))
    scene.answer(id, {member}, {member})
    if restart:
        scene.history.server_starts.append(scene.tick())
    read = scene.random.random() < 0.5
    scene.answer(id, {member} if read else set(), set(), frozenset({member}))


def take_marks_back(scene: Scene, restart: bool = False) -> None:
    for marks in ((7, 5), (7, 4)):
        scene.history.marks.append(SightOfMarks("asking", scene.room, {"ana": marks}, scene.tick()))
        if restart:
            scene.history.server_starts.append(scene.tick())


def lose_a_confirmation(scene: Scene) -> None:
    take_a_confirmation_back(scene, restart=True)


def lose_marks(scene: Scene) -> None:
    take_marks_back(scene, restart=True)


INJECTORS: list[tuple[str, Injector]] = [
    ("lost", acknowledge_what_is_not_there),
    ("lost", cut_the_log_back),
    ("lost", put_another_in_an_acknowledged_place),
    ("twice", store_a_message_again),
    ("twice", store_a_key_again),
    ("twice", acknowledge_under_another_id),
    ("never sent", store_what_nobody_sent),
    ("failed but there", store_what_failed),
    ("forged sender", forge_a_sender),
    ("wrong room", store_what_went_to_another_room),
    ("wrong room", label_with_another_room),
    ("replicas differ", change_one_replica),
    ("id used again", use_an_id_again),
    ("views differ", show_a_join_elsewhere),
    ("impossible view", join_twice),
    ("impossible view", leave_without_being_there),
    ("out of order", leave_a_gap),
    ("out of order", swap_two_deliveries),
    ("out of order", deliver_again),
    ("torn join", miss_between_history_and_live),
    ("torn join", miss_the_history),
    ("torn join", overlap_of_history_and_live),
    ("left behind", stay_behind),
    ("sender's order", reorder_one_senders),
    ("real-time order", reorder_two_senders),
    ("confirmed by a stranger", confirm_by_nobody_known),
    ("confirmed by a stranger", confirm_by_the_sender),
    ("confirmed by a stranger", confirm_by_a_later_member),
    ("confirmed too early", read_what_was_not_delivered),
    ("confirmed too early", read_before_it_was_shown),
    ("confirmed too early", deliver_to_one_who_never_got_it),
    ("confirmation taken back", take_a_confirmation_back),
    ("confirmation taken back", take_marks_back),
    ("confirmation lost", lose_a_confirmation),
    ("confirmation lost", lose_marks),
]
