"""A gateway on a disk of its own, which fills up while a meter sends, and has room again; then it
is started on the full disk.

    python -m wattle_testkit.full_disk FOLDER

in a mount namespace of its own (`unshare -rm`): it mounts a tmpfs on FOLDER, and prints what it
saw as JSON. Nothing is done to the gateway by hand.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from wattle_gateway.errors import NotRunningError
from wattle_gateway.ledger.signed_sample import SignedSample

from wattle_testkit.alliance import Board, reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until
from wattle_testkit.watched_gateway import fetch, watch

DISK_MIB = 48
BLOCK_BYTES = 4_096
DEADLINE_S = 30.0
RESEND_AFTER_S = 2.0
LAST_SEQ = 12


class Ballast:
    """A file that takes all that is left of a disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def fill(self) -> None:
        """Take what there is, and what others have freed since."""
        try:
            with self._path.open("ab", buffering=0) as file:
                while file.write(bytes(BLOCK_BYTES)):
                    pass
        except OSError:
            return

    def drop(self) -> None:
        """Give it back."""
        self._path.unlink()


def story(folder: Path) -> dict[str, Any]:
    """What happened, for a test to judge."""
    gateway = GatewayProcess(folder / "gateway")
    port = watch(gateway)
    ballast = Ballast(folder)
    board = gateway.board("full")
    gateway.start()
    try:
        gateway.enrol(board)
        begin_ms = time.time_ns() // 1_000_000
        samples: list[SignedSample] = []
        prev: bytes | None = None
        for seq in range(1, LAST_SEQ + 1):
            made = board.sample(seq, [reading(begin_ms + seq, ei=seq, p=5)], prev=prev)
            samples.append(made)
            prev = made.digest
        with PaperMeter(board, gateway) as meter:
            meter.send(*samples[:4])
            before = meter.await_final(4)
            ballast.fill()
            for sample in samples[4:8]:  # nobody waits for PUBACKs: there may be none
                meter.client.publish(meter.topic("sample"), sample.raw, qos=1)

            def alarmed() -> dict[str, Any] | None:
                ballast.fill()
                live: dict[str, Any] = gateway.ask("live")["live"]
                names = {row["alarm"]: row["severity"] for row in live["alarms"]}
                return live if names.get("disk") == "critical" else None

            full = until(alarmed, DEADLINE_S, "an alarm of the disk")
            assert full is not None
            acknowledged = max(ack.durable for ack in meter.acks)
            not_ready = fetch(port, "/readyz")
            told = command("alarms", gateway.folder)
            ballast.drop()
            meter.client.publish(meter.topic("sample"), samples[8].raw, qos=1)
            room = until(
                lambda: _well(gateway.ask("live")["live"]), DEADLINE_S, "all steps are over"
            )

            assert room is not None
            until(lambda: _final(gateway, meter, samples), DEADLINE_S, "every sample is final")
        audit = command("audit", gateway.folder)
        return {
            "final_before": before.final,
            "acknowledged_while_full": acknowledged,
            "steps": sorted(full["resources"]["steps"]),
            "readyz": [not_ready.status, sorted(not_ready.json()["reasons"])],
            "alarms": [told.returncode, told.stdout],
            "taken": room["resources"]["taken"],
            "finals": [ack.final for ack in meter.acks],
            "audit": [audit.returncode, audit.stdout[-400:] + audit.stderr[-400:]],
            "exit": gateway.stop(),
            "started_full": started_full(gateway, port, ballast, board, prev),
            "log": gateway.log.read_text(),
        }
    finally:
        gateway.kill()


def started_full(
    gateway: GatewayProcess, port: int, ballast: Ballast, board: Board, prev: bytes | None
) -> dict[str, Any]:
    """A gateway that was stopped in order, so that its databases have no log and no index of it,
    is started while nothing is left of the disk, and goes on once there is room."""
    seq = LAST_SEQ + 1
    ballast.fill()
    gateway.begin()

    def waits() -> dict[str, Any] | None:
        ballast.fill()
        if gateway.has_ended:
            raise AssertionError(f"it ended: {gateway.log.read_text()}")
        try:
            live: dict[str, Any] = gateway.ask("live")["live"]
        except NotRunningError:
            return None
        return live if live["waits"] and live["alarms"] else None

    live = until(waits, DEADLINE_S, "it says that it waits for room")
    assert live is not None
    answers = {path: fetch(port, path) for path in ("/healthz", "/readyz", "/metrics")}
    said = {words[0]: command(*words) for words in _asked(gateway.folder)}
    ballast.drop()
    gateway.await_up()
    last = board.sample(seq, [reading(time.time_ns() // 1_000_000, ei=seq, p=5)], prev=prev)
    with PaperMeter(board, gateway) as meter:
        meter.send(last)
        final = meter.await_final(seq).final
    return {
        "answers": {path: [answer.status, answer.body] for path, answer in answers.items()},
        "said": {name: [done.returncode, done.stdout + done.stderr] for name, done in said.items()},
        "alarms": [[row["alarm"], row["severity"]] for row in live["alarms"]],
        "final": final,
        "waits_after": gateway.ask("live")["live"]["waits"],
        "exit": gateway.stop(),
    }


def _asked(folder: Path) -> tuple[tuple[str | Path, ...], ...]:
    return (
        ("status", folder),
        ("alarms", folder),
        ("doctor", folder),
        ("meters", "revoke", folder, "00" * 8),
    )


def _well(live: dict[str, Any]) -> dict[str, Any] | None:
    return None if live["resources"]["steps"] else live


def _final(gateway: GatewayProcess, meter: PaperMeter, samples: list[SignedSample]) -> bool:
    """As a board does it: what is not acknowledged as durable is sent again, for a while."""
    last = len(samples)

    def newest() -> int:
        return max(ack.final for ack in meter.acks)

    if meter.online and gateway.ask("live")["live"]["link_up"]:
        durable = max(ack.durable for ack in meter.acks)
        for sample in samples[durable:]:
            meter.client.publish(meter.topic("sample"), sample.raw, qos=1)
        until_s = time.monotonic() + RESEND_AFTER_S
        until(lambda: time.monotonic() > until_s or newest() >= last, DEADLINE_S, "an ack")
    return newest() >= last


def main() -> None:
    """Mount, play, print."""
    folder = Path(sys.argv[1])
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", str(folder)], check=True
    )
    os.chdir(folder)
    print(json.dumps(story(folder)))


if __name__ == "__main__":
    main()
