"""What a running gateway does for its meters besides taking samples."""

import json
import os
import secrets
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from wattle_gateway.home.identity import load_identity
from wattle_gateway.ledger import crypto, entry, transaction
from wattle_gateway.runtime.queue import entry_row
from wattle_gateway.store import connection as database
from wattle_gateway.store import pool_rows, schema
from wattle_testkit.alliance import Board, reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.outside_broker import OutsideBroker
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until
from wattle_wire import downlink, uplink

VIRTUAL_MS = 1_170_288_000_000  # 2007-02-01
SPEED = 60


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway in February 2007, sixty times as fast as life."""
    folder = tmp_path_factory.mktemp("bench")
    clock = folder / "clock.json"
    anchor_ms = time.time_ns() // 1_000_000
    clock.write_text(json.dumps({"base_ms": VIRTUAL_MS, "anchor_ms": anchor_ms, "speed": SPEED}))
    made = GatewayProcess(folder / "gateway", "--bench-clock", str(clock))
    made.start("--bench-clock", str(clock))
    yield made
    made.kill()


def virtual_ms(gateway: GatewayProcess) -> int:
    return int(gateway.ask("live")["live"]["clock_ms"])


def line_of(gateway: GatewayProcess, board: Board) -> dict[str, object]:
    (line,) = [line for line in gateway.status()["meters"] if line["meter"] == board.kid.hex()]
    found: dict[str, object] = line
    return found


def enrolled(gateway: GatewayProcess, name: str) -> Board:
    board = gateway.board(name)
    gateway.enrol(board)
    return board


def test_a_curve_of_long_ago_is_neither_late_nor_future(gateway: GatewayProcess) -> None:
    board = enrolled(gateway, "replayed")
    with PaperMeter(board, gateway) as meter:
        at_ms = virtual_ms(gateway)
        assert VIRTUAL_MS <= at_ms < VIRTUAL_MS + 86_400_000
        meter.send(board.sample(1, [reading(at_ms, ei=1)]))
        meter.await_final(1)
    assert line_of(gateway, board)["classes"] == {"valid": 1}
    assert command("audit", gateway.folder).returncode == 0


def test_the_time_is_given_for_a_nonce(gateway: GatewayProcess) -> None:
    board = enrolled(gateway, "asking")
    with PaperMeter(board, gateway) as meter:
        nonce = secrets.token_bytes(16)
        before_ms = virtual_ms(gateway)
        meter.say_online(nonce)
        until(lambda: meter.commands, 10, "a command")
        ((counter, kind, body),) = meter.commands
        assert kind == downlink.TIME
        assert body[0] == nonce
        assert before_ms <= int(str(body[1])) <= virtual_ms(gateway)
        assert counter >= before_ms


def test_every_connection_is_told_where_the_meter_stands(gateway: GatewayProcess) -> None:
    board = enrolled(gateway, "returning")
    with PaperMeter(board, gateway) as meter:
        meter.send(board.sample(1, [reading(virtual_ms(gateway), ei=1)]))
        meter.await_final(1)
    with PaperMeter(board, gateway) as meter:
        assert meter.await_final(1).durable == 1
    until(lambda: line_of(gateway, board)["connections"] == 2, 10, "written within a second")
    assert line_of(gateway, board)["flaps"] == 1


def test_a_meter_that_is_gone_is_shown_as_gone(gateway: GatewayProcess) -> None:
    board = enrolled(gateway, "leaving")

    def online() -> bool:
        return board.kid.hex() in gateway.ask("live")["live"]["online"]

    with PaperMeter(board, gateway) as meter:
        until(online, 10, "online")
        # A late will of an older connection says nothing about this one.
        meter.publish(meter.topic("state"), uplink.encode_state(bytes(8), False), retain=True)
        meter.say_online()
        assert online()
        meter.publish(
            meter.topic("state"), uplink.encode_state(meter.connection, False), retain=True
        )
        until(lambda: not online(), 10, "offline")


def birth_of(board: Board) -> dict[str, object]:
    return {
        "boot": 3,
        "clk": "U",
        "devices": [],
        "eui64": board.eui64,
        "fw": "1.0",
        "interval_ms": 1000,
        "platform": "paper",
        "protect": "file",
        "seq": 1,
        "site": "home",
        "time_ms": VIRTUAL_MS,
        "version": 0,
    }


def test_a_birth_counts_only_if_its_meter_signed_it(gateway: GatewayProcess) -> None:
    board, other = enrolled(gateway, "born"), gateway.board("other")
    payload = uplink.encode_birth(birth_of(board))
    with PaperMeter(board, gateway) as meter:
        topic = meter.topic("birth")
        births = gateway.counted("births")
        meter.publish(topic, board.signed("birth", payload), retain=True)
        until(lambda: gateway.counted("births") == births + 1, 10, "a birth")
        refused = gateway.counted("birth.refused")
        for bad in (
            b"garbage",
            other.signed("birth", payload),
            board.signed("sample", payload),
            board.signed("birth", b"\xa0"),
        ):
            meter.publish(topic, bad, retain=True)
        until(lambda: gateway.counted("birth.refused") == refused + 4, 10, "four refusals")
        assert gateway.counted("births") == births + 1


def test_a_state_that_is_none_is_refused(gateway: GatewayProcess) -> None:
    board = enrolled(gateway, "stammering")
    with PaperMeter(board, gateway) as meter:
        before = gateway.counted("state.refused")
        for bad in (b"", b"\x01", b"\x83\x01\x41\x00\xf6", b"\xff" * 100):
            meter.publish(meter.topic("state"), bad)
        until(lambda: gateway.counted("state.refused") == before + 4, 10, "four refusals")


def test_a_worker_that_dies_is_replaced(gateway: GatewayProcess) -> None:
    board = enrolled(gateway, "unlucky")
    (first, *_) = _workers(gateway.pid)
    os.kill(first, signal.SIGKILL)
    with PaperMeter(board, gateway) as meter:
        signed = board.sample(1, [reading(virtual_ms(gateway), ei=1)])

        def resent_until_durable() -> bool:
            meter.send(signed)
            return any(ack.durable == 1 for ack in meter.acks)

        until(resent_until_durable, 20, "durable")
    assert gateway.ask("live")["live"]["worker_crashes"] == 1


def _workers(pid: int) -> list[int]:
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [
        child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def test_an_enrolment_that_a_crash_left_behind_is_carried_out(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    board = gateway.board("forgotten")
    identity = load_identity(gateway.home)
    raw = transaction.build(
        board.epoch.ledger_id,
        identity.member.kid,
        crypto.signer(identity.block_key),
        lane=0,
        nonce=0,
        until_ms=(1 << 53) - 1,
        kind=transaction.ENROL,
        body=transaction.enrol_body(replace(board.enrol(), site="home")),
    )
    row = entry_row(entry.encode(entry.TRANSACTION, raw, 60_000), board.epoch.ledger_id)
    writer = database.open_writer(gateway.home.database, schema.LEDGER, board.epoch.ledger_id)
    pool_rows.insert(writer, row)
    writer.close()
    gateway.start()
    try:
        until(lambda: gateway.status()["meters"], 10, "enrolled")
        until(
            lambda: board.kid.hex() in (gateway.home.broker / "nats.conf").read_text(),
            10,
            "known to the broker",
        )
        gateway.enrol(board)  # by now a repetition, which gives the certificate
        with PaperMeter(board, gateway) as meter:
            meter.send(board.sample(1))
            meter.await_durable(1)
    finally:
        gateway.kill()


def test_site_json_follows_the_configuration(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    text = gateway.home.config.read_text()
    gateway.home.config.write_text(text.replace('host = "127.0.0.1"', 'host = "localhost"', 1))
    gateway.start()
    gateway.kill()
    bundle = json.loads(gateway.home.bundle.read_text())
    assert bundle["broker"] == {"host": "localhost", "port": gateway.port}


def test_an_outside_broker_keeps_revoked_meters_out(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway", "--broker", "external")
    outside = OutsideBroker(gateway)
    outside.start()
    try:
        gateway.start()
        board, other = enrolled(gateway, "revoked"), enrolled(gateway, "other")
        assert PaperMeter(board, gateway).attempt()
        gateway.ask("revoke", meter=board.kid.hex(), last_seq=None)
        outside.stop()
        outside.start()  # with the files renewed
        assert not PaperMeter(board, gateway).attempt()
        until(lambda: gateway.ask("live")["live"]["link_up"], 20, "the gateway is back")
        with PaperMeter(other, gateway) as meter:
            meter.send(other.sample(1))
            meter.await_durable(1)
    finally:
        gateway.kill()
        outside.stop()
