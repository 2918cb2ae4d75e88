"""The connection to NATS: one, and one asyncio loop in one thread, for all streams of a process.

What is sent by way of core NATS (`shout`) is never stored.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.client import JetStreamContext
from nats.js.errors import APIError

from pyrochat.clock import monotonic
from pyrochat.values.errors import LogUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

ASK_SECONDS = 2.0
AGAIN_SECONDS = 0.2
_OWN_SECONDS = 5.0
_CANCELLING_SECONDS = 0.1  # until a task that goes on is cancelled again
NO_MAJORITY = "no majority of the cluster's machines can be reached"


class Engine:
    """options: of `nats.connect`: servers, credentials, TLS. space: what the names of streams and subjects begin with; letters
    and digits. replicas: so many machines have what is stored. Raises nothing: it connects as soon as it can."""

    def __init__(self, options: dict[str, Any], space: str, replicas: int) -> None:
        self.space, self.replicas = space, replicas
        self._options = options
        self.connected_at: float | None = None  # None: there is no connection
        self._client: Client | None = None
        self._closing = False
        self._changes: set[asyncio.Event] = set()
        self._ears: dict[str, Callable[[bytes], None]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="pyrochat-cluster", daemon=True)
        self._thread.start()
        self.do(self._connect)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        while tasks := asyncio.all_tasks(
            self._loop
        ):  # one misses it that is just told what it waits for (Python 3.11's wait_for)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCELLING_SECONDS))
        self._loop.close()

    # -- any thread -----------------------------------------------------------------------------------------

    def do(self, step: Callable[..., Coroutine[Any, Any, object]], *arguments: Any) -> None:
        """Let the loop run *step*; what it raises is logged."""
        if not self._closing:
            asyncio.run_coroutine_threadsafe(logged(step, *arguments), self._loop)

    def call(self, coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
        """What *coroutine* returns, waited for. Raises TimeoutError, and what it raises."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(coroutine, seconds), self._loop).result()

    def shout(self, subject: str, data: bytes) -> None:
        """Tell *data* to all that listen to *subject* now."""
        self.do(self._shout, subject, data)

    def listen(self, subject: str, heard: Callable[[bytes], None]) -> None:
        """Call *heard*, in the loop's thread, with what is told on *subject*, our own included."""
        self._ears[subject] = heard
        self.do(self._listen, subject)

    def repeat(self, seconds: float, step: Callable[[], None]) -> None:
        """Call *step*, which never waits, in the loop's thread again and again."""
        self.do(self._repeat, seconds, step)

    async def _repeat(self, seconds: float, step: Callable[[], None]) -> None:
        while not self._closing:
            step()
            await asyncio.sleep(seconds)

    def close(self) -> None:
        """Idempotent."""
        if self._closing:
            return
        self._closing = True
        with contextlib.suppress(Exception):
            self.call(self._end(), ASK_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    # -- in the loop ------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        await self._wait_for_first()
        while not self._closing:
            try:
                self._client = await nats.connect(
                    **self._options, max_reconnect_attempts=-1, reconnect_time_wait=0.1, connect_timeout=1, ping_interval=1,
                    max_outstanding_pings=2, dont_randomize=True, error_cb=_ignore, disconnected_cb=self._lost,
                    reconnected_cb=self._back,
                )  # fmt: skip
            except Exception as error:
                log.debug("no broker answers: %s", error)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            for subject in self._ears:
                await self._subscribe(subject)
            await self._back()
            return

    async def _wait_for_first(self) -> None:
        """The first of the servers is this machine's, which may be about to start: who goes by way of another depends on that."""
        first = urlsplit(self._options["servers"][0])
        until = monotonic() + _OWN_SECONDS
        while not self._closing and monotonic() < until:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS):
                    _, writer = await asyncio.open_connection(first.hostname, first.port)
                writer.close()
                return
            await asyncio.sleep(AGAIN_SECONDS / 4)

    async def _end(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _lost(self) -> None:
        self.connected_at = None
        self._change()

    async def _back(self) -> None:
        self.connected_at = monotonic()
        self._change()

    def _change(self) -> None:
        for change in self._changes:
            change.set()

    async def _shout(self, subject: str, data: bytes) -> None:
        if self.connected_at is not None and self._client is not None:
            await self._client.publish(f"{self.space}.{subject}", data)
            await self._client.flush(1)

    async def _listen(self, subject: str) -> None:
        if self._client is not None:
            await self._subscribe(subject)

    async def _subscribe(self, subject: str) -> None:
        heard = self._ears[subject]

        async def hear(message: Msg) -> None:
            heard(message.data)

        assert self._client is not None
        await self._client.subscribe(f"{self.space}.{subject}", cb=hear)

    def client(self) -> Client:
        """The connection; raises LogUnavailable where there is none."""
        if self._client is None or self.connected_at is None:
            raise LogUnavailable(NO_MAJORITY)
        return self._client

    def jetstream(self) -> JetStreamContext:
        """What answers questions about streams; raises as `client`."""
        return self.client().jetstream(timeout=ASK_SECONDS)

    async def look(self) -> None:
        """Return when a majority answers. Raises LogUnavailable where none does."""
        try:
            await self.jetstream().account_info()
            await self.jetstream().streams_info()
        except (nats.errors.Error, APIError):
            raise LogUnavailable(NO_MAJORITY) from None

    @contextlib.contextmanager
    def changes(self) -> Any:
        """An event that is set when the connection is lost or there again."""
        change = asyncio.Event()
        self._changes.add(change)
        try:
            yield change
        finally:
            self._changes.discard(change)


async def _ignore(error: Exception) -> None:
    """What is wrong with the connection is seen by those who need it."""


async def logged(step: Callable[..., Awaitable[object]], *arguments: Any) -> None:
    """Do *step*; what it raises is logged."""
    try:
        await step(*arguments)
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("an unexpected error on the way to the cluster")
