"""Enrolling and revoking meters: transactions on the ledger, certificates for the broker."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wattle_wire import cose, topics, uplink
from wattle_wire.errors import WireError

from wattle_gateway.consensus.engine import Now
from wattle_gateway.contracts import classes
from wattle_gateway.contracts import execute as contracts
from wattle_gateway.contracts.execute import Outcome
from wattle_gateway.contracts.registry import Meter, chain
from wattle_gateway.errors import DeadlineError, RefusedError, UsageError
from wattle_gateway.home import durable_file
from wattle_gateway.home.identity import Identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import crypto, entry, transaction
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import FormatError, LedgerError
from wattle_gateway.ledger.transaction import Enrol, Point, Revoke
from wattle_gateway.pki import authority
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.store.pool_rows import PoolEntry

# Gateways use lane 0 for what operators ask of them.
LANE = 0
# Virtual on a bench: at 60 times the speed an hour passes in a minute.
VALID_MS = 24 * 3_600_000
COMMIT_DEADLINE_S = 30.0
# A transaction left in the pool by a crash may take the nonce that ours was built with.
ATTEMPTS_MAX = 3


@dataclass(frozen=True)
class Enrolment:
    """What the operator says of a meter; `proof` is its signed proof (SPEC section 7)."""

    proof: bytes
    site: str
    carry: int
    points: tuple[Point, ...]


class Registrar:
    """Signs transactions of this member and follows them to their commit.

    `admit(meters)` makes the broker let exactly these meters in.
    """

    def __init__(
        self,
        home: GatewayHome,
        identity: Identity,
        epoch: Epoch,
        ledger: LedgerThread,
        now_ms: Callable[[], int],
        admit: Callable[[dict[bytes, Meter]], Awaitable[None]],
    ) -> None:
        self._home = home
        self._identity = identity
        self._epoch = epoch
        self._ledger = ledger
        self._now_ms = now_ms
        self._admit = admit
        self._one_at_a_time = asyncio.Lock()
        self._waiting: dict[bytes, asyncio.Future[Outcome]] = {}

    def follow(self, progress: Progress) -> None:
        """Transactions were executed."""
        for digest, outcome in progress.transactions.items():
            future = self._waiting.get(digest)
            if future is not None and not future.done():
                future.set_result(outcome)

    async def enrol(self, enrolment: Enrolment) -> tuple[Meter, bytes, bool]:
        """Put a meter on the ledger; gives it, its TLS certificate (PEM), and whether it is new.

        A meter that is enrolled with the very same keys gets its certificate again. Raises
        UsageError for a proof that does not verify, RefusedError with the ledger's verdict.
        """
        proof = self._verified(enrolment.proof)
        async with self._one_at_a_time:
            meters = await self._ledger.read(LedgerDriver.meters)
            known = meters.get(proof.kid)
            same = known is not None and known.revoked is None and _same_keys(known, proof.payload)
            if not same:
                body = transaction.enrol_body(
                    Enrol(
                        enrolment.proof,
                        enrolment.site,
                        self._identity.member.kid,
                        (),
                        enrolment.carry,
                        enrolment.points,
                    )
                )
                await self._commit(transaction.ENROL, body)
                meters = await self._ledger.read(LedgerDriver.meters)
            meter = meters[proof.kid]
            certificate = self.certificate_of(meter)
            await self._admit(meters)
        return meter, certificate, not same

    async def revoke(self, kid: bytes, last_seq: int | None) -> tuple[Meter, int]:
        """Take a meter off the ledger; gives it and the last seq that counts.

        `last_seq` None: the highest that the ledger has. Raises UsageError for an unknown meter,
        RefusedError with the ledger's verdict.
        """
        async with self._one_at_a_time:
            last = await self._ledger.read(lambda driver: _last_seq(driver, kid))
            if last is None:
                raise UsageError(f"meter {kid.hex()} is not enrolled")
            chosen = last if last_seq is None else last_seq
            body = transaction.revoke_body(Revoke(kid, chosen))
            await self._commit(transaction.REVOKE, body)
            meters = await self._ledger.read(LedgerDriver.meters)
            self.write_revocations(meters)
            await self._admit(meters)
        return meters[kid], chosen

    def certificate_of(self, meter: Meter) -> bytes:
        """The meter's TLS client certificate (PEM), issued now if it has none."""
        path = self._certificate_file(meter)
        if not path.exists():
            issued = self._identity.site_authority.issue_client(
                crypto.load_public(meter.tls_key), topics.meter_id(meter.kid)
            )
            durable_file.write(path, authority.pem(issued))
        return path.read_bytes()

    def write_revocations(self, meters: dict[bytes, Meter]) -> None:
        """Renew the list of revoked certificates, for brokers that know certificates only."""
        revoked = [
            authority.load_certificate(self._certificate_file(meter))
            for meter in meters.values()
            if meter.revoked is not None and self._certificate_file(meter).exists()
        ]
        crl = self._identity.site_authority.revocation_list(revoked, datetime.now(UTC))
        durable_file.write(self._home.revocations, authority.pem(crl))

    def _certificate_file(self, meter: Meter) -> Path:
        return self._home.meter_certificates / f"{topics.meter_id(meter.kid)}.pem"

    def _verified(self, raw: bytes) -> cose.Signed:
        try:
            proof = cose.parse_sign1("enrol", self._epoch.ledger_id, raw)
            signing_key = uplink.decode_proof(proof.payload)[1]
            if cose.kid_of(signing_key) != proof.kid:
                raise FormatError("it is not signed by the key that it names")
            crypto.verify(signing_key, proof.digest, proof.signature)
        except (WireError, LedgerError) as error:
            raise UsageError(
                f"the enrolment proof does not hold for this ledger: {error}"
            ) from error
        return proof

    async def _commit(self, kind: int, body: list[object]) -> None:
        for _ in range(ATTEMPTS_MAX):
            outcome = await self._submit(kind, body)
            if outcome.effect == contracts.RECORDED:
                if outcome.verdict != classes.ACCEPTED:
                    name = classes.REFUSAL_NAMES[outcome.verdict]
                    raise RefusedError(f"the ledger refused it: {name}")
                return
        raise RefusedError("the ledger did not take it: its nonce was used")

    async def _submit(self, kind: int, body: list[object]) -> Outcome:
        digest, outcome = await self._ledger.step(
            lambda driver, at: self._sign_and_add(driver, at, kind, body)
        )
        if outcome is not None:
            return outcome
        # Nothing ran in this loop since the step ended, so no outcome was missed.
        self._waiting[digest] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(self._waiting[digest], COMMIT_DEADLINE_S)
        except TimeoutError as error:
            raise DeadlineError(
                f"not committed within {COMMIT_DEADLINE_S:.0f} s; look at `wattle-gateway status`"
            ) from error
        finally:
            del self._waiting[digest]

    def _sign_and_add(
        self, driver: LedgerDriver, at: Now, kind: int, body: list[object]
    ) -> tuple[tuple[bytes, Outcome | None], Progress]:
        """In the ledger's thread, so that no other step takes the nonce in between."""
        raw = transaction.build(
            self._epoch.ledger_id,
            self._identity.member.kid,
            crypto.signer(self._identity.block_key),
            lane=LANE,
            nonce=driver.next_nonce(LANE),
            until_ms=at.unix_ms + VALID_MS,
            kind=kind,
            body=body,
        )
        digest = transaction.parse(raw, self._epoch.ledger_id).digest
        wrapped = entry.encode(entry.TRANSACTION, raw, self._epoch.constants.entry_bytes_max)
        row = PoolEntry(0, entry.TRANSACTION, None, None, digest, 0, 0, wrapped)
        progress = driver.add([row], at)
        return (digest, progress.transactions.get(digest)), progress


def _same_keys(meter: Meter, proof: bytes) -> bool:
    eui64, signing, link, tls, first_seq, protection = uplink.decode_proof(proof)
    return (eui64, signing, link, tls, first_seq, protection) == (
        meter.eui64,
        meter.signing_key,
        meter.link_key,
        meter.tls_key,
        meter.first_seq,
        meter.protection,
    )


def _last_seq(driver: LedgerDriver, kid: bytes) -> int | None:
    """The highest seq of a meter in a run or open gap, `first_seq` - 1 before any."""
    meter = driver.meters().get(kid)
    if meter is None:
        return None
    found = chain(driver.state, kid, meter.first_seq)
    lasts = [run.last for run in found.runs] + [gap.last for gap in found.gaps]
    return max([found.final, *lasts])
