"""From a request to its answer: finds the object and the method, calls it, and words what goes wrong.

One function for both directions: what callers ask of a room, and what a room asks of a callback. Pyro5's
own `handleRequest` would rebuild classes out of what strangers send, answer with tracebacks, and start a
thread for a oneway call; the wire is the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from Pyro5 import errors as pyro_errors
from Pyro5 import protocol, server

from pyrochat.pyro.frames import Frame, whole_frame
from pyrochat.pyro.serializers import Call, decode_call, encode_failure, encode_value
from pyrochat.values.errors import InvalidArgument, InvalidInput, ProofMissing, PyroChatError, Refused
from pyrochat.values.wire_errors import wire_text

__all__ = ["Later", "Pending", "answer_frame", "clean", "expose", "quick"]

log = logging.getLogger(__name__)

expose = server.expose

PROVE = "prove"
"""The one method that is served to a peer which has named a key and not yet proved that it has it."""

MAX_BATCH_CALLS = 1000
MAX_BATCH_MESSAGES = 1000  # in the answer to one batch
_MOST_ERROR_CHARACTERS = 1000

Decode = Callable[[bytes, int], Call]
Exposed = TypeVar("Exposed", bound=Callable[..., Any])


class Later:
    """What a method returns whose result comes later: no thread waits for it. To be derived from."""

    def then(self, call: Callable[[], None]) -> None:
        """Call *call*, in any thread, as soon as there is a result."""
        raise NotImplementedError

    def result(self) -> object:
        """The result, waited for if need be; or raises what the method would have raised. Once."""
        raise NotImplementedError


class Pending(NamedTuple):
    """A request whose result comes later."""

    frame: Frame
    later: Later

    def answer(self) -> bytes | None:
        """Its answer, as `answer_frame` makes it; to be asked for when the result is there."""
        try:
            return _success(self.frame, self.later.result())
        except Exception as error:
            return _failure(self.frame, error)


def quick(method: Exposed) -> Exposed:
    """Mark a method that never waits: it may be called in the thread that watches all connections."""
    method.is_quick = True  # type: ignore[attr-defined]
    return method


def answer_frame(
    frame: Frame, objects: Mapping[str, object], proved: bool = True, decode: Decode = decode_call
) -> bytes | Pending | None:
    """The answer to *frame*, in a frame; None where its sender wants none (oneway).

    objects: what can be called, by object id. proved: False serves nothing but `PROVE`. decode: in place of
    `decode_call`. Errors are answers too. Raises Pyro5's ConnectionClosedError where the method has taken the
    connection, ProtocolError where *frame* is no request.
    """
    if frame.type == protocol.MSG_PING:
        return whole_frame(protocol.MSG_PING, b"pong", frame.serializer_id, frame.sequence)
    if frame.type != protocol.MSG_INVOKE:
        raise pyro_errors.ProtocolError("a call is expected here")
    results: list[object] | None = [] if frame.flags & protocol.FLAGS_BATCH else None

    try:
        call = decode(frame.payload, frame.serializer_id)
        if not proved and (call.method != PROVE or results is not None):  # and no batch, whatever it calls itself
            raise ProofMissing("your greeting named a key: prove that it is yours before anything else")
        found = objects.get(call.object_id)
        if found is None:
            raise pyro_errors.DaemonError("room-not-found: there is no such object on this server")
        value = _call(found, call) if results is None else _call_all(found, call, results)
        return Pending(frame, value) if isinstance(value, Later) else _success(frame, value)
    except pyro_errors.ConnectionClosedError:
        raise
    except Exception as error:
        return _failure(frame, error, results)


def _success(frame: Frame, value: object) -> bytes | None:
    """The answer to *frame* that is *value*; None where none is wanted. Raises where *value* can't be encoded."""
    if frame.flags & protocol.FLAGS_ONEWAY:
        return None
    payload, flags = encode_value(value, frame.serializer_id), frame.flags & protocol.FLAGS_BATCH
    return whole_frame(protocol.MSG_RESULT, payload, frame.serializer_id, frame.sequence, flags)


def _failure(frame: Frame, error: Exception, results: list[object] | None = None) -> bytes | None:
    """The answer to *frame* that is *error*. results: of the calls of a batch that went well before it."""
    error = _for_the_wire(error)
    if frame.flags & protocol.FLAGS_ONEWAY:
        return None
    payload = encode_failure(error, frame.serializer_id, results)
    flags = frame.flags & protocol.FLAGS_BATCH or protocol.FLAGS_EXCEPTION
    return whole_frame(protocol.MSG_RESULT, payload, frame.serializer_id, frame.sequence, flags)


def _call(found: object, call: Call) -> object:
    if (type(found), call.method) in _exposed:
        method: Any = getattr(found, call.method)
    else:
        method = server._get_attribute(found, call.method)
        _exposed.add((type(found), call.method))
    return method(*call.arguments, **call.keywords)


_exposed: set[tuple[type, str]] = set()  # what Pyro5 has let be called before: looking at it costs 2 µs each time


def _call_all(found: object, call: Call, results: list[object]) -> list[object]:
    """A batch: its arguments are calls. Ends at the first that fails; *results* has what went well before."""
    if len(call.arguments) > MAX_BATCH_CALLS:
        raise InvalidArgument(f"{len(call.arguments):,} calls in one batch, {MAX_BATCH_CALLS:,} are the most")
    size = 0
    for each in call.arguments:
        match each:
            case [str(method), list() | tuple() as arguments, dict() as keywords]:
                value = _call(found, Call(call.object_id, method, list(arguments), keywords))
                value = value.result() if isinstance(value, Later) else value
                size += len(value) if isinstance(value, list) and value and isinstance(value[0], list) else 1
                if size > MAX_BATCH_MESSAGES:
                    raise InvalidArgument(f"a batch whose answer has more than {MAX_BATCH_MESSAGES:,} messages")
                results.append(value)
            case _:
                raise InvalidArgument("a batch has to be a list of [method, arguments, keywords]")
    return results


def _for_the_wire(error: Exception) -> Exception:
    """A builtin exception with a clean text, and no traceback."""
    if isinstance(error, PyroChatError):
        kind: type[Exception] = (
            ValueError
            if isinstance(error, InvalidInput)
            else PermissionError
            if isinstance(error, Refused)
            else RuntimeError
        )
        return kind(clean(wire_text(error)))
    if isinstance(error, pyro_errors.PyroError | TypeError | AttributeError):  # unknown object, method or argument
        return type(error)(clean(str(error)))
    log.error("a call failed", exc_info=error)
    return RuntimeError("internal-error: the server could not do this; its log says why")


def clean(text: str) -> str:
    """*text* as any serializer takes it: what a caller has sent may be in it."""
    return text[:_MOST_ERROR_CHARACTERS].encode(errors="backslashreplace").decode()
