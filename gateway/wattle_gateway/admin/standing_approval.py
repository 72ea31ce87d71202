"""`approve_enrolments = "always"`: this gateway approves what other homes enrol, by itself.

So it does when a member takes over a meter whose home has no vote any more, by the same rules. A
meter that is to become its own is another matter: whose home a member is, it answers for.
"""

from wattle_gateway.admin.signatory import Signatory
from wattle_gateway.contracts import alliance, waiting
from wattle_gateway.errors import DeadlineError, RefusedError, StoreError
from wattle_gateway.ledger import move_body, transaction
from wattle_gateway.ledger.transaction import Approve
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.logs import Log
from wattle_gateway.runtime.news import News

# What could not be approved (disk, no quorum) is tried again, as long as it waits.
AGAIN_AFTER_S = 60.0

_log = Log("alliance")


class StandingApproval:
    """Approves each enrolment and each takeover that waits for a member of our role; `run` until
    cancelled."""

    def __init__(self, signatory: Signatory, ledger: LedgerThread) -> None:
        self._signatory = signatory
        self._ledger = ledger
        self._news = News()
        self.paused = False

    def look(self) -> None:
        """The registry has changed."""
        self._news.tell()

    async def run(self) -> None:
        """Approve what waits, now and whenever something comes."""
        while True:
            await self._news.wait(AGAIN_AFTER_S)
            if self.paused:
                continue  # no more meters for now; an operator may still approve by hand
            for digest in await self._ledger.read(_waiting):
                await self._approve(digest)

    async def _approve(self, digest: bytes) -> None:
        try:
            await self._signatory.commit(
                transaction.APPROVE, transaction.approve_body(Approve(digest))
            )
        except RefusedError as refusal:
            # Another member with the same habit was faster, or it expired meanwhile.
            _log.info("a meter is not approved", digest=digest.hex(), why=refusal)
        except (DeadlineError, StoreError) as error:
            _log.warning("a meter is not approved yet", digest=digest.hex(), why=error)
        else:
            _log.info("approved a meter", digest=digest.hex())


def _waiting(driver: LedgerDriver) -> list[bytes]:
    """Digests of what we may approve; in the ledger's thread."""
    epoch = driver.epoch
    own = epoch.party_of(driver.kid)
    if own is None or not own.votes:
        return []
    found = []
    for pending in alliance.pending_enrolments(driver.state):
        home = epoch.party_of(pending.meter.home)
        is_open = pending.until_ms >= driver.head.time_ms
        if is_open and home is not None and home.role != own.role:
            found.append(pending.digest)
    return found + _takeovers(driver)


def _takeovers(driver: LedgerDriver) -> list[bytes]:
    """Digests of moves by which their sender becomes the home, and which we may approve."""
    state, epoch = driver.state, driver.epoch
    return [
        found.digest
        for found in waiting.everything(state)
        if found.kind == transaction.MOVE
        and found.until_ms >= driver.head.time_ms
        and move_body.parse_move(found.body).home == found.origin
        and waiting.may_approve(state, found, epoch, driver.kid)
    ]
