"""An S3-compatible server: moto, as a process of its own, which speaks the protocol over HTTP."""

import subprocess
import sys
import urllib.request
from pathlib import Path

from wattle_testkit.waiting import until

START_S = 20.0
_BEGINS = "Running on http://"


class ObjectServer:
    """On a free port of this machine; nothing that it holds outlives it."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "moto.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.endpoint = until(self._address, START_S, "the object server's address")

    def _address(self) -> str:
        if self._process.poll() is not None:
            raise RuntimeError(f"moto ended: {self._log.read_text()}")
        _, begins, rest = self._log.read_text().partition(_BEGINS)
        return f"http://{rest.split()[0]}" if begins and rest.split() else ""

    def make_bucket(self, name: str) -> None:
        """A new bucket. The server checks no signature."""
        self._send("PUT", name)

    def get(self, name: str) -> bytes:
        """An object, by `bucket/name`."""
        return self._send("GET", name)

    def put(self, name: str, content: bytes) -> None:
        """Another object in the place of one."""
        self._send("PUT", name, content)

    def delete(self, name: str) -> None:
        """It is gone."""
        self._send("DELETE", name)

    def _send(self, method: str, name: str, content: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self.endpoint}/{name}", content, method=method)
        # A credential that names the region; nobody checks its signature.
        request.add_header(
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, "
            "SignedHeaders=host, Signature=0",
        )
        with urllib.request.urlopen(request) as answer:
            return bytes(answer.read())

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
