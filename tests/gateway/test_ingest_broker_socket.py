"""A connection to a broker whose handshake fails holds neither a descriptor nor a port."""

import gc
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from wattle_gateway.ingest import broker_socket
from wattle_gateway.pki import authority, keys
from wattle_hil.children.free_port import LOOPBACK, free_ports

_TIMEOUT_S = 10.0


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    """The PEM file of an authority."""
    file = tmp_path / "authority.pem"
    made = authority.SiteAuthority.create(keys.new_p256(), "home")
    file.write_bytes(authority.pem(made.certificate))
    return file


@pytest.fixture
def collected_by_hand() -> Iterator[None]:
    """No collection of garbage closes what should have been closed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def client(trusted: Path) -> mqtt.Client:
    made = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    made.tls_set_context(broker_socket.trusting(trusted))
    return made


def sockets_open() -> int:
    folder = Path("/proc/self/fd")
    links = [os.readlink(path) for path in folder.iterdir() if path.is_symlink()]
    return sum(link.startswith("socket:") for link in links)


@pytest.mark.usefixtures("collected_by_hand")
def test_a_handshake_that_the_broker_breaks_off_leaves_nothing_open(trusted: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        listener.settimeout(_TIMEOUT_S)
        breaking = threading.Thread(target=lambda: listener.accept()[0].close())
        breaking.start()
        tried = client(trusted)
        before = sockets_open()
        with pytest.raises(OSError, match=r"EOF|reset|Broken pipe") as caught:
            tried.connect(*listener.getsockname())
        breaking.join()
        assert sockets_open() == before
    # The error is held until here, and with it paho's frames and what they know.
    assert caught.traceback[-1].name == "do_handshake"


def test_who_connects_to_itself_leaves_the_port_to_the_broker(trusted: Path) -> None:
    (port,) = free_ports(1)
    with pytest.raises(ConnectionRefusedError, match="connected to ourselves"):
        client(trusted).connect(LOOPBACK, port, bind_address=LOOPBACK, bind_port=port)
    with socket.socket() as broker:
        broker.bind((LOOPBACK, port))
        broker.listen()


def test_a_file_without_a_certificate_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        broker_socket.trusting(tmp_path / "none.pem")
    (tmp_path / "empty.pem").write_bytes(b"")
    with pytest.raises(ssl.SSLError, match="NO_CERTIFICATE"):
        broker_socket.trusting(tmp_path / "empty.pem")
