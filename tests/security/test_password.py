"""Private rooms: without the password nobody joins, reads or posts; and it is nowhere to be seen."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from Pyro5 import errors as pyro_errors
from Pyro5.api import Proxy

from lab.attacks.wire import Stranger, greeting
from pyrochat import PyroChatError, Server
from pyrochat.core.rates import Rate
from pyrochat.folders import key_file
from pyrochat.room.door.door import Access
from pyrochat.room.door.passwords import Guessing
from pyrochat.trust.keys import Key
from pyrochat.trust.proofs import password_key
from pyrochat.values.errors import GuestsRefused, NameMissing, ProofMissing, TooManyAttempts, WrongPassword
from tests.security.support import Host, Impostor, Join, Knock, Recorder, honest_answer, knocking
from tests.security.test_proofs import ROOM_CALLS
from tests.support import SERIALIZER_NAMES, address_of, bare, eventually, texts, together
from tests.system.support import Machine, Process, free_port
from tests.system.test_terminal import ENTER, in_terminal

PASSWORD = "correct horse battery staple"


UNLIMITED = Rate(0, 0)
NEVER = 1 / 86_400  # a second: what is used up is used up for the test
PATIENT = Guessing(of_a_peer=UNLIMITED, in_all=UNLIMITED)


def private_with(guessing: Guessing) -> dict[str, object]:
    """The options of a private server on which one may guess so."""
    return {"access": Access(PASSWORD, guessing=guessing)}


@pytest.fixture
def private(serve: Host, joined: Join) -> Server:
    """A private room with a secret in it; any number of wrong passwords is heard."""
    server = serve(**private_with(PATIENT))
    joined("Ana", password=PASSWORD, at=server.at).send("a secret")
    return server


# -- nobody gets in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("serializer", SERIALIZER_NAMES)
@pytest.mark.parametrize("given", [{}, {"password": None}, {"password": ""}, {"password": "guess"}, {"password": 5},
                                   {"password": [PASSWORD]}, {"password": PASSWORD[:-1]}], ids=str)  # fmt: skip
def test_a_bare_client_without_the_password_is_served_nothing(
    private: Server, serializer: str, given: dict[str, object]
) -> None:
    for method, arguments in ROOM_CALLS.items():
        with (
            bare(private, "Mallory", serializer, **given) as proxy,
            pytest.raises(pyro_errors.CommunicationError, match=r"wrong-password: |too-many-attempts: "),
        ):
            proxy._pyroInvoke(method, arguments, {})
        if given.get("password"):
            break  # the greeting is refused, whatever would follow


def test_a_bare_client_without_a_name_is_told_the_rooms_and_nothing_else(private: Server) -> None:
    with bare(private, None) as nobody:
        for method, arguments in ROOM_CALLS.items():
            with pytest.raises(PermissionError, match="name-missing: "):
                nobody._pyroInvoke(method, arguments, {})


def test_a_bare_client_with_the_password_chats(private: Server) -> None:
    with bare(private, "Igor", password=PASSWORD) as igor:
        igor.post("olá")
        assert [m[3] for m in igor.history() if m[5] == "chat"] == ["a secret", "olá"]


def proof_of(knock: Knock, password: str) -> str:
    return knock.meeting.password_proof(password_key(password, knock.meeting.server_key)).hex()


@pytest.mark.parametrize("kind", ["none", "wrong", "of another greeting", "empty", "of another type"])
def test_a_key_without_the_password_is_served_nothing(private: Server, kind: str) -> None:
    with knocking(private, "Mallory") as other:
        elsewhere = proof_of(other, PASSWORD)
    with knocking(private, "Mallory") as knock:
        proof = {"none": None, "wrong": proof_of(knock, "guess"), "of another greeting": elsewhere, "empty": ""}
        with pytest.raises(PyroChatError):
            knock.remote.call("prove", knock.proof(), proof.get(kind, 5))
        for method, arguments in ROOM_CALLS.items():
            with pytest.raises((NameMissing, ProofMissing)):
                knock.remote.call(method, *arguments)
    assert [entry.name for entry in private._registry.entries()] == ["Ana"]  # and no name was taken either


def test_a_key_with_the_password_gets_in(private: Server) -> None:
    with knocking(private, "Igor") as knock:
        knock.remote.call("prove", knock.proof(), proof_of(knock, PASSWORD))
        assert len(knock.remote.call("history")) == 2  # type: ignore[arg-type]


def test_the_members_own_client_says_what_is_missing(private: Server, joined: Join) -> None:
    with pytest.raises(WrongPassword, match="give it with password="):
        joined("Mallory", client="m", at=private.at)
    with pytest.raises(WrongPassword, match="the password is wrong"):
        joined("Mallory", client="m", at=private.at, password="guess")
    igor = joined("Igor", at=private.at, password=PASSWORD)
    assert texts(igor.history()) == ["a secret"]


def test_a_password_that_is_not_asked_for_is_not_sent(joined: Join) -> None:
    with Impostor(honest_answer(Key.made())) as impostor:
        with contextlib.suppress(PyroChatError):
            joined("Ana", at=impostor.at, password=PASSWORD)
        assert {name: arguments[1] for name, arguments in impostor.taken if name == "prove"} == {"prove": None}
        assert "password" not in impostor.taken[0][1][0]  # type: ignore[operator]


# -- guessing ------------------------------------------------------------------------------------------------------


def test_wrong_passwords_are_heard_one_at_a_time(serve: Host) -> None:
    server = serve(**private_with(Guessing(of_a_peer=Rate(NEVER, 0))))

    def guess(number: int) -> str:
        with bare(server, f"m{number}", password=f"guess {number}") as guest, contextlib.ExitStack() as refused:
            caught = refused.enter_context(pytest.raises(pyro_errors.CommunicationError))
            guest.members()
        return str(caught.value).split("rejected: ")[1].split(":")[0]

    answers = together([lambda number=number: guess(number) for number in range(12)])  # type: ignore[misc]
    assert sorted(answers) == ["too-many-attempts"] * 11 + ["wrong-password"]


def test_after_a_wrong_one_none_is_heard_for_a_while_and_then_the_right_one_gets_in(serve: Host, joined: Join) -> None:
    server = serve(**private_with(Guessing(of_a_peer=Rate(1 / 1.5, 0))))
    with pytest.raises(WrongPassword):
        joined("Mallory", client="m", at=server.at, password="guess")
    with knocking(server, "Igor", Key.made()) as knock, pytest.raises(TooManyAttempts):
        knock.remote.call("prove", knock.proof(), proof_of(knock, PASSWORD))
    assert joined("Ana", at=server.at, password=PASSWORD).members == ["Ana"]  # waits for its turn by itself


def guesses(server: Server, *addresses: str) -> list[str]:
    """What somebody is told who guesses once from each address."""
    told = []
    for number, address in enumerate(addresses):
        with Stranger(address_of(server), source=address) as stranger:
            stranger.send(greeting({"name": f"m{number}", "password": "guess"}))
            told.append(stranger.outcome().partition(":")[0])
    return told


def test_found_11_guesses_are_limited_from_all_addresses_together(serve: Host, joined: Join) -> None:
    """The burst is 5: with the one that empties the bucket, six are heard; nobody new gets in then, as nobody can tell."""
    server = serve(**private_with(Guessing(in_all=Rate(NEVER, 5))))
    told = guesses(server, *(f"127.0.0.{number}" for number in range(2, 60)))
    assert told == ["wrong-password"] * 6 + ["too-many-attempts"] * 52
    with Stranger(address_of(server), source="127.0.0.99") as stranger:
        stranger.send(greeting({"name": "m", "password": PASSWORD}))
        assert stranger.outcome().startswith("too-many-attempts: ")


def test_found_11_a_known_key_with_the_password_gets_in_whoever_guesses(serve: Host, joined: Join) -> None:
    """Given a member's key that is known here, then neither the guesses of its own address nor all of them matter."""
    server = serve(**private_with(Guessing(Rate(NEVER, 0), Rate(NEVER, 5))))
    joined("Ana", at=server.at, password=PASSWORD).leave()
    assert "too-many-attempts" in guesses(server, *["127.0.0.1"] * 2, *(f"127.0.0.{n}" for n in range(2, 20)))
    for _ in range(3):
        joined("Ana", at=server.at, password=PASSWORD).leave()
    with pytest.raises(TooManyAttempts):  # a name that this key doesn't have
        knock_with(server, "Igor", Key.kept_at(key_file()), PASSWORD)


