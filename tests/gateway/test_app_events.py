"""A running gateway and an event: its policy answers, its order reaches the meter, once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wattle_hil.clock import host_ms
from wattle_testkit.alliance import Board, reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until
from wattle_wire import downlink

pytestmark = pytest.mark.slow

DEADLINE_S = 30.0
POLICY = """
[[answer]]
points = "all"
least_price = "80.00 EUR"
share = "50%"
"""


class House:
    """An aggregator's gateway, and a hosted user with a load of 3 kW."""

    def __init__(self, folder: Path) -> None:
        words = ("--role", "aggregator", "--interval", "2s")
        self.gateway = gateway = GatewayProcess(folder / "gateway", *words)
        config = gateway.home.config
        text = config.read_text(encoding="utf-8")
        before, mark, after = text.partition("[policy]")
        after = after.replace('file = ""', 'file = "p.toml"', 1)
        config.write_text(before + mark + after, encoding="utf-8")
        (gateway.folder / "p.toml").write_text(POLICY, encoding="utf-8")
        gateway.start()
        self.board = gateway.board("meter")
        self.point = f"{self.board.kid.hex()}/1"
        site_file, key = gateway.folder / "site.json", folder / "user.pem"
        word, proof = folder / "user.word", folder / "enrol.cbor"
        proof.write_bytes(self.board.proof())
        self.do("party", "word", site_file, key, "--name", "house", "--output", word)
        self.do("party", "register", gateway.folder, word)
        self.do("account", "issue", gateway.folder, "EUR", "1000", "--decimals", "2")
        points = ("--points", "1:5000:3000", "--owner", "house")
        self.do("meters", "enrol", gateway.folder, proof, *points)
        self.do(
            "dr", "offer", gateway.folder, self.point, "--area", "north", "--capacity", "3kW",
            "--called", "500W", "--asset", "EUR", "--price", "90.50", "--within", "2s",
            "--holds", "1h", "--period", "200ms",
        )  # fmt: skip

    @staticmethod
    def do(*words: str | Path) -> str:
        done = command(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def publish(self, *words: str) -> str:
        """The digest of a new event."""
        before = {one["event"] for one in self.events()}
        self.do(
            "dr", "publish", self.gateway.folder, "--method", "fixed", "--quantity", "1kW",
            "--begin", "+4s", "--for", "16s", "--asset", "EUR", "--energy", "100.00",
            "--baseline", "same-day-3-plus-2", *words,
        )  # fmt: skip
        (digest,) = {one["event"] for one in self.events()} - before
        return str(digest)

    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            self.do("dr", "events", self.gateway.folder, "--json")
        )
        return found

    def event(self, digest: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.do("dr", "event", self.gateway.folder, digest[:12], "--json")
        )
        return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("events"))
    try:
        yield made
    finally:
        made.gateway.kill()


def told(meter: PaperMeter, kind: int) -> list[list[object]]:
    """The bodies of the commands of a kind that a meter was sent."""
    return [body for _, found, body in meter.commands if found == kind]


def test_an_order_reaches_the_meter_and_outlives_a_restart(house: House) -> None:
    gateway, board = house.gateway, house.board
    digest_hex = house.publish()
    end_ms = house.event(digest_hex)["end_ms"]
    until(
        lambda: house.event(digest_hex)["state"] == "selected",
        DEADLINE_S,
        "the policy has answered",
    )
    (part,) = house.event(digest_hex)["parts"]
    assert (part["why"], set(part["quotas_w"]), part["owner"]) == ("chosen", {1_500}, "house")
    (answer,) = house.event(digest_hex)["answers"]
    assert (answer["did"], answer["why"]) == ("declared", "pays at least 80.00 EUR per MWh")
    with PaperMeter(board, gateway) as meter:
        house.do("dr", "dispatch", gateway.folder, digest_hex)
        until(lambda: told(meter, downlink.SETPOINT), DEADLINE_S, "the setpoint")
        ((digest, device, watts, until_ms),) = told(meter, downlink.SETPOINT)
        assert (device, watts, until_ms) == (1, 500, end_ms)
        order = house.event(digest_hex)["parts"][0]["order"]
        assert bytes.fromhex(order) == digest
    gateway.kill()
    gateway.start()
    with PaperMeter(board, gateway) as meter:
        # Nobody knows that it has heard it: it has not said so.
        until(lambda: told(meter, downlink.SETPOINT), DEADLINE_S, "the setpoint once more")
        meter.send(confirming(board, bytes.fromhex(order)))
        meter.await_final(1)
        (part,) = house.event(digest_hex)["parts"]
        assert (part["confirmed_w"], part["response_ms"] > 0) == (480, True)
        (line,) = json.loads(house.do("dr", "pool", gateway.folder, "--format", "json"))
        assert (line["called_w"], line["confirmed_w"]) == (1_500, 1_500)
        until(lambda: told(meter, downlink.RELEASE), DEADLINE_S, "the release at the end")
        assert host_ms() >= end_ms
        assert told(meter, downlink.RELEASE) == [[digest, 1]]
        assert len(told(meter, downlink.SETPOINT)) == 1
    assert house.event(digest_hex)["answers"] == [answer]


