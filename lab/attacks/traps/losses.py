"""Losses that never were: a room that believed in one would take no message any more."""

import hmac
from collections.abc import Iterator

from lab.attacks.target import Target
from lab.attacks.traps import Trap
from lab.attacks.wire import Attacked, Stranger, call_frame, unused_name
from pyrochat.trust.keys import Key
from pyrochat.trust.seals import make_seal

_FAR = 1_000_000
_NOTHING = bytes(32)
_TAKEN = "claims refused; the room goes on"


def _by_a_guest(target: Target) -> str:
    with target.stranger() as guest:
        return _claim_all(target, guest.greet(unused_name()))


def _by_a_member(target: Target) -> str:
    with target.stranger() as member:
        return _claim_all(target, member.prove(unused_name(), Key.made()))


def _claim_all(target: Target, member: Stranger) -> str:
    joined = member.ask(call_frame("join"))
    match joined.value:
        case [str(session_id), str(log_id), int(tail), *_]:
            pass
        case _:
            raise Attacked(f"not joined: {joined.text}")
    digest = bytes.fromhex(str(member.ask(call_frame("digest", tail)).value))
    count = 0
    for proof in _proofs(target, log_id, tail, digest):
        for claimed_log, position, has in (
            (log_id, _FAR, _NOTHING), (log_id, tail, _NOTHING), ("an earlier log", _FAR, _NOTHING), (log_id, 1 << 62, digest),
        ):  # fmt: skip
            member.send(call_frame("join", None, [session_id, claimed_log, position, has.hex(), proof]))
            said = member.outcome()
            if not said.startswith(("log-lost", "other-log", "invalid-argument")):
                raise Attacked(f"a claim with {proof!r} was answered: {said}")
            count += 1
        posted = member.ask(call_frame("post", "still taken"))
        if posted.is_refusal:
            raise Attacked(f"{proof!r} has stopped the room: {posted.text}")
    return f"{count} {_TAKEN}"


def _proofs(target: Target, log_id: str, tail: int, digest: bytes) -> Iterator[object]:
    """No proof, nonsense, what older versions took, other keys' seals, and true ones that prove nothing of this log."""
    servers = Key.from_pem((target.folder / "config" / "server-key.pem").read_bytes(), "the server's key")
    seals = [
        (_FAR, "00" * 32), (_FAR, "5a" * 96), (_FAR, ""), (_FAR, "é" * 192), (_FAR, "x" * 60_000),
        (_FAR, hmac.digest(b"", b"%d:%b" % (_FAR, _NOTHING), "sha256").hex()),
        (_FAR, make_seal(Key.made(), log_id, _FAR, _NOTHING)), (tail, make_seal(Key.made(), log_id, tail, _NOTHING)),
        (_FAR, make_seal(servers, "an earlier log", _FAR, _NOTHING)), (tail, make_seal(servers, log_id, tail, digest)),
        (_FAR, make_seal(servers, log_id, tail, digest)), (1, make_seal(servers, log_id, tail, digest)),
    ]  # fmt: skip
    yield None
    yield from ([id, digest.hex(), text] for id, text in seals)
    yield from (5, [], [_FAR], [_FAR, 5, 5], ["x", "", ""], [-1, "", ""], [1 << 80, "", ""])


TRAPS = [
    Trap("a guest who claims losses, with forged and old seals", _by_a_guest, _TAKEN),
    Trap("a member who claims losses, with forged and old seals", _by_a_member, _TAKEN),
]
