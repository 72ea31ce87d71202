"""A time server over real UDP, asked by real MicroPython."""

import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wattle_hil import parts

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "programs" / "ask_time.py"
UNIX_S = 1_700_006_400
_FROM_1900_S = 2_208_988_800
DEADLINE_S = 20.0

Speak = Callable[[bytes], list[bytes]]


def right(question: bytes) -> list[bytes]:
    """A server of stratum 1, a quarter of a second after the full one."""
    assert len(question) == 48
    assert question[0] == 0x23
    head = bytes([0x24, 1, 0, 0]) + bytes(20)
    return [head + question[40:] + struct.pack(">IIII", 0, 0, UNIX_S + _FROM_1900_S, 1 << 30)]


class Server:
    """Answers one question after the other with what `speak` makes of it."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.speak: Speak = right
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        stopper = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stopper.sendto(b"", ("127.0.0.1", self.port))
        stopper.close()
        self._thread.join(5)
        self.socket.close()

    def _serve(self) -> None:
        while True:
            question, peer = self.socket.recvfrom(1_024)
            if not question:
                return
            for answer in self.speak(question):
                self.socket.sendto(answer, peer)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(params=[64, 32], ids=["micropython64", "micropython32"])
def interpreter(request: pytest.FixtureRequest) -> Path:
    try:
        return parts.micropython(request.param)
    except parts.PartMissingError as error:
        if request.param == 32:
            pytest.skip(str(error))
        raise


def asked(interpreter: Path, port: int, timeout_ms: int = 5_000) -> str:
    rooms = [f"{ROOT}/protocol", f"{ROOT}/firmware", ".frozen"]
    done = subprocess.run(
        [interpreter, PROGRAM, str(port), str(timeout_ms)],
        env=os.environ | {"MICROPYPATH": ":".join(rooms)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.stderr == "", done.stderr
    return done.stdout.strip()


def test_the_time_comes(interpreter: Path, server: Server) -> None:
    assert asked(interpreter, server.port).split()[0] == str(UNIX_S * 1_000 + 250)


@pytest.mark.parametrize(
    ("speak", "complaint"),
    [
        (lambda question: [b"short"], "5 bytes, expected 48"),
        (lambda question: [bytes(400)], "no answer to our question"),
        (lambda question: [question], "no answer to our question"),
    ],
)
def test_nonsense_is_no_time(
    interpreter: Path, server: Server, speak: Speak, complaint: str
) -> None:
    server.speak = speak
    assert asked(interpreter, server.port).startswith(f"failed: {complaint}")


def test_a_silent_server_holds_nobody_up(interpreter: Path, server: Server) -> None:
    server.speak = lambda question: []
    said = asked(interpreter, server.port, 200)
    assert said.startswith("failed: no answer from 127.0.0.1")
    assert int(said.split()[-1]) >= 5, "other tasks ran meanwhile"


def test_a_closed_port_is_told(interpreter: Path) -> None:
    unused = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    unused.bind(("127.0.0.1", 0))
    port = unused.getsockname()[1]
    unused.close()
    assert asked(interpreter, port).startswith("failed: ")
