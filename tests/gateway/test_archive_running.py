"""A running gateway archives beside its meters, as processes."""

import asyncio
import json
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from wattle_gateway import config
from wattle_gateway.app.archive_side import ArchiveSide
from wattle_gateway.archive.mover import Mover
from wattle_gateway.errors import ArchiveError
from wattle_gateway.home.identity import load_identity
from wattle_testkit import sealed_folder
from wattle_testkit.alliance_commands import joined
from wattle_testkit.gateway_process import GatewayProcess, command, free_port
from wattle_testkit.old_gateway import OLD_DAYS, SAMPLES_A_DAY, OldGateway
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> OldGateway:
    """Sealed, so that the archive is, too."""
    folder = tmp_path_factory.mktemp("old")
    assert command("keys", "make", folder / "key").returncode == 0
    return OldGateway(folder / "gateway", storage_key=f"file:{folder / 'key'}")


def said(gateway: GatewayProcess, *words: str) -> Any:
    group, *more = words
    done = command(group, *more[:1], gateway.folder, *more[1:], "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_without_its_target_everything_stays_and_the_log_says_so(old: OldGateway) -> None:
    target = old.home.folder / "old"
    target.rmdir()
    gateway = old.process
    gateway.start()
    try:
        until(
            lambda: "archive: the archive takes nothing, all stays here" in gateway.log.read_text(),
            DEADLINE_S,
            "the log says it",
        )
        done = command("archive", "now", gateway.folder)
        assert done.returncode == 18
        assert f"{target}: no such folder; make it, or mount its disk" in done.stderr
    finally:
        assert gateway.stop() == 0
        target.mkdir()
    assert len(said(gateway, "samples")) == OLD_DAYS * SAMPLES_A_DAY
    assert said(gateway, "archive", "status")["parts"] == 0


def test_why_it_takes_nothing_is_known_until_it_goes_on(
    old: OldGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Exception | None] = [None, ArchiveError("unmounted"), None]

    def step(_mover: Mover, _older_than_ms: int) -> None:
        answer = answers.pop()
        if answer is not None:
            raise answer

    async def course() -> list[str]:
        gateway = SimpleNamespace(
            home=old.home,
            identity=load_identity(old.home),
            config=config.load(old.home.config),
            clock=SimpleNamespace(now_ms=lambda: 0),
        )
        side = ArchiveSide(gateway)  # type: ignore[arg-type]
        found = []
        while answers:
            with suppress(ArchiveError):
                await side.run_now()
            found.append(side.trouble)
        await side.stop()
        return found

    monkeypatch.setattr(Mover, "step", step)
    assert asyncio.run(course()) == ["", "unmounted", ""]


def test_old_days_leave_while_a_meter_sends(old: OldGateway) -> None:
    gateway = old.process
    began_ms = time.time_ns() // 1_000_000
    gateway.start()
    try:
        with PaperMeter(old.board, gateway) as meter:
            meter.send(old.next_sample(began_ms))
            assert meter.await_durable(len(old.samples)).missing == []
            meter.await_final(len(old.samples))
        until(
            lambda: said(gateway, "archive", "status")["parts"] >= OLD_DAYS - 1,
            DEADLINE_S,
            "old days have left",
        )
        # The gateway answers the command itself: there is no more than it has found to do.
        status = said(gateway, "archive", "now")
        assert not status["under_way"]
        assert said(gateway, "archive", "verify")["ok"]
        # The running gateway does this itself, too.
        assert command("keys", "rotate", gateway.folder).returncode == 0
        resealed = said(gateway, "archive", "reseal")
        assert resealed["written"] == resealed["files"] == 3 * status["parts"]
        assert (resealed["key"], resealed["forgotten"]) == (2, 1)
        assert said(gateway, "archive", "verify")["ok"]
        rows = said(gateway, "samples")
        assert [row["seq"] for row in rows] == list(range(1, len(old.samples) + 1))
        assert said(gateway, "audit")["ok"]
    finally:
        assert gateway.stop() == 0
    assert "archive: a part is in the archive part=1" in gateway.log.read_text()
    secret = [signed.raw for signed in old.samples]
    assert sealed_folder.holding(gateway.folder.parent, *secret) == []


def test_a_newcomer_is_given_the_days_that_have_left(old: OldGateway) -> None:
    """All of the ledger but what is recent lies in the archive of the only member."""
    text = old.home.config.read_text()
    text = text.replace('listen = ""', 'listen = "127.0.0.1"', 1)
    old.home.config.write_text(text.replace("port = 8884", f"port = {free_port()}"))
    assert command("archive", "now", old.home.folder).returncode == 0  # were it the only test
    assert said(old.process, "archive", "status")["last_commit"] > 10
    old.process.start()
    newcomer = joined(old.process, "newcomer")
    try:
        newcomer.start()
        head = old.process.status()["commit"]
        until(lambda: newcomer.status()["commit"] >= head, DEADLINE_S, f"all came; {newcomer.log}")
        rows = said(newcomer, "samples")
        assert [row["seq"] for row in rows] == list(range(1, len(old.samples) + 1))
    finally:
        assert newcomer.stop() == 0
        assert old.process.stop() == 0
    assert said(newcomer, "audit")["ok"]
