"""Pure functions of the gateway, answered from memory when any gateway of a world has asked.

Twenty gateways take the same bytes apart and execute the same commits. What depends on nothing
but its arguments has one answer, so asking once is enough; a seed costs a tenth of it that way.
The signature checks are replaced by those of `cheap_keys`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from wattle_gateway.contracts import execute, state
from wattle_gateway.contracts.execute import Executed
from wattle_gateway.ledger import block, crypto, signed_sample, transaction
from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.sync import reader

from wattle_testkit.simulation import cheap_keys

# Enough for what is under way in a world of twenty gateways; older answers are forgotten.
ANSWERS_KEPT = 20_000

OnExecuted = Callable[[Commit, Epoch, Executed], None]


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute of a module or class, replaced for a while."""
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


class Memory:
    """The answers of one world; `on_executed` hears of every commit that a gateway executes, in
    which epoch, and of what came of it."""

    def __init__(self) -> None:
        self.on_executed: OnExecuted = lambda commit, epoch, executed: None
        self._answers: dict[Any, Any] = {}

    def of_bytes(self, parse: Callable[..., Any]) -> Callable[..., Any]:
        """A parser that remembers what it made of bytes; errors are not remembered."""

        def answer(*arguments: bytes | None) -> Any:
            question = (parse, *arguments)
            found = self._answers.get(question)
            if found is None:
                if len(self._answers) >= ANSWERS_KEPT:
                    self._answers.clear()
                found = self._answers[question] = parse(*arguments)
            return found

        return answer

    def of_blocks(self, check: Callable[..., Any]) -> Callable[..., Any]:
        """As `block.check`: what it finds follows from the bytes, the entries and the epoch."""

        def answer(header: Block, entries: Sequence[bytes], epoch: Epoch, verify: Verify) -> Any:
            question = (check, header.raw, tuple(entries), epoch.digest)
            found = self._answers.get(question)
            if found is None:
                found = self._answers[question] = check(header, entries, epoch, verify)
            return found

        return answer

    def told(self, run: Callable[..., Executed]) -> Callable[..., Executed]:
        """Execution, with somebody who is told what came of it."""

        def answer(
            state: Any, head: CommitHead, commit: Commit, blocks: Any, epoch: Epoch, *others: Any
        ) -> Executed:
            executed = run(state, head, commit, blocks, epoch, *others)
            self.on_executed(commit, epoch, executed)
            return executed

        return answer


@contextmanager
def remembered() -> Iterator[Memory]:
    """While this lasts, parsing and verifying is done once for all gateways of the process."""
    memory = Memory()
    with ExitStack() as stack:
        stack.enter_context(replaced(crypto, "verify", cheap_keys.verify))
        stack.enter_context(replaced(crypto, "verify_ed25519", cheap_keys.verify))
        for module in (block, signed_sample, transaction, reader):
            stack.enter_context(replaced(module, "parse", memory.of_bytes(module.parse)))
        stack.enter_context(replaced(state, "leaf", memory.of_bytes(state.leaf)))
        stack.enter_context(replaced(block, "check", memory.of_blocks(block.check)))
        stack.enter_context(replaced(execute, "execute", memory.told(execute.execute)))
        yield memory
