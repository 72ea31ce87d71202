"""A real mosquitto with the files that `wattle-gateway broker-config` writes."""

import os
import socket
import subprocess
from pathlib import Path

import pytest
from wattle_hil import parts

from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.waiting import until


class OutsideBroker:
    """mosquitto for a gateway that was made with `--broker external`."""

    def __init__(self, gateway: GatewayProcess) -> None:
        """Skips the test where there is no mosquitto."""
        try:
            self._program = parts.mosquitto()
        except parts.PartMissingError as error:
            pytest.skip(str(error))
        self._gateway = gateway
        self._folder = gateway.folder.with_name(f"{gateway.folder.name}-mosquitto")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write its files anew and start it."""
        done = command("broker-config", self._gateway.folder, "--out", self._folder)
        assert done.returncode == 0, done.stderr
        written = self._folder / "mosquitto.conf"
        if os.geteuid() == 0:  # it would become the user mosquitto, who cannot read the key
            written.write_text("user root\n" + written.read_text())
        with Path(self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", written], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._listens, 10, f"mosquitto listens; {self._folder / 'log'}")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._gateway.port)) == 0
