"""Samples for an outbox, and what it has kept of them; in the device's dialect."""

from wattle_meter import packing
from wattle_meter.outbox import CAPACITY_BYTES_MIN, Outbox


def sample(seq, length=100):
    """Bytes that tell which seq they belong to, with length varying by seq."""
    return (b"%d," % seq * length)[: length + seq % 7]


def kept(outbox):
    """Every seq that read_from gives; checks each one's bytes."""
    result = []
    seq = 1
    while True:
        found = outbox.read_from(seq)
        if found is None:
            return result
        assert found[0] >= seq
        assert found[1] == sample(found[0], len(found[1]) - found[0] % 7)
        result.append(found[0])
        seq = found[0] + 1


def filled(files, seqs, link_up=False, length=100):
    """An outbox of the least capacity over `files`, with samples of these seqs."""
    outbox = Outbox(files, CAPACITY_BYTES_MIN)
    for seq in seqs:
        outbox.append(seq, sample(seq, length), seq * 1000, link_up)
    return outbox


def span(first, last):
    """The seqs from `first` to `last`."""
    return list(range(first, last + 1))


def packed(data):
    """`data` as the journal packs it."""
    return list(packing.pack_steps(data))[-1]
