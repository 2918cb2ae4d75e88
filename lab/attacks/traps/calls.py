"""Calls that nobody should make."""

import re

from Pyro5 import core, protocol

from lab.attacks.target import Target
from lab.attacks.traps import Trap
from lab.attacks.wire import CLOSED, LOBBY, Attacked, Stranger, call_frame, frame, greeting, unused_name
from pyrochat.pyro.serializers import MSGPACK, SERPENT, encode_value
from pyrochat.trust.keys import Key
from pyrochat.values.protocol import SERVER_OBJECT

ROOM_CALLS: list[tuple[str, list[object]]] = [
    ("post", ["x"]), ("post_many", [["x"]]), ("history", []), ("members", []), ("confirmations", [1]), ("join", []),
    ("attach", ["x", 0]), ("standing", []), ("digest", [0]), ("mark_read", [1]), ("leave", []),
]  # fmt: skip
_PRIVATE = ["__class__", "__init__", "__dict__", "_room", "_door", "_identity", "__reduce__", "_pyroId", "_pyroDaemon"]


def _daemon(target: Target) -> str:
    """What a stock daemon tells anybody."""
    said = ""
    with target.stranger() as nobody:
        nobody.greet(None)
        for method in ("registered", "info", "get_next_stream_item", "close_stream", "shutdown", "unregister"):
            nobody.send(call_frame(method, object_id=core.DAEMON_NAME))
            said = nobody.outcome()
            if method in ("registered", "info") and LOBBY in said:
                raise Attacked(f"{method} lists objects: {said}")
    return said


def _metadata(target: Target) -> str:
    with target.stranger() as nobody:
        nobody.greet(None).send(call_frame("get_metadata", "Pyro.NameServer", object_id=core.DAEMON_NAME))
        return nobody.outcome()


def _before_prove(target: Target) -> str:
    """Everything that a room and the server have, by somebody who has named a key and not proved it."""
    said = ""
    with target.stranger() as applicant:
        applicant.apply("applicant", Key.made())
        for method, arguments in ROOM_CALLS:
            applicant.send(call_frame(method, *arguments))
            said = _refused(applicant, "proof-missing")
        for method in ("rooms", "version"):
            applicant.send(call_frame(method, object_id=SERVER_OBJECT))
            said = _refused(applicant, "proof-missing")
    return said


def _daemon_before_prove(target: Target) -> str:
    with target.stranger() as applicant:
        applicant.apply("applicant", Key.made())
        applicant.send(call_frame("get_metadata", LOBBY, object_id=core.DAEMON_NAME))
        return applicant.outcome()


def _wrong_proof(target: Target) -> str:
    with target.stranger() as applicant:
        right = applicant.apply("applicant", Key.made())
        applicant.send(call_frame("prove", "00" * 64))
        said = _refused(applicant, "proof-wrong")
        applicant.send(call_frame("prove", right))
        said = _refused(applicant, "proof-wrong")
        applicant.send(call_frame("post", "x"))
        return said + "; then " + applicant.outcome()


def _nobody(target: Target) -> str:
    said = ""
    with target.stranger() as nobody:
        nobody.greet(None)
        for method, arguments in ROOM_CALLS:
            nobody.send(call_frame(method, *arguments))
            said = _refused(nobody, "name-missing")
    return said


def _refused(stranger: Stranger, code: str) -> str:
    said = stranger.outcome()
    if code not in said:
        raise Attacked(f"expected {code}, got: {said}")
    return said


def _private(target: Target) -> str:
    said = ""
    with target.stranger() as member:
        member.greet(unused_name())
        for method in _PRIVATE:
            member.send(call_frame(method))
            said = member.outcome()
            if "/" in said or "Traceback" in said:
                raise Attacked(f"an error tells of the inside: {said}")
    return said


def _batch(calls: list[object], flags: int = protocol.FLAGS_BATCH) -> bytes:
    payload = encode_value([LOBBY, "<batch>", calls, {}], MSGPACK)
    return frame(protocol.MSG_INVOKE, payload, flags=flags)


def _large_batch(target: Target) -> str:
    with target.stranger() as member:
        member.greet(unused_name()).send(_batch([["members", [], {}]] * 20_000))
        return _batch_outcome(member)


def _batch_of_histories(target: Target) -> str:
    """A megabyte asked for a thousand times in one call."""
    with target.stranger(60.0) as member:
        member.greet("historian")
        texts = [f"{n}".ljust(1000, ".") for n in range(800)]
        posted = member.ask(call_frame("post_many", texts, "history"))
        if posted.is_refusal:
            return f"could not prepare: {posted.text}"
        member.send(_batch([["history", [], {}]] * 1000))
        return _batch_outcome(member)


def _batch_outcome(member: Stranger) -> str:
    reply = member.reply()
    if reply is None:
        return CLOSED
    if reply.is_refusal:
        return reply.text
    answers = reply.value if isinstance(reply.value, list) else []
    match answers[-1:]:
        case [{"exception": {"args": [said, *_]}}]:
            return f"{said} (after {len(answers) - 1:,})"
    return f"answered {len(answers):,}"