def test_found_11_a_known_key_that_guesses_is_limited_as_others_are(serve: Host, joined: Join) -> None:
    server = serve(**private_with(Guessing(Rate(NEVER, 0), UNLIMITED)))
    joined("Ana", at=server.at, password=PASSWORD).leave()
    told = []
    for _ in range(4):
        with pytest.raises((WrongPassword, TooManyAttempts)) as refused:
            knock_with(server, "Ana", Key.kept_at(key_file()), "guess")
        told.append(type(refused.value))
    assert told == [WrongPassword, WrongPassword, TooManyAttempts, TooManyAttempts], "its own, and its address's"


def knock_with(server: Server, name: str, key: Key, password: str) -> None:
    with knocking(server, name, key) as knock:
        knock.remote.call("prove", knock.proof(), proof_of(knock, password))


# -- no guests -----------------------------------------------------------------------------------------------------


def test_without_guests_only_keys_get_in(host_lobby: Host, joined: Join) -> None:
    server = host_lobby(guests=False)
    for more in ({}, {"password": "x"}, {"key": None}):
        with (
            bare(server, "Mallory", **more) as guest,
            pytest.raises(pyro_errors.CommunicationError, match="guests-refused: "),
        ):
            guest.history()
    assert issubclass(GuestsRefused, PyroChatError)
    assert joined("Ana", at=server.at).members == ["Ana"]


