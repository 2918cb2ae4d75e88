"""Who somebody is: no argument makes one member another, and a name stays with its key."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from Pyro5 import errors as pyro_errors

import pyrochat
from lab.attacks.wire import Attacked, Stranger, call_frame, greeting
from pyrochat import Chat, NameTaken, PyroChatError, RoomUnreachable, Server
from pyrochat.pyro.remote import RemoteObject
from pyrochat.room.door.registry import Registry
from pyrochat.trust.keys import Key
from tests.security.support import Host, Join, entered, knocking
from tests.support import QUICK, Running, address_of, bare, changes, copied, eventually, texts


def methods_of(server: Server, object_id: str) -> list[str]:
    """What anybody is told can be called on *object_id*."""
    with contextlib.closing(RemoteObject(address_of(server), "Pyro.Daemon", "hello", timeout=20)) as daemon:
        answer = daemon.call("get_metadata", object_id)
    assert isinstance(answer, dict)
    assert answer["attrs"] == []
    return sorted(answer["methods"])


class Caller:
    """Calls as Mallory, on a new connection whenever the last one is gone."""

    def __init__(self, server: Server, key: Key | None) -> None:
        self._server = server
        self._key = key
        self._undo = contextlib.ExitStack()
        self._remote: RemoteObject | None = None

    def call(self, method: str, *arguments: object) -> object:
        if self._remote is None:
            self._remote = self._undo.enter_context(self._connected())
        try:
            return self._remote.call(method, *arguments)
        except RoomUnreachable as error:
            if "refused" not in str(error):  # a wrong number of arguments ends no connection
                self.close()
        except PyroChatError:
            pass
        return None

    def _connected(self) -> contextlib.AbstractContextManager[RemoteObject]:
        if self._key is not None:
            return entered(self._server, "Mallory", self._key)
        remote = RemoteObject(address_of(self._server), "pyrochat.lobby", {"name": "Mallory"}, timeout=20)
        return contextlib.closing(remote)

    def close(self) -> None:
        self._remote = None
        self._undo.close()


@pytest.fixture(params=["with a key", "as a guest"])
def mallory(request: pytest.FixtureRequest, host_lobby: Host) -> Iterator[tuple[Server, Caller]]:
    server = host_lobby(rate=0)
    caller = Caller(server, Key.made() if request.param == "with a key" else None)
    yield server, caller
    caller.close()


def test_no_call_with_any_argument_makes_one_member_another(mallory: tuple[Server, Caller], config_dir: Path) -> None:
    server, caller = mallory
    with pyrochat.join("Ana", at=server.at, read="manual", timing=QUICK) as ana:
        states: list[str] = []
        ana.on_state(lambda state, reason: states.append(state))
        mine = ana.send("mine")
        caller.call("post", "not read by Ana")
        session = ana._session
        end, log_id = ana.history()[-1].id, ana._replica.log_id
        resume = [session._session_id, log_id, end, ana._replica.digest(end).hex(), ana._replica.proof()]
        public = Key.kept_at(config_dir / "key.pem").public.hex()
        others = [session._session_id, "Ana", public, resume, end, 0, None]
        called = 0
        for method in methods_of(server, "pyrochat.lobby"):
            for count in range(4 if method in ("join", "attach") else 3):
                for arguments in itertools.product(others, repeat=count):
                    answer = caller.call(method, *arguments)
                    called += 1
                    if method == "join" and isinstance(answer, list):
                        assert answer[0] != session._session_id, f"Ana's session was given for {arguments}"
        assert called > 1_000
        caller.close()
        check_ana_is_untouched(server, ana, states)
        assert ana.confirmations(mine.id).delivered_to <= {"Mallory"}


def check_ana_is_untouched(server: Server, ana: Chat, states: list[str]) -> None:
    history = ana.history()
    assert [m.text for m in history if m.sender == "Ana"] == ["Ana joined", "mine"]
    assert len([m for m in history if m.sender == "Mallory"]) > 8, "the calls of Mallory were not even served"
    assert "Ana left" not in changes(history)
    assert ana.marks["Ana"][1] < next(m.id for m in history if m.text == "not read by Ana")
    assert ana.state == "connected"
    assert states == []
    last = ana.send("and still here")
    assert ana.wait_for(last.id, timeout=20) == last
    assert [s.name for s in server.status()[0].sessions if s.name == "Ana"] == ["Ana"]


def test_keywords_name_nobody_else(server: Server, joined: Join) -> None:
    joined("Ana")
    with bare(server, "Mallory") as mallory:
        for word in ("sender", "name", "member", "identity", "session_id", "self"):
            with pytest.raises(TypeError):
                mallory.post("x", **{word: "Ana"})
            with pytest.raises(TypeError):
                mallory.leave(**{word: "Ana"})
        mallory.post("x")
        assert [m[2] for m in mallory.history() if m[5] == "chat"] == ["Mallory"]


def test_a_session_named_in_the_greeting_has_to_be_ones_own(server: Server, joined: Join) -> None:
    ana = joined("Ana")
    session = ana._session._session_id
    with knocking(server, "Mallory", session=session) as knock:
        knock.prove()
        with pytest.raises(PyroChatError, match="this session has ended"):
            knock.remote.call("leave")
    with bare(server, "Mallory2", session=session) as guest, pytest.raises(PermissionError, match="not-a-member"):
        guest.leave()
    assert ana.members == ["Ana"]


# -- names and keys ------------------------------------------------------------------------------------------------


VARIANTS = ["Zoë", "zoË", "ZOË", unicodedata.normalize("NFD", "Zoë")]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_name_stays_with_its_key_when_it_is_not_in_use_and_after_a_restart(
    host_lobby: Host, joined: Join, name: str
) -> None:
    server = host_lobby()
    joined("Zoë", at=server.at).leave()
    with pytest.raises(NameTaken, match="belongs to another key"):
        joined(name, client="thief", at=server.at)
    server.close()
    server = host_lobby()
    with pytest.raises(NameTaken, match="belongs to another key"):
        joined(name, client="thief", at=server.at)
    assert len(joined(name, at=server.at).members) == 1


def test_a_guest_gets_no_name_that_a_key_holds(server: Server, joined: Join) -> None:
    joined("Zoë").leave()
    for name in VARIANTS:
        with bare(server, name) as guest, pytest.raises(pyro_errors.CommunicationError, match="name-taken: "):
            guest.post("forged")
    assert texts(joined("Zoë").history()) == []


def test_a_name_in_the_view_waits_for_its_key_over_a_crash(host_lobby: Host, joined: Join, data: Path) -> None:
    joined("Ana")
    crashed = data.with_name("crashed")
    copied(data, crashed)  # as kill -9 would leave it
    server = host_lobby(data=crashed)
    with pytest.raises(NameTaken):
        joined("ANA", client="thief", at=server.at)
    with bare(server, "ana") as guest, pytest.raises(pyro_errors.CommunicationError, match="name-taken: "):
        guest.members()
    assert joined("Ana", at=server.at).members == ["Ana"]


def test_the_name_of_a_guest_goes_to_a_key_when_the_guest_is_gone(server: Server, joined: Join) -> None:
    with bare(server, "Ana") as guest:
        guest.post("as a guest")
        with pytest.raises(NameTaken, match="in use"):
            joined("ANA")
    ana = eventually(lambda: joined_or_none(joined, "ANA"))
    assert texts(ana.history()) == ["as a guest"]
    ana.leave()
    with bare(server, "Ana") as guest, pytest.raises(pyro_errors.CommunicationError, match="name-taken: "):
        guest.members()


def joined_or_none(joined: Join, name: str, **options: object) -> Chat | None:
    try:
        return joined(name, **options)
    except NameTaken:  # the server has not noticed yet that the guest is gone
        return None


def test_one_server_has_one_registry_for_all_its_rooms(data: Path, joined: Join) -> None:
    with pyrochat.host(["lobby", "coffee"], data=data, nameserver=False, timing=QUICK) as server:
        joined("Ana", at=server.at).leave()
        with pytest.raises(NameTaken):
            joined("ana", client="thief", room="coffee", at=server.at)
        assert joined("Ana", room="coffee", at=server.at).members == ["Ana"]


def test_who_has_a_name_that_is_anothers_now_is_refused_and_both_are_told(
    host_lobby: Host, joined: Join, data: Path, tmp_path: Path
) -> None:
    """Compared after NFKC: the older one keeps the name until the operator frees it."""
    place = tmp_path / "other"
    before = host_lobby(data=place)
    joined("Erick", client="first", at=before.at).leave()
    joined("Igor", client="second", at=before.at).leave()
    before.close()
    with contextlib.closing(sqlite3.connect(place / "names.sqlite3")) as db:  # as if he had been Ｅrick
        db.execute(
            "UPDATE names SET member = 'before NFKC: ｅrick', name = 'Ｅrick', rival_of = 'erick' WHERE member = 'igor'"
        )
        db.commit()
    server = host_lobby(data=place)
    told: list[str] = []
    erick = joined("Erick", client="first", at=server.at)
    erick.on_notice(told.append)
    with pytest.raises(NameTaken, match=r"'Ｅrick' is the same as 'Erick' now, which another key had before yours"):
        joined("Ｅrick", client="second", at=server.at)
    again = joined("Ｅrick", client="first", at=server.at)
    assert again.members == ["Erick"]
    notices: list[str] = []
    again.on_notice(notices.append)
    eventually(lambda: told or notices)
    assert "the name 'Ｅrick', which another key has, is the same as yours now" in (told + notices)[0]
    erick.leave()
    again.leave()
    with contextlib.closing(Registry(place)) as operator:
        operator.remove("Erick")
    eventually(lambda: joined_or_none(joined, "Ｅrick", client="second", at=server.at))


def test_of_many_keys_that_come_for_a_name_at_once_one_gets_it(server: Server) -> None:
    winners: list[bytes] = []
    with contextlib.ExitStack() as stack:
        knocks = [stack.enter_context(knocking(server, name)) for name in ("Ana", "ANA", "ana", "aNa")]
        for knock in knocks:
            with contextlib.suppress(NameTaken):
                knock.prove()
                winners.append(knock.key.public)
    assert len(winners) == 1
    assert server._registry.key_of("ana") == winners[0]


def test_two_folders_with_one_key_are_two_sessions_of_one_member(
    server: Server, joined: Join, config_dir: Path
) -> None:
    laptop = joined("Ana")
    notebook_folder = config_dir.with_name("config-notebook")
    notebook_folder.mkdir()
    shutil.copy(config_dir / "key.pem", notebook_folder)
    notebook = joined("ana", client="notebook")
    igor = joined("Igor", client="igor")
    sent = notebook.send("from the notebook")
    assert laptop.wait_for(sent.id, timeout=20) == sent
    assert igor.members == ["Ana", "Igor"]
    laptop.leave()
    assert igor.wait_for(notebook.send("still here").id, timeout=20)
    assert changes(igor.history()) == ["Ana joined", "Igor joined"]
    notebook.leave()
    eventually(lambda: changes(igor.history())[-1] == "Ana left")


def test_found_5_an_owner_is_never_refused_while_others_greet_under_the_name(server: Server) -> None:
    """Guests, and others with keys, greet under the name in a loop, from several connections."""
    owner = Key.made()
    with entered(server, "Ana", owner):
        pass
    over = threading.Event()
    refused: list[str] = []

    def greet(key: Key | None) -> None:
        while not over.is_set():
            with Stranger(address_of(server)) as stranger, contextlib.suppress(Attacked):
                reply = stranger.ask(
                    greeting({"name": "Ana"}) if key is None else call_frame("prove", stranger.apply("ANA", key))
                )
                assert reply.is_refusal
                refused.append(reply.text.partition(":")[0])

    greeters = [Running(lambda key=key: greet(key)) for key in (None, None, None, Key.made())]
    try:
        eventually(lambda: len(refused) > 20)
        for _ in range(60):
            with entered(server, "Ana", owner) as ana:
                assert ana.call("members") == []
    finally:
        over.set()
        for each in greeters:
            each.result()
    assert set(refused) == {"name-taken"}
