"""Real TCP between real gateways, through a proxy that can cut it: partitions without privileges.

Each gateway says in its peer card that it is at a loopback address of its own, where the proxy
listens; it itself listens at the same port of 127.0.0.1. Who calls, the kernel says: the caller's
socket belongs to one of the gateways' processes.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from wattle_gateway.home.draft import NewGateway

from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_folders import LOOPBACK
from wattle_testkit.gateway_process import GatewayProcess

_CHUNK_BYTES = 65_536
_BACKLOG = 64


def _address(number: int) -> str:
    return f"127.0.1.{number + 1}"


class PeerNetwork:
    """The links among the gateways of an alliance; a context manager.

    Use: found the alliance with `change=network.change`, then `serve` it before it starts.
    """

    def __init__(self) -> None:
        self._gateways: list[GatewayProcess] = []
        self._ports: dict[int, int] = {}
        self._open: dict[frozenset[int], threading.Event] = {}
        self._sockets: dict[socket.socket, frozenset[int]] = {}
        self._threads: list[threading.Thread] = []
        self._guard = threading.Lock()
        self._closed = False

    def __enter__(self) -> "PeerNetwork":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def change(self, number: int, choice: NewGateway) -> NewGateway:
        """What gateway `number` is made with: others find it at the proxy."""
        self._ports[number] = choice.peers_port
        return replace(choice, peers_host=_address(number))

    def serve(self, alliance: AllianceProcesses) -> None:
        """Listen for all of them."""
        self._gateways = list(alliance)
        for number in range(len(self._gateways)):
            listener = socket.create_server((_address(number), self._ports[number]))
            listener.listen(_BACKLOG)
            self._sockets[listener] = frozenset((number,))
            self._run(self._take, listener, number)

    def partition(self, *groups: Iterable[int], reset: bool) -> None:
        """Let nothing pass between gateways of different groups.

        What is under way waits, as behind a pulled cable; `reset`: the connections are gone as
        well, as after a cut that was long enough for both sides to give them up.
        """
        island = {number: frozenset(group) for group in groups for number in group}
        with self._guard:
            for one in island:
                for other in island:
                    if other not in island[one]:
                        self._gate(frozenset((one, other))).clear()
            cut = [end for end, pair in self._sockets.items() if not self._gate(pair).is_set()]
        if reset:
            _shut(cut)

    def heal(self) -> None:
        """Let everything pass again."""
        with self._guard:
            for gate in self._open.values():
                gate.set()

    def close(self) -> None:
        """End all connections and listen no more."""
        self._closed = True
        self.heal()
        with self._guard:
            _shut(self._sockets)
        for thread in self._threads:
            thread.join()
        for end in self._sockets:
            end.close()

    def _gate(self, pair: frozenset[int]) -> threading.Event:
        if pair not in self._open:
            self._open[pair] = threading.Event()
            self._open[pair].set()
        return self._open[pair]

    def _take(self, listener: socket.socket, number: int) -> None:
        while not self._closed:
            try:
                taken, address = listener.accept()
            except OSError:
                return
            self._run(self._carry, taken, address, number)

    def _carry(self, taken: socket.socket, address: tuple[str, int], number: int) -> None:
        caller = _caller(address, self._gateways)
        if caller is None:  # it is gone already
            taken.close()
            return
        pair = frozenset((caller, number))
        with self._guard:
            self._sockets[taken] = pair
            gate = self._gate(pair)
        gate.wait()
        try:
            made = socket.create_connection((LOOPBACK, self._ports[number]))
        except OSError:
            _shut([taken])
            return
        with self._guard:
            self._sockets[made] = pair
        self._run(self._pump, made, taken, gate)
        self._pump(taken, made, gate)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, gate: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                gate.wait()
                target.sendall(data)
        gate.wait()  # that a side is gone is not heard across a cut, either
        _shut([source, target])

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        with self._guard:
            self._threads.append(thread)
        thread.start()


def _shut(ends: Iterable[socket.socket]) -> None:
    for end in list(ends):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _caller(address: tuple[str, int], gateways: Sequence[GatewayProcess]) -> int | None:
    """Which gateway's process has the socket at this end of a connection (proc(5), net/tcp)."""
    host, port = address
    little_endian = "".join(f"{int(part):02X}" for part in reversed(host.split(".")))
    wanted = f"{little_endian}:{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == wanted:
            return _owner(f"socket:[{fields[9]}]", gateways)
    return None


def _owner(link: str, gateways: Sequence[GatewayProcess]) -> int | None:
    for number, gateway in enumerate(gateways):
        if not gateway.is_started:
            continue
        with contextlib.suppress(OSError):
            for path in Path(f"/proc/{gateway.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(path) == link:
                        return number
    return None