def _oneways(target: Target) -> str:
    """A thousand calls that want no answer: a stock daemon starts a thread for each."""
    before = target.vitals.threads
    with target.stranger() as member:
        member.greet("oneway").send(call_frame("members", flags=protocol.FLAGS_ONEWAY) * 1000)
        member.send(call_frame("members"))
        most = target.vitals.threads
        reply = member.reply()
    if reply is None or reply.is_refusal:
        return "not answered"
    if most > before + 5:
        raise Attacked(f"{most - before} threads more")
    return "no thread more, and no answer"


def _flags(target: Target) -> str:
    """Streams, kept serializations, correlation ids: ignored, the call is an ordinary one."""
    flags = protocol.FLAGS_KEEPSERIALIZED | protocol.FLAGS_ITEMSTREAMRESULT | protocol.FLAGS_CORR_ID | 0xFF00
    with target.stranger() as member:
        reply = member.greet("flags").ask(call_frame("members", flags=flags))
        if reply.flags:
            raise Attacked(f"answered with flags {reply.flags}")
        member.send(call_frame("members", flags=protocol.FLAGS_EXCEPTION, object_id="pyrochat.nowhere"))
        return f"ignored; {member.outcome()}"


def _greeting_flags(target: Target) -> str:
    with target.stranger() as stranger:
        data = {"object": "pyrochat.nowhere", "handshake": {"name": "x"}}
        flags = protocol.FLAGS_BATCH | protocol.FLAGS_ONEWAY | protocol.FLAGS_KEEPSERIALIZED
        stranger.send(frame(protocol.MSG_CONNECT, encode_value(data, SERPENT), SERPENT, flags))
        return stranger.outcome()


def _endless_name(target: Target) -> str:
    with target.stranger() as stranger:
        stranger.send(greeting({"name": "n" * 60_000}))
        return stranger.outcome()


def _keys_of_an_earlier_guest(target: Target) -> str:
    """A guest under the name of one who has gone, with the keys that it may have used."""
    name = unused_name()
    for text in ("of the first", "of the second"):
        with target.stranger() as guest:
            posted = guest.greet(name).ask(call_frame("post", text, "key"))
        if posted.is_refusal:
            return posted.text
        match posted.value:
            case [_, _, _, str(said), *_] if said == text:
                continue
        raise Attacked(f"the second guest got what the first one had sent: {posted.value}")
    return "each has its own message"


_ODD: list[object] = [
    None, True, -1, 2**63, 1.5, "", "x", [], [[]], {}, {"a": {}}, [None] * 5, ["s", "l", 0, "00", [1, "zz", "s"]],
]  # fmt: skip


def _odd_arguments(target: Target) -> str:
    """Every call with what nobody would give it: what is told is the caller's mistake, and nothing of the inside."""
    told = 0
    with target.stranger() as guest, target.stranger() as nobody:
        guest.greet(unused_name())
        nobody.greet(None)
        calls = [(guest, LOBBY, method) for method, _ in ROOM_CALLS if method != "attach"]  # takes the connection
        calls += [(nobody, SERVER_OBJECT, "rooms"), (nobody, SERVER_OBJECT, "version")]
        calls += [(nobody, core.DAEMON_NAME, "get_metadata"), (nobody, core.DAEMON_NAME, "ping")]
        for peer, object_id, method in calls:
            for odd in _ODD:
                for arguments in ([odd], [odd, odd], [None, odd]):
                    reply = peer.ask(call_frame(method, *arguments, object_id=object_id))
                    if not reply.is_refusal:
                        continue
                    told += 1
                    if "internal-error" in reply.text or not (
                        re.match("[a-z]+(-[a-z]+)+: ", reply.text) or f"{method}()" in reply.text
                    ):
                        raise Attacked(f"{method}{arguments!r}: {reply.text}")
    return f"{told} mistakes told as the caller's"


TRAPS = [
    Trap("Pyro.Daemon's lists and streams", _daemon, "unknown remote attribute|has no attribute|unexposed"),
    Trap("get_metadata of what is not there", _metadata, "room-not-found"),
    Trap("every call before prove", _before_prove, "proof-missing"),
    Trap("Pyro.Daemon before prove", _daemon_before_prove, "proof-missing"),
    Trap("a wrong proof, then the right one", _wrong_proof, "proof-wrong"),
    Trap("every call without a name", _nobody, "name-missing"),
    Trap("private names", _private, "private|unknown|unexposed"),
    Trap("a batch of 20,000 calls", _large_batch, "calls in one batch|too many values"),
    Trap("a batch of 1,000 histories", _batch_of_histories, "invalid-|too-large|rate-limited", most_mib=20.0),  # one answer of 16 MB
    Trap("1,000 oneway calls", _oneways, "no thread more"),
    Trap("streams, KEEPSERIALIZED, unknown flags", _flags, "ignored; .*room-not-found"),
    Trap("flags in a greeting", _greeting_flags, "room-not-found"),
    Trap("the keys of an earlier guest of this name", _keys_of_an_earlier_guest, "each has its own"),
    Trap("every call with odd arguments", _odd_arguments, "told as the caller's", most_mib=20.0),
    Trap("a name of 60,000 letters", _endless_name, "invalid-name"),
]  # fmt: skip