def test_the_option_no_guests(machine: Machine) -> None:
    server = machine.server("--no-guests")
    with Proxy(server.uris["lobby"]) as guest:
        guest._pyroHandshake = {"name": "Mallory"}
        with pytest.raises(pyro_errors.CommunicationError, match="guests-refused: "):
            guest.history()
    machine.client("Ana").wait_line("* Ana joined")


# -- where it can be seen ------------------------------------------------------------------------------------------


def test_our_own_client_never_sends_the_password(private: Server, joined: Join) -> None:
    with Recorder(address_of(private)) as wire:
        igor = joined("Igor", at=wire.at, password=PASSWORD)
        igor.send("over the wire")
        eventually(lambda: b"over the wire" in wire.everything)
        for shape in (PASSWORD.encode(), PASSWORD.encode().hex().encode(), PASSWORD.encode("utf-16-le")):
            assert shape not in wire.everything
        assert password_key(PASSWORD, private._door._key.public) not in wire.everything


def command_line_of(process: Process) -> bytes:
    return Path(f"/proc/{process._process.pid}/cmdline").read_bytes()


WAYS: dict[str, Callable[[Path], dict[str, object]]] = {
    "a file": lambda file: {"arguments": ["--password-file", str(file)]},
    "the environment": lambda file: {"arguments": [], "env": {"PYROCHAT_PASSWORD": PASSWORD}},
    "a file that the environment names": lambda file: {"arguments": [], "env": {"PYROCHAT_PASSWORD_FILE": file}},
}


def test_it_comes_from_a_file_or_the_environment_and_shows_in_no_command_line(machine: Machine) -> None:
    file = machine.folder / "password"
    file.write_text(f"{PASSWORD}\nanother line\n")
    server = machine.server("--password-file", str(file))
    processes: list[Process] = [server]
    for number, way in enumerate(WAYS.values()):
        options = way(file)
        arguments = options.pop("arguments")
        assert isinstance(arguments, list)
        processes.append(machine.start("pyrochat-client", f"m{number}", *arguments, **options))
    for number, client in enumerate(processes[1:]):
        client.wait_line(f"* m{number} joined")
    for process in processes:
        assert PASSWORD.encode() not in command_line_of(process)
        assert b"pyrochat-" in command_line_of(process)
        assert PASSWORD not in str(process)


def test_it_can_be_typed_at_a_prompt_and_is_not_shown(machine: Machine) -> None:
    port = free_port()
    with in_terminal(machine, "pyrochat-server", "--password", "--port", str(port)) as (hosting, _):
        asked = hosting.wait("password: ")
        hosting.type(PASSWORD + ENTER)
        hosting.wait("room 'lobby' ready", asked)
        with in_terminal(machine, "pyrochat-client", "Ana", "--at", f"localhost:{port}", "--password") as (screen, _):
            screen.wait("password: ")
            screen.type(PASSWORD + ENTER)
            screen.see("Ana joined")
            assert PASSWORD not in screen.text
        assert PASSWORD not in hosting.text


REFUSED: list[tuple[list[str], dict[str, str], int, str]] = [
    ([], {}, 1, "this room has a password: give it with --password"),
    ([], {"PYROCHAT_PASSWORD": "guess"}, 1, "the password is wrong"),
    (["--password"], {}, 2, "there is nobody to ask"),
    (["--password-file", "/no/such/file"], {}, 2, "can't read the password from /no/such/file"),
    (["--password-file", "/dev/null"], {}, 2, "is empty"),
]


def test_each_refusal_is_one_line(machine: Machine) -> None:
    server = machine.server(env={"PYROCHAT_PASSWORD": PASSWORD})
    started = [
        (machine.start("pyrochat-client", "Mallory", "--at", server.at, *arguments, env=environment), code, line)
        for arguments, environment, code, line in REFUSED
    ]
    for client, code, line in started:
        assert client.finish() == code, str(client)
        [complaint] = client.errors
        assert complaint.startswith("pyrochat-client: ")
        assert line in complaint
        assert client.lines == []


@pytest.mark.parametrize("program", ["pyrochat-server", "pyrochat-client"])
def test_a_password_that_is_no_text_is_refused_in_one_line(machine: Machine, host_lobby: Host, program: str) -> None:
    server = host_lobby(password=PASSWORD)
    arguments = ["--port", "0"] if program == "pyrochat-server" else ["Ana", "--at", server.at]
    environment = {"PYROCHAT_PASSWORD": b"\xff".decode(errors="surrogateescape")}
    process = machine.run(program, *arguments, env=environment)
    assert process.wait() in (1, 2), str(process)
    [complaint] = process.errors
    assert "internal error" not in complaint
