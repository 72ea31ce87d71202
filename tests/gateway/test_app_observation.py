"""The look at a running gateway: a ledger that does not answer, addresses that others reach."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from wattle_gateway.app import observation
from wattle_gateway.app.observation import Observation, is_loopback


class HeldLedger:
    """A ledger whose thread is held by a step until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._thread.submit(self.let_go.wait)

    async def read(self, question: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, None)

    def close(self) -> None:
        self.let_go.set()
        self._thread.shutdown()


def test_a_ledger_that_does_not_answer_is_no_life(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        ledger = HeldLedger()
        watched = Observation(SimpleNamespace(ledger=ledger))  # type: ignore[arg-type]
        try:
            monkeypatch.setattr(observation, "ALIVE_WITHIN_S", 0.05)
            assert not await watched.ledger_answers()
            monkeypatch.setattr(observation, "ALIVE_WITHIN_S", 10.0)
            ledger.let_go.set()
            assert await watched.ledger_answers()
        finally:
            ledger.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.0.2.7", False),
        ("gateway.example", False),
    ],
)
def test_which_addresses_are_of_this_machine_only(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
