"""What peer links carry in a day, at n = 4 and under the rules of a new ledger: the bytes of real
drivers' messages, with what websockets and TLS add to each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.ledger import genesis, transaction
from wattle_testkit.alliance import Board, Party, epoch_of, reading, sample_entry
from wattle_testkit.driven_alliance import DrivenAlliance

DAY_MS = 86_400_000
NAMES = ("ann", "bob", "cid", "dee")
# Beside a message of up to 16 KiB: the header of a masked frame (RFC 6455 section 5.2), and a TLS
# 1.3 record with content type and tag (RFC 8446 sections 5.1, 5.2). Links compress nothing.
FRAME_BYTES = 8 + 22
# A block names six rounds and commits, whose numbers grow by 4 bytes in the use of years; no
# message has more of them.
LATER_BYTES = 6 * 4


@pytest.fixture
def four(tmp_path: Path) -> Iterator[DrivenAlliance]:
    parties = tuple(Party(name) for name in NAMES)
    made = DrivenAlliance(tmp_path, *parties, epoch=epoch_of(*parties))
    assert made.epoch.rules == genesis.RULES
    made.run(1_000)
    yield made
    made.close()


def begin(alliance: DrivenAlliance) -> None:
    """Count from here on."""
    alliance.messages.clear()
    alliance.message_bytes.clear()


def carried(alliance: DrivenAlliance, name: str) -> int:
    """Bytes on the links of a gateway, sent and received."""
    each = FRAME_BYTES + LATER_BYTES
    return alliance.message_bytes[name] + alliance.messages[name] * each


def test_an_idle_alliance_sends_less_than_20_mb_a_day(four: DrivenAlliance) -> None:
    begin(four)
    four.run(2 * 3_600_000)
    for name in NAMES:
        assert 1_000_000 < carried(four, name) * 12 < 20_000_000


def test_a_meter_at_1_hz_costs_less_than_120_mb_a_day_beside_its_samples(
    four: DrivenAlliance,
) -> None:
    board = Board("meter", four.epoch)
    kid = four.epoch.members[0].kid
    (home,) = [name for name, member in four.members.items() if member.kid == kid]
    four.transact(home, transaction.ENROL, transaction.enrol_body(board.enrol()))
    four.run(5_000)
    begin(four)
    sample_bytes, seconds, prev = 0, 240, None
    for seq in range(1, seconds + 1):
        signed = board.sample(seq, [reading(four.unix_ms, ei=seq)], prev=prev)
        prev = signed.digest
        body = sample_entry(signed)
        sample_bytes += len(body)
        four.add(home, body)
        four.run(1_000)
    stands = four[home].stands(board.kid)
    assert stands is not None
    assert stands.final > seconds - 15
    for name in NAMES:
        # Every gateway is sent each sample once, and the one that has it sends it to all others.
        samples = sample_bytes * (len(NAMES) - 1 if name == home else 1)
        overhead = (carried(four, name) - samples) * DAY_MS // (seconds * 1_000)
        assert 50_000_000 < overhead < 120_000_000
