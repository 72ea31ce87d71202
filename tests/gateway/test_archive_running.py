"""A running gateway archives beside its meters, as processes."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from wattle_gateway import config
from wattle_gateway.app.archive_side import ArchiveSide
from wattle_gateway.archive.mover import Mover
from wattle_gateway.consensus.engine import SAMPLE_ROUND_MS, Now
from wattle_gateway.errors import ArchiveError
from wattle_gateway.home import create
from wattle_gateway.home.draft import NewGateway
from wattle_gateway.home.identity import load_identity
from wattle_gateway.ledger import crypto, entry, transaction
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import GRID_COMPANY
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.queue import entry_row
from wattle_testkit.alliance import Board, reading, sample_entry
from wattle_testkit.archived_ledger import CONSTANTS, DAY_MS
from wattle_testkit.gateway_process import GatewayProcess, command, free_port
from wattle_testkit.paper_meter import SITE, PaperMeter
from wattle_testkit.waiting import until

DEADLINE_S = 30.0
OLD_DAYS = 3
SAMPLES_A_DAY = 6


class OldGateway:
    """A folder of a gateway alone whose meter sent samples on three days, 40 days ago."""

    def __init__(self, folder: Path) -> None:
        self._unix_ms = time.time_ns() // 1_000_000 - 40 * DAY_MS
        choice = NewGateway(
            name="ann",
            site=SITE,
            role=GRID_COMPANY,
            hosts=["127.0.0.1"],
            listen="127.0.0.1",
            port=free_port(),
        )
        self.home = create.create(folder, choice, self._unix_ms - DAY_MS, CONSTANTS)
        identity = load_identity(self.home)
        self._epoch = first_epoch(identity.genesis)
        sign = crypto.signer(identity.block_key)
        self._driver = LedgerDriver(self.home.database, self._epoch, identity.kid, sign)
        self._driver.open()
        self.board = Board("meter", self._epoch)
        body = transaction.enrol_body(replace(self.board.enrol(), site=SITE))
        enrol = transaction.build(
            self._epoch.ledger_id,
            identity.kid,
            sign,
            lane=0,
            nonce=0,
            until_ms=self._unix_ms + 60_000,
            kind=transaction.ENROL,
            body=body,
        )
        self._commit(entry.encode(entry.TRANSACTION, enrol, 60_000))
        self.samples: list[SignedSample] = []
        for _ in range(OLD_DAYS):
            for _ in range(SAMPLES_A_DAY):
                self._commit(sample_entry(self.next_sample(self._unix_ms)))
            self._unix_ms += DAY_MS
        self._driver.close()
        text = self.home.config.read_text()
        assert 'target = ""' in text
        (folder / "old").mkdir()
        self.home.config.write_text(text.replace('target = ""', 'target = "old"'))
        self.process = GatewayProcess(folder, port=choice.port)

    def next_sample(self, time_ms: int) -> SignedSample:
        prev = self.samples[-1].digest if self.samples else None
        seq = len(self.samples) + 1
        self.samples.append(self.board.sample(seq, [reading(time_ms, ei=seq)], prev=prev))
        return self.samples[-1]

    def _commit(self, body: bytes) -> None:
        self._driver.add([entry_row(body, self._epoch.ledger_id)], self._now())
        self._driver.tick(self._now())

    def _now(self) -> Now:
        self._unix_ms += SAMPLE_ROUND_MS
        return Now(self._unix_ms, self._unix_ms)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> OldGateway:
    return OldGateway(tmp_path_factory.mktemp("old") / "gateway")


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
        rows = said(gateway, "samples")
        assert [row["seq"] for row in rows] == list(range(1, len(old.samples) + 1))
        assert said(gateway, "audit")["ok"]
    finally:
        assert gateway.stop() == 0
    assert "archive: a part is in the archive part=1" in gateway.log.read_text()
