"""A room of each order in real processes, on two or three machines: where members come to, and how a machine of its own joins."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pyrochat
from pyrochat import Chat, Server
from tests.orders.cluster.broker.brokers import HOSTS, free_ports
from tests.system.support import Machine, Process, free_port

ORDERS = ("local", "cluster", "lamport", "causal")
SITE_ORDERS = ("lamport", "causal")  # every member's machine hosts the room
AT = re.compile(r"this is a site of lobby now, at (\S+):")


def site_address(process: Process) -> str:
    return next(match[1] for line in process.errors if (match := AT.search(line)))


class Place:
    """here, there: ``host:port`` of two of its servers, which are the same one where the order is `local`."""

    def __init__(self, machine: Machine, order: str) -> None:
        self.machine, self.order = machine, order
        self.has_sites = order in SITE_ORDERS
        if order == "local":
            self.here = self.there = machine.server().at
        elif order == "cluster":
            self.here, self.there = self._cluster()
        else:
            self.here = self._site("One")
            self.there = self._site("Two")

    def _cluster(self) -> tuple[str, str]:
        port = free_ports()
        named = ",".join(f"{host}:{port}" for host in HOSTS)
        secret = self.machine.folder / "secret"
        starting: list[tuple[Process, str]] = []
        for host in HOSTS:
            own = free_port(host)
            server = self.machine.start(
                "pyrochat-server", "--cluster", named, "--cluster-secret-file", str(secret), "--advertise", host, "--lan",
                "--port", str(own), "--data", str(self.machine.folder / host),
            )  # fmt: skip
            starting.append((server, f"{host}:{own}"))
            if not secret.exists():
                server.wait_error("a secret for the cluster was made")
        for server, _ in starting:
            server.wait_line("room 'lobby' ready at")
        return starting[0][1], starting[1][1]

    def _site(self, name: str) -> str:
        """*name*'s machine, which stays; its address."""
        peer = ["--peer", self.here] if hasattr(self, "here") else []
        process = self.machine.start(
            "pyrochat", *self._as_site(name), *peer, "--follow", "--json", env=self._home(name)
        )
        process.wait_error(f" as {name}")
        return site_address(process)

    def _as_site(self, name: str) -> list[str]:
        data = self.machine.folder / f"data of {name}"
        return [name, "--order", self.order, "--site", name.lower(), "--data", str(data), "--port", "0"]

    def _home(self, name: str) -> dict[str, str]:
        return {"PYROCHAT_CONFIG_DIR": str(self.machine.folder / f"config of {name}")}

    # -- who comes ----------------------------------------------------------------------------------------

    def command(self, name: str) -> tuple[str, list[str], dict[str, str]]:
        """Program, arguments and environment of *name*'s own machine, as a user types it there."""
        if self.has_sites:
            return "pyrochat", [*self._as_site(name), "--peer", self.there], self._home(name)
        return "pyrochat-client", [name, "--at", self.there], self._home(name)

    def host(self, name: str) -> Server:
        """A site for *name*, as a program has it."""
        data = self.machine.folder / f"data of {name}"
        return pyrochat.host(
            "lobby", order=self.order, peers=[self.there], site=name.lower(), data=data, nameserver=False
        )

    def join(self, name: str, at: str, key: str | None = None) -> Chat:
        """*name* with the key of the machine *key*, or of its own one."""
        before = os.environ["PYROCHAT_CONFIG_DIR"]
        os.environ["PYROCHAT_CONFIG_DIR"] = self._home(key or name)["PYROCHAT_CONFIG_DIR"]
        try:
            return pyrochat.join(name, at=at)
        finally:
            os.environ["PYROCHAT_CONFIG_DIR"] = before

    @property
    def folder(self) -> Path:
        return self.machine.folder
