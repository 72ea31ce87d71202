"""Asking a meter for samples again: what is sent, and what is said of what came."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import BrokerError, UsageError
from wattle_gateway.ingest.commands import CommandSender
from wattle_gateway.ingest.resending import SEQS_MAX, Resending, Watch
from wattle_testkit.alliance import Board, reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until
from wattle_wire import downlink

QUIET_S = 0.05
LONG_S = 20.0
KID, OTHER = b"\x01" * 8, b"\x02" * 8
T_MS = 1_700_000_000_000


class NamedMeter:
    """What Resending reads of a meter."""

    kid = KID


METER = cast(Meter, NamedMeter())


class Sender:
    """Notes what is asked; `then` is what the meter does about it."""

    def __init__(self, then: Callable[[], None] = lambda: None, up: bool = True) -> None:
        self.asked: list[tuple[int, int]] = []
        self._then = then
        self._up = up

    async def resend(self, meter: Meter, first: int, to: int) -> bool:
        assert meter.kid == KID
        self.asked.append((first, to))
        self._then()
        return self._up


def asked(sender: Sender, first: int, to: int, within_s: float = LONG_S) -> Watch:
    resending = Resending(cast(CommandSender, sender), QUIET_S)
    sender.resending = resending  # type: ignore[attr-defined]
    return asyncio.run(resending.ask(METER, first, to, within_s, time.monotonic))


def test_it_ends_as_soon_as_all_have_come_and_says_which_were_new() -> None:
    def answer() -> None:
        arrived = sender.resending.arrived  # type: ignore[attr-defined]
        for seq, is_new in ((9, True), (3, False), (4, True), (4, False), (5, False), (6, True)):
            arrived(KID, seq, is_new)
        arrived(OTHER, 3, True)

    sender = Sender(answer)
    watch = asked(sender, 3, 5)
    assert sender.asked == [(3, 5)]
    assert (watch.asked, watch.came, watch.new) == (3, 3, 1)


def test_a_meter_that_goes_quiet_is_waited_for_no_longer() -> None:
    def answer() -> None:
        sender.resending.arrived(KID, 3, False)  # type: ignore[attr-defined]

    sender = Sender(answer)
    watch = asked(sender, 3, 5)
    assert (watch.asked, watch.came, watch.new) == (3, 1, 0)


def test_the_whole_has_its_limit_however_many_still_come() -> None:
    async def story() -> Watch:
        resending = Resending(cast(CommandSender, Sender()), LONG_S)
        now_s = [0.0]

        async def trickle() -> None:
            for seq in range(1, 50):
                now_s[0] += 1.0
                resending.arrived(KID, seq, False)
                await asyncio.sleep(0)
                await asyncio.sleep(0)

        task = asyncio.create_task(trickle())
        watch = await resending.ask(METER, 1, 1_000, 5.0, lambda: now_s[0])
        task.cancel()
        return watch

    assert 5 <= asyncio.run(story()).came < 50


def test_what_comes_when_nobody_waits_is_nobodys() -> None:
    sender = Sender()
    first = asked(sender, 1, 2)
    sender.resending.arrived(KID, 1, True)  # type: ignore[attr-defined]
    assert first.came == 0


def test_without_a_broker_the_meter_was_not_asked() -> None:
    with pytest.raises(BrokerError, match="not asked"):
        asked(Sender(up=False), 1, 1)


@pytest.mark.parametrize(("first", "to"), [(5, 4), (-1, 3), (1, SEQS_MAX + 1)])
def test_a_range_that_is_none_or_too_long_is_not_asked_for(first: int, to: int) -> None:
    sender = Sender()
    with pytest.raises(UsageError, match="expected a rising range of at most 100000"):
        asked(sender, first, to)
    assert sender.asked == []


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    made = GatewayProcess(tmp_path_factory.mktemp("resend") / "gateway")
    made.start()
    yield made
    made.kill()


def enrolled(gateway: GatewayProcess, name: str) -> Board:
    board = gateway.board(name)
    gateway.enrol(board)
    return board


def resend(folder: Path, board: Board, *words: str) -> tuple[int, str]:
    done = command("meters", "resend", folder, board.kid.hex(), *words)
    return done.returncode, done.stdout + done.stderr


def test_an_operator_gets_samples_again(gateway: GatewayProcess) -> None:
    board = enrolled(gateway, "willing")
    samples = [board.sample(seq, [reading(T_MS + seq, ei=seq)]) for seq in range(1, 6)]
    with PaperMeter(board, gateway) as meter:
        meter.send(*samples)
        meter.await_final(5)

        def carry_out() -> None:
            until(lambda: meter.commands, LONG_S, "a command")
            meter.send(*samples[1:4])

        answering = threading.Thread(target=carry_out)
        answering.start()
        code, said = resend(gateway.folder, board, "2", "4")
        answering.join()
        ((_, kind, body),) = meter.commands
    assert (kind, body) == (downlink.RESEND, [2, 4])
    assert (code, said) == (0, f"meter {board.kid.hex()}: 3 of 3 samples came again, 0 new here\n")
    assert gateway.counted("repeat") >= 3


def test_a_meter_that_is_not_here_is_not_asked(gateway: GatewayProcess) -> None:
    board = enrolled(gateway, "absent")
    code, said = resend(gateway.folder, board, "1")
    assert code == 2
    assert "is not connected to this gateway" in said
    code, said = resend(gateway.folder, gateway.board("stranger"), "1")
    assert code == 2
    assert "is not enrolled" in said
