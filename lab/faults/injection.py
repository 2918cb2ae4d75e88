"""Does the faults of a schedule to a cluster, and undoes them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.faults.cluster import Cluster, Recorder
from lab.faults.proxy import BOTH, TO_CLIENT, TO_SERVER, Proxy
from lab.faults.schedule import EVERYBODY, Fault

_MOST_DELAY_SECONDS = 0.4
_MOST_SPARE_BYTES = 60_000
_END_SECONDS = 5.0


@dataclass(slots=True)
class Client:
    """One client of the run: its recorder's process, the proxy before it, and how to start it anew."""

    recorder: Recorder
    proxy: Proxy
    start: Callable[[], Recorder]


class Injection:
    """Faults on one cluster. troubles: what the cluster did that it should not."""

    def __init__(self, cluster: Cluster, clients: Sequence[Client]) -> None:
        self._cluster = cluster
        self._clients = clients
        self.troubles: list[str] = []

    def begin(self, fault: Fault) -> None:
        """Do it."""
        for proxy in self._proxies(fault):
            self._disturb(proxy, fault)
        cluster, client = self._cluster, self._clients[max(0, fault.target)]
        match fault.kind:
            case "server killed" if cluster.server is not None:
                cluster.server.kill()
            case "server ended" if cluster.server is not None:
                begun = time.monotonic()
                code = cluster.server.end()
                seconds = time.monotonic() - begun
                if code != 0 or seconds > _END_SECONDS:
                    self.troubles.append(f"SIGTERM ended the server after {seconds:.1f} s with exit code {code}")
            case "server stopped" if cluster.server is not None:
                cluster.server.stop()
            case "disk full":
                wal = cluster.log_of(cluster.rooms[0]).with_suffix(".sqlite3-wal")
                size = wal.stat().st_size if wal.exists() else 0
                spare = 0 if fault.amount < 0.5 else size + int((fault.amount - 0.5) * _MOST_SPARE_BYTES)
                cluster.limit_file_size(spare)
            case "name server killed" if cluster.nameserver is not None:
                cluster.nameserver.kill()
            case "name server stopped" if cluster.nameserver is not None:
                cluster.nameserver.stop()
            case "client killed":
                client.recorder.kill()
            case "client stopped":
                client.recorder.stop()

    def end(self, fault: Fault) -> None:
        """Undo it."""
        for proxy in self._proxies(fault):
            proxy.release()
        cluster, client = self._cluster, self._clients[max(0, fault.target)]
        match fault.kind:
            case "server killed" | "server ended":
                cluster.serve()
            case "server stopped" if cluster.server is not None:
                cluster.server.resume()
            case "disk full":
                cluster.limit_file_size(None)
            case "name server killed":
                cluster.serve_names()
            case "name server stopped" if cluster.nameserver is not None:
                cluster.nameserver.resume()
            case "client killed":
                cluster.recorders.remove(client.recorder)
                client.recorder = client.start()
            case "client stopped":
                client.recorder.resume()

    def _proxies(self, fault: Fault) -> list[Proxy]:
        if not fault.kind.startswith(("connection", "cut", "blackhole")):
            return []
        return [
            client.proxy for client in (self._clients if fault.target == EVERYBODY else [self._clients[fault.target]])
        ]

    def _disturb(self, proxy: Proxy, fault: Fault) -> None:
        match fault.kind:
            case "connection delayed":
                proxy.delay(fault.amount * _MOST_DELAY_SECONDS)
            case "connection reset":
                proxy.cut()
            case "connection closed":
                proxy.cut(reset=False)
            case "cut in mid-frame":
                proxy.cut(reset=fault.amount < 0.5, in_frame=True)
            case "blackhole to server":
                proxy.hold(TO_SERVER)
            case "blackhole to client":
                proxy.hold(TO_CLIENT)
            case "blackhole":
                proxy.hold(BOTH)
            case "connection swallowed":
                proxy.swallow()
            case "connections refused":
                proxy.refuse()
                proxy.cut()
