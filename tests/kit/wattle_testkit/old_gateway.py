"""A gateway alone that has lived long ago, so that an archive takes what it has."""

import time
from dataclasses import replace
from pathlib import Path

from wattle_gateway.consensus.engine import SAMPLE_ROUND_MS, Now
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
from wattle_testkit.gateway_process import GatewayProcess, free_port
from wattle_testkit.paper_meter import SITE

OLD_DAYS = 3
SAMPLES_A_DAY = 6


class OldGateway:
    """A folder of a gateway alone whose meter sent samples on three days, 40 days ago."""

    def __init__(self, folder: Path, storage_key: str = "", target: str = "old") -> None:
        """`target` of the archive, a folder from this one; it is made. `storage_key` as in
        config.toml: then the folder is sealed."""
        self._unix_ms = time.time_ns() // 1_000_000 - 40 * DAY_MS
        choice = NewGateway(
            name="ann",
            site=SITE,
            role=GRID_COMPANY,
            hosts=["127.0.0.1"],
            listen="127.0.0.1",
            port=free_port(),
            storage_key=storage_key,
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
        (folder / target).mkdir()
        self.home.config.write_text(text.replace('target = ""', f'target = "{target}"'))
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
