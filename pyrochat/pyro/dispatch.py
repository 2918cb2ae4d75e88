"""From a request to its answer: finds the object and the method, calls it, and words what goes wrong.

One function for both directions: what callers ask of a room, and what a room asks of a callback. Pyro5's
own `handleRequest` would rebuild classes out of what strangers send, answer with tracebacks, and start a
thread for a oneway call; the wire is the same.
"""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from Pyro5 import errors as pyro_errors
from Pyro5 import protocol, server

from pyrochat.clock import monotonic
from pyrochat.pyro.frames import Frame, whole_frame
from pyrochat.pyro.serializers import Call, ValueBounds, decode_call, encode_failure, encode_value
from pyrochat.threads import Defects
from pyrochat.values.errors import InvalidArgument, InvalidInput, ProofMissing, PyroChatError, Refused
from pyrochat.values.protocol import MAX_ANSWER_BYTES
from pyrochat.values.wire_errors import wire_text

log = logging.getLogger(__name__)

expose = server.expose

PROVE = "prove"
"""The one method that is served to a peer which has named a key and not yet proved that it has it."""

MAX_BATCH_CALLS = 1000
BATCH_SECONDS = 10.0  # so long a batch may hold a worker, and then for the call that is under way
CALL_BOUNDS = ValueBounds(values=25_000, depth=8)  # 10,000 texts with a key each; resume, with its proof, in a batch
FIRST_CALL_BOUNDS = ValueBounds(values=1_000, depth=8)  # of somebody who has proved nothing yet
_MOST_ERROR_CHARACTERS = 1000

Decode = Callable[[bytes, int], Call]
Exposed = TypeVar("Exposed", bound=Callable[..., Any])

_defects = Defects(log)


