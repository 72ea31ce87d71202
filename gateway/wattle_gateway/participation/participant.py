"""Answers events by the policy while the gateway runs."""

from collections.abc import Sequence
from dataclasses import replace

from wattle_gateway.admin.signatory import Signatory
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.errors import DeadlineError, StoreError, UsageError
from wattle_gateway.ledger import crypto, transaction
from wattle_gateway.participation import answers
from wattle_gateway.participation.answers import Answer, Answers
from wattle_gateway.participation.plan import Plan, Planned, plan
from wattle_gateway.participation.policy import Policy
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.logs import Log
from wattle_gateway.runtime.news import News

# What could not be sent (disk, no quorum, an earlier transaction without an answer) is tried again
# as long as the event is open.
AGAIN_AFTER_S = 30.0
# Declarations that are signed and sent together: a block takes a few hundred of them.
SENT_AT_ONCE = 250

_log = Log("policy")


class Participant:
    """Declares what the policy says; `run` until cancelled.

    Each answer is on disk before it is sent: after a crash the ledger says what became of it, and
    nothing is declared twice.
    """

    def __init__(
        self,
        policy: Policy,
        given: Answers,
        kid: bytes,
        signatory: Signatory,
        ledger: LedgerThread,
    ) -> None:
        """`kid` of this gateway's member, `given` its answers so far."""
        self._policy = policy
        self._given = given
        self._kid = kid
        self._signatory = signatory
        self._ledger = ledger
        self._news = News()

    def look(self) -> None:
        """Events or offers have changed."""
        self._news.tell()

    async def run(self) -> None:
        """Answer what is open, now and whenever something changes."""
        while True:
            await self._news.wait(AGAIN_AFTER_S)
            found = await self._ledger.read(self._plan)
            try:
                self._note([one.answer for one in found.planned], found)
                to_send = [one for one in found.planned if one.body is not None]
                for first in range(0, len(to_send), SENT_AT_ONCE):
                    await self._declare(to_send[first : first + SENT_AT_ONCE], found)
            except StoreError as error:
                _log.error("answers are not sent, since they cannot be kept", error=error)

    def _plan(self, driver: LedgerDriver) -> Plan:
        """In the ledger's thread."""
        head, ledger = driver.head, driver.ledger
        setting = Setting(head.time_ms, driver.epoch, head, crypto.verify, ledger.digest_of)
        return plan(driver.state, setting, self._kid, self._policy, self._given.by_place)

    async def _declare(self, to_send: Sequence[Planned], found: Plan) -> None:
        bodies = [planned.body.row() for planned in to_send if planned.body is not None]
        try:
            whys = await self._signatory.commit_each(transaction.DECLARE, bodies)
        except (DeadlineError, UsageError) as error:
            _log.warning("answers are not on the ledger yet", answers=len(to_send), why=error)
            return
        given = []
        for planned, why in zip(to_send, whys, strict=True):
            if why is None:
                given.append(replace(planned.answer, did=answers.DECLARED))
            else:
                given.append(replace(planned.answer, did=answers.REFUSED, why=why))
        self._note(given, found)

    def _note(self, given: Sequence[Answer], found: Plan) -> None:
        if not given:
            return
        self._given.note(given, found.events)
        for one in given:
            if one.did != answers.SENDING:
                _log.info(one.did, digest=one.event, point=one.point, why=one.why)
