"""A stream of the cluster on NATS JetStream, and another one beside it, with what needs no order."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, TypeVar

import nats
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from pyrochat.orders.cluster.engine import AGAIN_SECONDS, NO_MAJORITY, Engine, logged
from pyrochat.orders.cluster.reading import Listener, Reader
from pyrochat.orders.replicated.stream import Event, Fate, Rebuildable
from pyrochat.values.errors import CannotHost, LogUnavailable

T = TypeVar("T")

BESIDE = "BESIDE"
_NO_PEERS = 10005  # too few of the machines have been heard of yet

PUBLISH_SECONDS = 1.0  # until a publish counts as lost, and is repeated
BEGIN_SECONDS = 5.0
_HEARING_SECONDS = 0.3  # that those wait who want all marks
DUPLICATE_SECONDS = 120.0


class NatsStream(Rebuildable):
    """The stream *name* of *engine*."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self.name = f"{engine.space}_{name}"
        self._subject = f"{engine.space}.log.{name}"
        self._beside = f"{engine.space}.beside.{name}"
        self._following: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._reader: Reader | None = None
        self._listener: Listener | None = None

    # -- any thread -----------------------------------------------------------------------------------------

    def begin(self, first: bytes) -> bytes:
        try:
            return self._engine.call(self._begin(first), BEGIN_SECONDS)
        except (TimeoutError, NatsTimeout, NoRespondersError, NoStreamResponseError):
            raise LogUnavailable(NO_MAJORITY) from None
        except APIError as error:
            if error.code == 503:
                raise LogUnavailable(NO_MAJORITY) from None
            raise CannotHost(f"the cluster does not keep this room: {error.description}") from None

    def first(self) -> bytes | None:
        return self._waited(self._first, BEGIN_SECONDS)

    def freeze(self) -> int | None:
        try:
            return self._engine.call(self._freeze(), BEGIN_SECONDS)
        except Exception:  # whatever is wrong with it is why it is made anew
            return None

    def make_anew(self, messages: Iterable[bytes]) -> None:
        first, rest = next(iter(messages := iter(messages))), messages
        while True:
            self._waited(self._recreate, BEGIN_SECONDS * 4)
            if self._waited(partial(self._append, first, is_first=True), BEGIN_SECONDS):
                break  # else another server has begun it in between
        for message in rest:
            self._waited(partial(self._append, message), BEGIN_SECONDS)

    def is_begun(self) -> bool:
        return self._waited(self._is_begun, BEGIN_SECONDS)

    async def _is_begun(self) -> bool:
        try:
            info = await self._engine.jetstream().stream_info(self.name)
        except NotFoundError:
            return False
        return info.state.messages > 1

    def _waited(self, step: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T:
        try:
            return self._engine.call(step(), seconds)
        except (TimeoutError, nats.errors.Error) as error:
            raise LogUnavailable(f"{NO_MAJORITY} ({error or 'no answer in time'})") from None

    async def _freeze(self) -> int:
        jetstream = self._engine.jetstream()
        config = self._config()
        config.subjects = [f"{self._subject}.frozen"]
        await jetstream.update_stream(config)
        return (await jetstream.stream_info(self.name)).state.last_seq

    async def _recreate(self) -> None:
        """Again and again: while a stream is broken, machines may have to agree anew on who leads."""
        while True:
            with contextlib.suppress(NatsTimeout, TimeoutError, APIError, LogUnavailable):
                jetstream = self._engine.jetstream()
                with contextlib.suppress(NotFoundError):
                    await jetstream.delete_stream(self.name)
                break
            await asyncio.sleep(AGAIN_SECONDS)
        while True:
            with contextlib.suppress(NatsTimeout, TimeoutError, APIError, LogUnavailable):
                await self._make_where_missing()
                return
            await asyncio.sleep(AGAIN_SECONDS)

    async def _make_where_missing(self) -> None:
        jetstream = self._engine.jetstream()
        for config in (self._config_beside(), self._config()):
            try:
                await jetstream.stream_info(str(config.name))
            except NotFoundError:
                await jetstream.add_stream(config)

    async def _append(self, message: bytes, *, is_first: bool = False) -> bool:
        """Put *message* at the end; False where it *is_first*, and is not."""
        headers = {"Nats-Expected-Last-Sequence": "0"} if is_first else None
        while True:
            try:
                with contextlib.suppress(NatsTimeout, NoStreamResponseError):
                    jetstream = self._engine.jetstream()
                    await jetstream.publish(self._subject, message, headers=headers, timeout=PUBLISH_SECONDS)
                    return True
            except APIError:
                if is_first:
                    return await self._first() == message
                raise
            await asyncio.sleep(AGAIN_SECONDS)

    def publish(self, data: bytes, id: str, then: Callable[[Fate], None]) -> None:
        self._engine.do(self._publish, data, id, then)

    def follow(self, after: int, event: Callable[[Event], None]) -> None:
        self._engine.do(self._begin_to_follow, after, event)

    def put(self, label: str, data: bytes, then: Callable[[Fate], None]) -> None:
        self._engine.do(self._put, label, data, then)

    def hear_all(self, then: Callable[[bool], None]) -> None:
        self._engine.do(self._hear_all, then)

    def close(self) -> None:
        self._engine.do(self._close)

    # -- in the loop ------------------------------------------------------------------------------------------

    def _config(self) -> StreamConfig:
        return StreamConfig(
            name=self.name, subjects=[self._subject], num_replicas=self._engine.replicas, storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS, discard=DiscardPolicy.NEW, deny_delete=True, deny_purge=True, allow_direct=True,
            duplicate_window=DUPLICATE_SECONDS,
        )  # fmt: skip

    def _config_beside(self) -> StreamConfig:
        return StreamConfig(
            name=f"{self.name}_{BESIDE}", subjects=[f"{self._beside}.>"], num_replicas=self._engine.replicas,
            storage=StorageType.FILE, max_msgs_per_subject=1, allow_direct=True,
        )  # fmt: skip

    async def _begin(self, first: bytes) -> bytes:
        """Again and again, until a majority has answered."""
        while True:
            try:
                jetstream = self._engine.jetstream()
                await self._make_where_missing()
                found = await self._first()
                if found is None:
                    with contextlib.suppress(APIError):  # another was quicker
                        await jetstream.publish(
                            self._subject, first, headers={"Nats-Expected-Last-Sequence": "0"}, timeout=PUBLISH_SECONDS
                        )
                    found = await self._first()
                if found is not None:
                    return found
            except (TimeoutError, LogUnavailable, NatsTimeout, NoRespondersError, NoStreamResponseError):
                pass
            except APIError as error:
                if error.code not in (500, 503) and error.err_code != _NO_PEERS:
                    raise
            await asyncio.sleep(AGAIN_SECONDS)

    async def _first(self) -> bytes | None:
        """The first message; None where there is none."""
        try:
            message = await self._engine.jetstream().get_msg(self.name, 1)
        except NotFoundError:
            return None
        return message.data or b""

    async def _publish(self, data: bytes, id: str, then: Callable[[Fate], None]) -> None:
        headers = {"Nats-Msg-Id": id, "Nats-Expected-Stream": self.name}
        await self._send(self._subject, data, headers, then)

    async def _put(self, label: str, data: bytes, then: Callable[[Fate], None]) -> None:
        await self._send(f"{self._beside}.{label}", data, None, then)

    async def _send(
        self, subject: str, data: bytes, headers: dict[str, Any] | None, then: Callable[[Fate], None]
    ) -> None:
        fate = Fate.UNKNOWN
        try:
            jetstream = self._engine.jetstream()
            stored = await jetstream.publish(subject, data, timeout=PUBLISH_SECONDS, headers=headers)
            fate = Fate.STORED
            if subject == self._subject and self._reader is not None:
                self._reader.expect(stored.seq)
        except (LogUnavailable, NoStreamResponseError, NoRespondersError):  # nobody was there to take it
            fate = Fate.REFUSED
        except (TimeoutError, NatsTimeout, APIError, nats.errors.Error):
            pass
        finally:
            then(fate)

    async def _begin_to_follow(self, after: int, event: Callable[[Event], None]) -> None:
        await self._close()
        create = asyncio.get_running_loop().create_task
        self._reader = Reader(self._engine, self._subject, self.name, self._first, event)
        self._following = create(logged(self._reader.go_on, after))
        self._listener = Listener(self._engine, self._beside, f"{self.name}_{BESIDE}", event)
        self._listening = create(logged(self._listener.go_on))

    async def _hear_all(self, then: Callable[[bool], None]) -> None:
        is_heard = False
        try:
            async with asyncio.timeout(_HEARING_SECONDS):
                info = await self._engine.jetstream().stream_info(f"{self.name}_{BESIDE}")
                if self._listener is not None:
                    await self._listener.reach(info.state.last_seq)
                is_heard = True
        except (TimeoutError, LogUnavailable, nats.errors.Error):
            pass
        finally:
            then(is_heard)

    async def _close(self) -> None:
        for task in (self._following, self._listening):
            if task is not None:
                task.cancel()
        self._following = self._listening = None