class _CallersMistake(Exception):
    """The caller has asked for what is not there, or with arguments that don't fit: told as Pyro5 itself would tell it."""

    def __init__(self, kind: type[Exception], text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Later:
    """What a method returns whose result comes later: no thread waits for it. To be derived from."""

    def then(self, call: Callable[[], None]) -> None:
        """Call *call*, in any thread, as soon as there is a result."""
        raise NotImplementedError

    def result(self) -> object:
        """The result, waited for if need be; or raises what the method would have raised. Once."""
        raise NotImplementedError


class Pending(NamedTuple):
    """A request whose result comes later. refused: see `answer_frame`."""

    frame: Frame
    later: Later
    refused: Callable[[Refused], object] = lambda error: None

    def answer(self) -> bytes | None:
        """Its answer, as `answer_frame` makes it; to be asked for when the result is there."""
        try:
            return _success(self.frame, self.later.result())
        except Exception as error:
            if isinstance(error, Refused):
                self.refused(error)
            return _failure(self.frame, error)


def quick(method: Exposed) -> Exposed:
    """Mark a method that never waits: it may be called in the thread that watches all connections."""
    method.is_quick = True  # type: ignore[attr-defined]
    return method


def answer_frame(
    frame: Frame, objects: Mapping[str, object], proved: bool = True, bounds: ValueBounds = CALL_BOUNDS,
    decode: Decode | None = None, batch_seconds: float = BATCH_SECONDS,
    refused: Callable[[Refused], object] = lambda error: None,
) -> bytes | Pending | None:  # fmt: skip
    """The answer to *frame*, in a frame; None where its sender wants none (oneway).

    objects: what can be called, by object id. proved: False serves nothing but `PROVE`. bounds: of what *frame*
    may hold. decode: in place of `decode_call` within *bounds*. batch_seconds: after so long a batch ends.
    refused: called with what is answered, where that is a refusal. Errors are answers too. Raises Pyro5's ConnectionClosedError where the method has taken the
    connection, ProtocolError where *frame* is no request.
    """
    if frame.type == protocol.MSG_PING:
        return whole_frame(protocol.MSG_PING, b"pong", frame.serializer_id, frame.sequence)
    if frame.type != protocol.MSG_INVOKE:
        raise pyro_errors.ProtocolError("a call is expected here")
    results: list[object] | None = [] if frame.flags & protocol.FLAGS_BATCH else None

    try:
        if decode is None:
            call = decode_call(frame.payload, frame.serializer_id, bounds)
        else:
            call = decode(frame.payload, frame.serializer_id)
        if not proved and (call.method != PROVE or results is not None):  # and no batch, whatever it calls itself
            raise ProofMissing("your greeting named a key: prove that it is yours before anything else")
        found = objects.get(call.object_id)
        if found is None:
            raise _CallersMistake(pyro_errors.DaemonError, "room-not-found: there is no such object on this server")
        if results is None:
            value = _call(found, call)
        else:
            value = _call_all(found, call, frame.serializer_id, results, monotonic() + batch_seconds)
        return Pending(frame, value, refused) if isinstance(value, Later) else _success(frame, value)
    except pyro_errors.ConnectionClosedError:
        raise
    except Exception as error:
        if isinstance(error, Refused):
            refused(error)
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
    method: Any
    signature = _signatures.get((type(found), call.method))
    if signature is None:
        try:
            method = server._get_attribute(found, call.method)
        except AttributeError as error:  # unknown, private, or not exposed
            raise _CallersMistake(AttributeError, str(error)) from None
        _signatures[type(found), call.method] = signature = inspect.signature(method)
    else:
        method = getattr(found, call.method)
    try:
        return method(*call.arguments, **call.keywords)
    except TypeError as error:
        # Whose mistake is it? Where the arguments can't be bound, nothing of the method has run. Binding them before
        # each call would say the same, and cost each 3 µs.
        try:
            signature.bind(*call.arguments, **call.keywords)
        except TypeError:
            raise _CallersMistake(TypeError, str(error)) from None
        raise


_signatures: dict[
    tuple[type, str], inspect.Signature
] = {}  # of what Pyro5 has let be called before: to look costs 2 µs


def _call_all(found: object, call: Call, serializer_id: int, results: list[object], deadline: float) -> list[object]:
    """A batch: its arguments are calls. Ends at the first that fails; *results* has what went well before.

    A call that is one too many, or comes after *deadline*, has not been made when that is said.
    """
    if len(call.arguments) > MAX_BATCH_CALLS:
        raise InvalidArgument(f"{len(call.arguments):,} calls in one batch, {MAX_BATCH_CALLS:,} are the most")
    size = 0
    for each in call.arguments:
        if size >= MAX_ANSWER_BYTES:
            raise InvalidArgument(f"a batch whose answer has more than {MAX_ANSWER_BYTES:,} bytes: send the rest anew")
        if monotonic() > deadline:
            raise InvalidArgument(f"a batch that takes more than {BATCH_SECONDS:g} s: send the rest anew")
        match each:
            case [str(method), list() | tuple() as arguments, dict() as keywords]:
                value = _call(found, Call(call.object_id, method, list(arguments), keywords))
                value = value.result() if isinstance(value, Later) else value
                size += len(encode_value(value, serializer_id))
                results.append(value)
            case _:
                raise InvalidArgument("a batch has to be a list of [method, arguments, keywords]")
    return results


def _for_the_wire(error: Exception) -> Exception:
    """A builtin exception with a clean text, and no traceback."""
    kind: type[Exception]
    if isinstance(error, PyroChatError):
        kind = (
            ValueError
            if isinstance(error, InvalidInput)
            else PermissionError
            if isinstance(error, Refused)
            else RuntimeError
        )
        return kind(clean(wire_text(error)))
    if isinstance(error, _CallersMistake):
        return error.kind(clean(str(error)))
    if isinstance(error, pyro_errors.NamingError):  # of Pyro5's own name server, in our process
        kind = pyro_errors.NamingError
        return kind(clean(str(error)))
    _defects.tell("a call", error)
    return RuntimeError("internal-error: the server could not do this; its log says why")


def clean(text: str) -> str:
    """*text* as any serializer takes it: what a caller has sent may be in it."""
    return text[:_MOST_ERROR_CHARACTERS].encode(errors="backslashreplace").decode()
