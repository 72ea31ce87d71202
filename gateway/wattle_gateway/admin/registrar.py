"""Enrolling and revoking meters: transactions on the ledger, certificates for the broker."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wattle_wire import cose, topics, uplink
from wattle_wire.errors import WireError

from wattle_gateway.admin.member_names import further_gateways
from wattle_gateway.admin.signatory import Signatory
from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.alliance import PendingEnrolment
from wattle_gateway.contracts.registry import Meter, chain
from wattle_gateway.errors import ShortageError, UsageError
from wattle_gateway.home import durable_file
from wattle_gateway.home.identity import Identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import crypto, transaction
from wattle_gateway.ledger.errors import FormatError, LedgerError
from wattle_gateway.ledger.transaction import Enrol, Point, Revoke
from wattle_gateway.pki import authority
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ledger_thread import LedgerThread


@dataclass(frozen=True)
class Enrolment:
    """What the operator says of a meter; `proof` is its signed proof (SPEC section 7), `further`
    names or kids (hex) of members that are its further gateways."""

    proof: bytes
    site: str
    carry: int
    points: tuple[Point, ...]
    further: tuple[str, ...] = ()


@dataclass(frozen=True)
class Enrolled:
    """What became of an enrolment: the meter with its TLS certificate (PEM), and whether it is
    `new`; or, `waits` not None, what an approval has to name before it is on the ledger."""

    meter: Meter
    certificate: bytes
    new: bool
    waits: PendingEnrolment | None = None


class Registrar:
    """Enrols and revokes meters of this gateway.

    `admit(meters)` makes the broker let exactly these meters in.
    """

    def __init__(
        self,
        home: GatewayHome,
        identity: Identity,
        signatory: Signatory,
        ledger: LedgerThread,
        now_ms: Callable[[], int],
        admit: Callable[[dict[bytes, Meter]], Awaitable[None]],
    ) -> None:
        self._home = home
        self._identity = identity
        self._ledger_id = identity.genesis.ledger_id
        self._signatory = signatory
        self._ledger = ledger
        self._now_ms = now_ms
        self._admit = admit
        self._one_at_a_time = asyncio.Lock()
        # Why no new meters are enrolled for now; "": they are.
        self.closed = ""

    async def enrol(self, enrolment: Enrolment) -> Enrolled:
        """Put a meter on the ledger, or propose it where another member has to approve.

        A meter that is enrolled with the very same keys gets its certificate again, one that
        waits is not proposed twice. Raises UsageError for a proof that does not verify or if this
        gateway has no vote, ShortageError for a new meter while `closed`, RefusedError with the
        ledger's verdict.
        """
        proof = self._verified(enrolment.proof)
        async with self._one_at_a_time:
            meters = await self._ledger.read(LedgerDriver.meters)
            known = meters.get(proof.kid)
            same = known is not None and known.revoked is None and _same_keys(known, proof.payload)
            if not same:
                waits = await self._waiting(proof)
                if waits is None:
                    if self.closed:
                        raise ShortageError(self.closed)
                    await self._propose(enrolment)
                    waits = await self._waiting(proof)
                if waits is not None:
                    return Enrolled(waits.meter, b"", new=True, waits=waits)
                meters = await self._ledger.read(LedgerDriver.meters)
            meter = meters[proof.kid]
            certificate = self.certificate_of(meter)
            await self._admit(meters)
        return Enrolled(meter, certificate, not same)

    async def _propose(self, enrolment: Enrolment) -> None:
        own = self._identity.kid
        further = await self._ledger.read(
            lambda driver: further_gateways(enrolment.further, own, driver.epoch)
        )
        body = transaction.enrol_body(
            Enrol(
                enrolment.proof,
                enrolment.site,
                own,
                further,
                enrolment.carry,
                enrolment.points,
            )
        )
        await self._signatory.commit(transaction.ENROL, body)

    async def _waiting(self, proof: cose.Signed) -> PendingEnrolment | None:
        """The enrolment of this meter, with these keys, at this home that waits for an approval."""
        now_ms = self._now_ms()
        for pending in await self._ledger.read(lambda at: alliance.pending_enrolments(at.state)):
            if (
                pending.until_ms >= now_ms
                and pending.meter.home == self._identity.kid
                and pending.meter.kid == proof.kid
                and _same_keys(pending.meter, proof.payload)
            ):
                return pending
        return None

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
            await self._signatory.commit(transaction.REVOKE, body)
            meters = await self._ledger.read(LedgerDriver.meters)
            await self._admit(meters)
        return meters[kid], chosen

    def follow(self, before: Mapping[bytes, Meter], now: Mapping[bytes, Meter]) -> None:
        """The registry (by kid) has changed, by whoever's transaction: certificates for meters that
        are this gateway's from now on, and a list of those that are revoked."""
        changed = [meter for kid, meter in now.items() if before.get(kid) != meter]
        for meter in changed:
            if meter.revoked is None and meter.home == self._identity.kid:
                self.certificate_of(meter)
        if any(meter.revoked is not None for meter in changed):
            self.write_revocations(now)

    def certificate_of(self, meter: Meter) -> bytes:
        """The meter's TLS client certificate (PEM), issued now if it has none."""
        path = self._certificate_file(meter)
        if not path.exists():
            issued = self._identity.site_authority.issue_client(
                crypto.load_public(meter.tls_key), topics.meter_id(meter.kid)
            )
            durable_file.write(path, authority.pem(issued))
        return path.read_bytes()

    def write_revocations(self, meters: Mapping[bytes, Meter]) -> None:
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
            proof = cose.parse_sign1("enrol", self._ledger_id, raw)
            signing_key = uplink.decode_proof(proof.payload)[1]
            if cose.kid_of(signing_key) != proof.kid:
                raise FormatError("it is not signed by the key that it names")
            crypto.verify(signing_key, proof.digest, proof.signature)
        except (WireError, LedgerError) as error:
            raise UsageError(
                f"the enrolment proof does not hold for this ledger: {error}"
            ) from error
        return proof


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