def confirming(board: Board, order: bytes) -> Any:
    return board.sample(1, [reading(host_ms())], command=(order, 480))


def test_what_is_wrong_with_a_command_of_events(house: House) -> None:
    folder = house.gateway.folder
    publish = (
        "dr", "publish", folder, "--method", "fixed", "--quantity", "1kW", "--begin", "+1h",
        "--for", "16s", "--asset", "EUR", "--energy", "10", "--baseline", "same-day-3-plus-2",
    )  # fmt: skip
    for words, code, said in (
        ((*publish, "--for", "3s"), 2, "a multiple of the ledger's interval of 2.0 s"),
        ((*publish, "--begin", "2026-07-01 12:00:01"), 2, "expected such as 2026-07-01 12:00:00"),
        ((*publish, "--begin", "2020-07-01 12:00"), 7, "window_passed"),
        ((*publish, "--asset", "CNY"), 2, "there is no asset CNY"),
        ((*publish, "--energy", "1.234"), 2, "has 3 digits after the point"),
        ((*publish, "--method", "realtime", "--select", "+1s"), 2, "chosen at once"),
        ((*publish, "--area", "north", "--near", "south/f1"), 2, "no line joins area north and"),
        ((*publish, "--fund", "12"), 2, "0 funds begin with '12'"),
        ((*publish, "--energy", "1000000000"), 7, "balance_short"),
        (("dr", "event", folder, "abcd"), 2, "0 events begin with 'abcd'"),
        (("dr", "dispatch", folder, "abcd", "--load", "x"), 2, "expected METER/D=POWER"),
    ):
        done = command(*words)
        assert (done.returncode, said in done.stderr) == (code, True), (words, done.stderr)
    event = house.publish("--begin", "+1h", "--energy", "79.99")
    until(lambda: house.event(event)["answers"], DEADLINE_S, "the policy's answer")
    (answer,) = house.event(event)["answers"]
    assert (answer["did"], answer["why"]) == ("left", "pays less than 80.00 EUR per MWh")
    assert "1 left: pays less" in house.do("dr", "events", folder)
    declare = ("dr", "declare", folder, event, house.point)
    for words, code, said in (
        ((*declare, "1kW", "2kW"), 2, "2 powers, expected 1 or 8"),
        ((*declare, "1kW", "--price", "1"), 2, "of method fixed, which asks none"),
        ((*declare, "0W"), 2, "no quota above 0"),
        ((*declare, "4kW"), 2, "nothing was sent: above_capacity"),
        (("dr", "withdraw", folder, event, house.point), 7, "not_declared"),
        (("dr", "dispatch", folder, event), 7, "not_selected"),
    ):
        done = command(*words)
        assert (done.returncode, said in done.stderr) == (code, True), (words, done.stderr)
    assert "is declared with 2.000 kW x 8" in house.do(*declare, "2kW")
    assert "1 declared" in house.do("dr", "event", folder, event)
    gone = house.do("dr", "withdraw", folder, event, house.point)
    assert "takes no part in the event" in gone
    assert house.event(event)["parts"] == []


def test_a_policy_file_is_tried_and_nothing_sent(house: House, tmp_path: Path) -> None:
    folder, file = house.gateway.folder, tmp_path / "policy.toml"
    file.write_text('[[answer]]\npoints = "all"\nleast_price = "999.00 EUR"\n')
    event = house.publish("--begin", "+1h", "--energy", "79.99")
    said = house.do("dr", "policy", folder, file)
    assert f"{file}: 1 rule, " in said
    assert f"{house.point} left: pays less than 999.00 EUR per MWh" in said
    file.write_text('[[answer]]\npoints = "all"\nleast_price = "1.00 EUR"\n')
    answers = json.loads(house.do("dr", "policy", folder, file, "--json"))
    assert "would be declared" in {one["did"] for one in answers if one["event"] == event}
    assert house.event(event)["parts"] == []
    file.write_text('[[answer]]\npoints = "all"\nshare = "180%"\n')
    done = command("dr", "policy", folder, file)
    assert (done.returncode, "expected a part of the capacity" in done.stderr) == (3, True)


def test_who_calls_at_once_is_told_how_much(house: House) -> None:
    said = house.do(
        "dr", "publish", house.gateway.folder, "--method", "realtime", "--quantity", "1kW",
        "--begin", "+4s", "--for", "16s", "--asset", "EUR", "--energy", "1",
        "--baseline", "same-day-3-plus-2",
    )  # fmt: skip
    assert "; 0.000 kW are called" in said  # the load asks more
