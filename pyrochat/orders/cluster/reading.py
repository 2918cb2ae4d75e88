"""Reading a stream, by push consumers of our own making: whatever looks odd (a gap, silence, a reconnection), another one is made
at the place where we stand. A consumer lives on one machine, and a new one takes a leader: where that is being elected, messages are
fetched."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import nats
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from pyrochat.clock import monotonic
from pyrochat.orders.cluster.engine import AGAIN_SECONDS, NO_MAJORITY, Engine
from pyrochat.orders.cluster.fetching import fetch, fetch_latest
from pyrochat.orders.replicated.stream import Arrival, Event, Latest, Opened, Silence
from pyrochat.values.errors import LogUnavailable

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 0.25
_QUIET_SECONDS = 0.5  # without a heartbeat, until messages are fetched
_SILENT_SECONDS = 1.2  # until another consumer is made
_SOON_SECONDS = 0.15  # in which what was stored has to come
_LOOK_SECONDS = 0.1
_SOONER_SECONDS = 0.005
_SHORT_TOKENS = 9


class _Consumer:
    """Reads a stream by consumers of its own, one after the other."""

    def __init__(self, engine: Engine, stream: str, event: Callable[[Event], None]) -> None:
        self._engine = engine
        self._stream = stream
        self._event = event
        self._odd = asyncio.Event()
        self._heard_at = 0.0

    async def fetch_what_is_missing(self) -> None:
        """While no consumer says anything, as where its machine is gone and another leader is being elected."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self.is_late(monotonic()):
                with contextlib.suppress(LogUnavailable, nats.errors.Error):
                    await self.fetch()

    def is_late(self, now: float) -> bool:
        """Whether what should have come has not."""
        return now - self._heard_at > _QUIET_SECONDS

    async def fetch(self) -> None:
        """Get what has not come. Raises LogUnavailable, nats.errors.Error."""
        raise NotImplementedError

    async def consume(self, config: ConsumerConfig) -> None:
        """Return when something looks odd."""
        engine = self._engine
        client = engine.client()
        self._odd.clear()
        inbox = client.new_inbox()
        subscription: Subscription | None = None
        name = ""
        with engine.changes() as changed:
            try:
                subscription = await client.subscribe(
                    inbox, cb=self._take, pending_msgs_limit=-1, pending_bytes_limit=-1
                )
                config = config.evolve(
                    deliver_subject=inbox, ack_policy=AckPolicy.NONE, idle_heartbeat=HEARTBEAT_SECONDS, flow_control=True,
                    mem_storage=True, num_replicas=1, inactive_threshold=30.0, max_deliver=1,
                )  # fmt: skip
                info = await engine.jetstream().add_consumer(self._stream, config)
                name = info.name
                self._heard_at = monotonic()
                while not (self._odd.is_set() or changed.is_set() or monotonic() - self._heard_at > _SILENT_SECONDS):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(HEARTBEAT_SECONDS / 2):
                            await self._odd.wait()
            finally:
                if subscription is not None:
                    with contextlib.suppress(Exception):
                        await subscription.unsubscribe()
                if name:
                    engine.do(self._forget, name)

    async def _forget(self, consumer: str) -> None:
        with contextlib.suppress(Exception):
            await self._engine.jetstream().delete_consumer(self._stream, consumer)

    async def _take(self, message: Msg) -> None:
        self._heard_at = monotonic()
        headers = message.headers or {}
        if "Status" in headers:
            stalled = headers.get("Nats-Consumer-Stalled")
            if stalled:
                await self._engine.client().publish(stalled)
            elif message.reply:
                await message.respond(b"")
            last = headers.get("Nats-Last-Stream")
            if last and self.is_behind(int(last)):
                self._odd.set()
            return
        if not self.take(message):
            self._odd.set()

    def is_behind(self, last: int) -> bool:
        """Whether the consumer believes that it has sent what has not come."""
        return False

    def take(self, message: Msg) -> bool:
        """Pass *message* on; False where it is not the one that has to come."""
        raise NotImplementedError


