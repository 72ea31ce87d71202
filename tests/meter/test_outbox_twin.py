"""The outbox against a model without files: every sample is kept, final, lost aloud, or was cut."""

import contextlib
import copy
import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_meter.outbox import CAPACITY_BYTES_MIN, MEMORY_AGE_MS, Outbox
from wattle_testkit.meter_fakes import MemoryFiles, PowerCut

EIO = 5

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 12000), st.booleans()),
        st.tuples(st.just("pass"), st.sampled_from([1, 1000, MEMORY_AGE_MS])),
        st.tuples(st.just("final"), st.integers(0, 40)),
        st.tuples(st.just("fail"), st.booleans()),
        st.tuples(st.just("cut"), st.integers(0, 9000)),
        st.tuples(st.just("skip"), st.integers(1, 1024)),
    ),
    min_size=20,
    max_size=150,
)


def as_is(data: bytes) -> bytes:
    """`data` packed without looking for anything that repeats."""
    pieces = [data[at : at + 128] for at in range(0, len(data), 128)]
    return b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)


@dataclass
class Twin:
    """What was appended, and what may be gone and why."""

    files: MemoryFiles = field(default_factory=MemoryFiles)
    data: dict[int, bytes] = field(default_factory=dict)
    lost: list[tuple[int, int]] = field(default_factory=list)
    cut: set[int] = field(default_factory=set)
    found: set[int] = field(default_factory=set)
    final: int = 0
    now_ms: int = 0
    next_seq: int = 1

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.files, CAPACITY_BYTES_MIN)

    def step(self, name: str, *values: int) -> None:
        getattr(self, f"do_{name}")(*values)

    def do_append(self, length: int, link_up: bool) -> None:
        self.lost += self.outbox.take_lost()  # as the journal does: before each sample, no sooner
        data = random.Random(self.next_seq).randbytes(length)
        self.data[self.next_seq] = data
        self.next_seq += 1
        stored = data if link_up else as_is(data)
        self.outbox.append(self.next_seq - 1, stored, self.now_ms, link_up, not link_up)

    def do_pass(self, ms: int) -> None:
        self.now_ms += ms
        self.outbox.service(self.now_ms, True)

    def do_final(self, behind: int) -> None:
        self.final = max(self.final, self.next_seq - 1 - behind)
        self.outbox.confirm_final(self.final)

    def do_fail(self, failing: bool) -> None:
        self.files.error = EIO if failing else None

    def do_skip(self, count: int) -> None:
        self.next_seq += count

    def do_cut(self, budget: int) -> None:
        """The power fails `budget` bytes into the next write, or before it."""
        kept = self.kept(self.outbox)
        on_flash = self.kept(self.recovered(copy.deepcopy(self.files)))
        self.files.error = None
        self.files.budget = budget
        with contextlib.suppress(PowerCut):
            self.outbox.flush()
        self.lost += self.outbox.take_lost()
        self.files.budget = None
        self.outbox = self.recovered(self.files)
        after = self.kept(self.outbox)
        self.cut |= set(kept) - set(after)
        # Of an append that failed, memory may have given up what is on flash all the same.
        self.found |= set(after) - set(kept)
        overwritten = range(on_flash[0], after[0]) if on_flash and after else range(0)
        assert set(on_flash) - set(after) <= set(overwritten)

    def recovered(self, files: MemoryFiles) -> Outbox:
        outbox = Outbox(files, CAPACITY_BYTES_MIN)
        outbox.confirm_final(self.final)
        return outbox

    def kept(self, outbox: Outbox) -> list[int]:
        """Seqs in the order the outbox gives them; checks their bytes."""
        seqs: list[int] = []
        found = outbox.read_from(1)
        while found is not None:
            assert found[1] == self.data[found[0]]
            seqs.append(found[0])
            found = outbox.read_from(found[0] + 1)
        return seqs

    def check(self) -> None:
        self.lost += self.outbox.take_lost()
        kept = self.kept(self.outbox)
        assert kept == sorted(set(kept))
        assert sum(len(data) for data in self.files.content.values()) <= CAPACITY_BYTES_MIN + 40000
        for seq in self.data:
            assert (
                seq in kept
                or seq <= self.final
                or seq in self.cut
                or any(first <= seq <= last for first, last in self.lost)
            ), seq
        for first, last in self.lost:
            assert not [seq for seq in kept if first <= seq <= last and seq not in self.found]


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_no_sample_goes_unseen(steps: list[tuple[str, int]]) -> None:
    twin = Twin()
    for _ in range(15):  # so that a few more fill it
        twin.do_append(4000, False)
    for step in steps:
        twin.step(*step)
    twin.check()
