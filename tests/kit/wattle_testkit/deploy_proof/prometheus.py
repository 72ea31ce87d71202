"""A real Prometheus, Debian's, that scrapes gateways of this machine, and what it says to them."""

import contextlib
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wattle_hil.parts import host_program
from wattle_hil.parts.errors import PartError
from wattle_hil.parts.folder import build_folder, exclusive
from wattle_hil.parts.host_program import HostProgram

from wattle_testkit.deploy_proof.steps import CannotError, FailedError, run, wait
from wattle_testkit.gateway_process import free_port

PART = HostProgram("prometheus", ("prometheus",), ("prometheus", "promtool"))
JOB = "wattle"
_ANSWER_S = 10.0
_START_S = 20.0
# As often as it can: a rate over five minutes is there after two scrapes.
_SCRAPE_EVERY = "1s"


def program(name: str) -> Path:
    """Prometheus or promtool; CannotError where Debian's package cannot be had."""
    build = build_folder()
    try:
        with exclusive(build):
            host_program.fetch(build, PART)
        return host_program.find(build, PART, name)
    except PartError as error:
        raise CannotError(str(error)) from error


class Prometheus:
    """One that runs; `query` asks it."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        """Whether it has read what it has to read at its start."""
        try:
            with urllib.request.urlopen(f"{self._base}/-/ready", timeout=_ANSWER_S):
                return True
        except OSError:
            return False

    def get(self, path: str, **words: str) -> Any:
        """The data of an answer. FailedError with what it says, if it does not understand."""
        url = f"{self._base}{path}?{urllib.parse.urlencode(words)}"
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise FailedError(f"{words}: {error.read().decode()}") from error

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now: rows of `metric` (labels) and `value`."""
        found: list[dict[str, Any]] = self.get("/api/v1/query", query=expression)["result"]
        return found

    def alerts(self) -> dict[str, dict[str, Any]]:
        """The alerting rules by name, with `health`, `state` and `lastError`."""
        groups = self.get("/api/v1/rules")["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}


@contextlib.contextmanager
def running(folder: Path, ports: Sequence[int], rules: Path) -> Iterator[Prometheus]:
    """One that scrapes these ports of 127.0.0.1 and judges by the rules; its data in `folder`."""
    targets = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
    config = folder / "prometheus.yml"
    config.write_text(
        f"global: {{scrape_interval: {_SCRAPE_EVERY}, evaluation_interval: {_SCRAPE_EVERY}}}\n"
        f"rule_files: ['{rules}']\n"
        f"scrape_configs: [{{job_name: {JOB}, static_configs: [{{targets: [{targets}]}}]}}]\n"
    )
    run([program("promtool"), "check", "config", config])
    own = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(program("prometheus")),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{own}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        found = Prometheus(own)
        wait(lambda: _has_scraped(found, len(ports)), _START_S, "Prometheus scrapes the gateways")
        yield found
    finally:
        process.terminate()
        process.wait(_START_S)


def _has_scraped(found: Prometheus, targets: int) -> bool:
    """Twice at least, each of them."""
    if not found.is_ready():
        return False
    rows = found.query(f'count_over_time(up{{job="{JOB}"}}[5m])')
    healthy = found.query(f'up{{job="{JOB}"}} == 1')
    return len(healthy) == targets and all(int(row["value"][1]) >= 3 for row in rows)