class Reader(_Consumer):
    """Reads the messages of a stream in order."""

    def __init__(
        self, engine: Engine, subject: str, stream: str, first: Callable[[], Awaitable[bytes | None]],
        event: Callable[[Event], None],
    ) -> None:  # fmt: skip
        super().__init__(engine, stream, event)
        self._subject = subject
        self._first = first
        self._next = 1
        self._came_at = 0.0  # the last message
        self._expected, self._expected_at = 0, 0.0
        self._fetched_at = 0.0  # what no consumer had said
        self._begins_with: bytes | None = None  # the stream, as it was seen last
        self._silent = False

    async def go_on(self, after: int) -> None:
        self._next = after + 1
        async with _beside(self.fetch_what_is_missing()):
            while True:
                await self._read()
                await asyncio.sleep(AGAIN_SECONDS if self._silent else 0.01)

    async def _read(self) -> None:
        """See that it is the stream, and read it until something looks odd."""
        try:
            found = await self._first()
            last = 0
            if found is not None:
                last = (await self._engine.jetstream().stream_info(self._stream)).state.last_seq
            self._begins_with = found
            self._event(Opened(last, found))
            self._silent = False
            if found is not None:
                start = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._next)
                await self.consume(start)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.debug("%s: %r", self._stream, error)
            if not self._silent:
                self._silent = True
                self._event(Silence(NO_MAJORITY))

    def is_late(self, now: float) -> bool:
        if self._begins_with is None:
            return False
        is_expected = self._expected >= self._next and now - max(self._expected_at, self._came_at) > _SOON_SECONDS
        return is_expected or self._fetched_at > self._heard_at or super().is_late(now)

    async def fetch(self) -> None:
        begins = await fetch(self._engine, self._stream, self._subject, 0, 1)
        if not begins or begins[0].data != self._begins_with:  # another stream by now: `_read` sees to it
            return
        while found := await fetch(self._engine, self._stream, self._subject, self._next - 1):
            self._fetched_at = monotonic()
            for message in found:
                if not self._pass_on(message.sequence, message.time_us, message.data):
                    return

    def is_behind(self, last: int) -> bool:
        return last >= self._next

    def expect(self, sequence: int) -> None:
        """The message *sequence* is in the stream: it has to come soon."""
        self._expected, self._expected_at = max(sequence, self._expected), monotonic()

    def take(self, message: Msg) -> bool:
        return self._pass_on(*_place_of(message), message.data)

    def _pass_on(self, sequence: int, time_us: int, data: bytes) -> bool:
        if sequence != self._next:
            return sequence < self._next
        self._next += 1
        self._came_at = monotonic()
        self._event(Arrival(sequence, time_us, data))
        return True


class Listener(_Consumer):
    """Reads what stands beside a stream."""

    def __init__(self, engine: Engine, subject: str, stream: str, event: Callable[[Event], None]) -> None:
        super().__init__(engine, stream, event)
        self._prefix = f"{subject}."
        self.heard = 0  # up to this sequence

    async def go_on(self) -> None:
        all_latest = ConsumerConfig(deliver_policy=DeliverPolicy.LAST_PER_SUBJECT, filter_subject=f"{self._prefix}>")
        async with _beside(self.fetch_what_is_missing()):
            while True:
                try:
                    await self.consume(all_latest)
                except asyncio.CancelledError:
                    raise
                except Exception as error:
                    log.debug("%s: %r", self._stream, error)
                await asyncio.sleep(AGAIN_SECONDS)

    async def reach(self, sequence: int) -> None:
        """Return when all up to *sequence* is heard. Raises LogUnavailable, nats.errors.Error."""
        until = monotonic() + _LOOK_SECONDS
        while self.heard < sequence:
            await asyncio.sleep(_SOONER_SECONDS)
            if monotonic() >= until:
                await self.fetch()
                until = monotonic() + _LOOK_SECONDS

    async def fetch(self) -> None:
        for message in await fetch_latest(self._engine, self._stream, f"{self._prefix}>"):
            self._pass_on(message.sequence, message.subject, message.data)

    def take(self, message: Msg) -> bool:
        self._pass_on(_place_of(message)[0], message.subject, message.data)
        return True

    def _pass_on(self, sequence: int, subject: str, data: bytes) -> None:
        self._event(Latest(subject.removeprefix(self._prefix), data))
        self.heard = max(self.heard, sequence)


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """*work* is done meanwhile."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield
    finally:
        task.cancel()


def _place_of(message: Msg) -> tuple[int, int]:
    """Sequence and time (microseconds since 1970) of a message of a stream, off the address for its acknowledgement:
    ``$JS.ACK.[domain.account.]stream.consumer.delivered.sequence.sequence.time.pending[.token]``."""
    tokens = message.reply.split(".")
    at = 5 if len(tokens) == _SHORT_TOKENS else 7
    return int(tokens[at]), int(tokens[at + 2]) // 1000
