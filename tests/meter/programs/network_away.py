"""A meter whose network goes away, and one whose flash is too small; run in namespaces of its own.

    unshare --map-root-user --net --mount python network_away.py FOLDER STORY

The loopback device is all the network there is: down, nothing gets anywhere, and nobody says so,
as when a Wi-Fi is gone. Everything else is real: MicroPython, TLS, a broker, a name server, a pty.
Prints one line of JSON for the test that started it.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from wattle_hil.children.processes import ProcessGroup
from wattle_hil.clock import BenchClock, host_ms
from wattle_hil.devices.line import Line
from wattle_testkit import waiting
from wattle_testkit.meter_site import Board, MeterSite, emulated_sdm120
from wattle_tools.board_folder import DeviceChoice

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
NAME = "broker.wattle.test"
DEADLINE_S = 90.0
INTERVAL_MS = 500  # real
# Where half a minute passes between two readings no two of them wait for each other, so that flash
# fills by a sample each.
SPEEDS = {"away": 1, "full": 60}
# Two pages: a board's file system that holds less than its outbox was told.
FLASH_BYTES = 8_192


def network(*, up: bool) -> None:
    """Takes the loopback device up or down."""
    request = struct.pack("16sH14x", b"lo", _IFF_UP if up else 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, request)


class NameServer:
    """Says that NAME is here (RFC 1035), unless it is `silent`; `asked` counts."""

    def __init__(self) -> None:
        self.silent = False
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            question, sender = self._socket.recvfrom(512)
            self.asked += 1
            head = question[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
            record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04\x7f\x00\x00\x01"
            if not self.silent:
                self._socket.sendto(head + question[12:] + record, sender)


class Story:
    """A site with one board; `asks` a name server of our own for its broker's address."""

    def __init__(self, folder: Path, group: ProcessGroup, line: Line, speed: int) -> None:
        clock = folder / "clock.json"
        BenchClock(host_ms(), host_ms(), speed).save(clock)
        network(up=True)
        self.names = NameServer()
        self.site = MeterSite(folder, group)
        self.board: Board = self.site.board(
            "meter",
            "64",
            line.link,
            "--bench-clock",
            str(clock),
            interval_ms=INTERVAL_MS * speed,
            baud=115_200,
            devices=[DeviceChoice(1, "sdm120", 1, ("ei", "p"))],
        )
        path = self.board.folder / "config.json"
        config = json.loads(path.read_text())
        config["gateways"][0] |= {"host": NAME, "server_name": "localhost"}
        config["board"]["name_servers"] = [f"127.0.0.1:{self.names.port}"]
        path.write_text(json.dumps(config))
        self.site.start_broker()
        self._group = group

    def start(self) -> None:
        """Starts the meter."""
        self._group.start(self.board.process)

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Waits for it."""
        waiting.until(condition, DEADLINE_S, what)

    def status(self, name: str) -> Any:
        """A number of the meter's status; 0 before the first."""
        return self.board.status().get(name, 0)

    def link(self, name: str) -> Any:
        """One of its link."""
        table = self.board.status().get("link")
        return table[name] if isinstance(table, dict) else 0

    def arrived(self) -> int:
        """The highest seq that the gateway has got."""
        return max(self.board.meter.samples, default=0)

    def is_whole(self) -> bool:
        """Whether every seq is here or declared lost."""
        samples = dict(self.board.meter.samples)
        seqs = set(samples)
        for sample, _, _ in samples.values():
            for first, to, _ in sample.gaps:
                seqs |= set(range(first, to + 1))
        return seqs == set(range(1, max(seqs, default=0) + 1))

    def told(self) -> dict[str, Any]:
        """What the test looks at."""
        samples = self.board.meter.samples
        times = sorted({r.time_ms for s, _, _ in list(samples.values()) for r in s.readings})
        gaps = [list(gap) for seq in sorted(samples) for gap in samples[seq][0].gaps]
        status = self.board.status()
        return {
            "broken": self.board.meter.broken,
            "broken_links": self.board.meter.broken_links(),
            "whole": self.is_whole(),
            "boots": sorted({sample.boot for sample, _, _ in samples.values()}),
            "seqs": sorted(samples),
            "gaps": [list(gap) for gap in sorted({tuple(gap) for gap in gaps})],
            "steps_ms": sorted({after - before for before, after in pairwise(times)}),
            "missed_slots": status["missed_slots"],
            "rounds": status["rounds"],
            "restarts": status["restarts"],
            "write_failed": status["write_failed"],
            "dropped": status["dropped"],
            "unsaved": status["unsaved"],
            "opened": self.link("opened"),
            "asked": self.names.asked,
        }


def away(story: Story) -> None:
    """The name server is silent, then the network comes, goes without a word, and comes again."""
    story.names.silent = True
    story.start()
    story.until(lambda: story.names.asked >= 3, "three questions in vain")
    story.until(lambda: story.status("rounds") >= 10, "ten rounds without a broker's address")
    story.names.silent = False
    story.until(lambda: story.arrived() >= 3, "samples")
    # The status is some seconds old: without this the loss would be noticed before it happened.
    story.until(lambda: story.link("connected"), "a connection in the status")
    network(up=False)
    story.until(lambda: not story.link("connected"), "the loss is noticed")
    rounds = story.status("rounds")
    story.until(lambda: story.status("rounds") >= rounds + 10, "ten more rounds")
    network(up=True)
    made = story.status("seq")
    story.until(lambda: story.link("opened") >= 2, "a new connection")
    story.until(
        lambda: set(range(1, made + 3)) <= set(story.board.meter.samples), "all that was made"
    )
    story.until(lambda: story.status("final") >= made, "final in the status")
    # The newest goes first on a new connection: what lies between may still be under way.
    story.until(story.is_whole, "the samples in between")


def full(story: Story) -> None:
    """The file system of the outbox holds less than was configured, and nobody takes samples."""
    outbox = story.board.folder / "outbox"
    outbox.mkdir(exist_ok=True)
    size = f"size={FLASH_BYTES}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", outbox], check=True)
    network(up=False)
    story.start()
    story.until(lambda: story.status("dropped") >= 10, "the oldest samples give way")
    network(up=True)
    made = story.status("seq")
    story.until(lambda: story.arrived() > made and story.is_whole(), "what is left arrives")
    story.until(lambda: story.status("final") >= made, "final beyond the gap")
    story.until(story.is_whole, "what has come since")


def main(folder: str, story: str) -> None:
    """Tells one story."""
    network(up=True)
    with ProcessGroup() as group:
        place = Path(folder)
        with Line(place / "line", [emulated_sdm120(host_ms() - 1_000)], host_ms) as line:
            told = Story(place, group, line, SPEEDS[story])
            {"away": away, "full": full}[story](told)
            print(json.dumps(told.told()))
            told.site.gateway.disconnect()


if __name__ == "__main__":
    main(*sys.argv[1:])
