"""Rules on seqs, chain, gaps and arrivals: no sample lost, doubled or reordered, save declared."""

from collections.abc import Iterator
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from wattle_testkit.soak import sample_view
from wattle_testkit.soak.evidence import Evidence, Signed, any_between

# In memory only while the link is up: 30 s, and what is being signed (outbox.MEMORY_AGE_MS).
MEMORY_MS = 45_000
# Without a link readings wait for each other, and a sample is written once it is signed.
GATHER_MS = 15_000
# While flash refuses, memory keeps 20 kB of samples, packed or not (outbox.MEMORY_BYTES_MAX).
MEMORY_BYTES = 20_480
# Sent, dropped by a full outbox and declared, then sent again by the MQTT client.
IN_WINDOW_MS = 300_000
# What was signed last is still under way when a soak ends.
UNDER_WAY_MS = 30_000


def seqs_rise(found: Evidence) -> Iterator[str]:
    """No seq is used twice, in no life; the boot counter rises with each life."""
    before: Signed | None = None
    for one in found.signed:
        if before is not None:
            if one.sample.seq <= before.sample.seq:
                yield f"seq {one.sample.seq} is signed after {before.sample.seq}"
            if (one.sample.boot > before.sample.boot) != (one.life > before.life):
                yield f"seq {one.sample.seq}: boot {one.sample.boot} after {before.sample.boot}"
        before = one


def chain_holds(found: Evidence) -> Iterator[str]:
    """`prev` is the digest of the sample before, absent only where something is missing there."""
    before: Signed | None = None
    for one in found.kept:
        expected = None
        if before is not None and one.sample.seq == before.sample.seq + 1:
            expected = before.digest
        if one.sample.prev != expected:
            yield f"seq {one.sample.seq}: prev {_short(one.sample.prev)}, not {_short(expected)}"
        if before is None or one.life == before.life:
            if before is not None and expected is None and not _may_skip(found, before, one):
                yield f"seq {one.sample.seq} follows {before.sample.seq} in one life"
        elif _stopped_cleanly(found, before) and expected is None:
            yield f"seq {one.sample.seq}: a clean stop broke the chain"
        before = one


def arrivals_are_what_was_signed(found: Evidence) -> Iterator[str]:
    """Byte for byte, however often, under the meter's key."""
    record = found.record
    payloads = {one.sample.seq: one for one in found.signed}
    sound: dict[int, bytes] = {}
    for at_ms, _, raw in record.delivered:
        signed = sample_view.signed(raw, "sample", record.ledger_id)
        seq = sample_view.sample(signed.payload).seq
        if seq in sound:
            if sound[seq] != raw:
                yield f"seq {seq} came with other bytes at {at_ms}"
            continue
        sound[seq] = raw
        original = payloads.get(seq)
        if original is None or original.payload != signed.payload:
            yield f"seq {seq} came at {at_ms}, but this was never signed"
        elif signed.kid != found.kid or not _is_signature(found, original, signed.signature):
            yield f"seq {seq} came at {at_ms} under a signature that is not the meter's"


def gaps_are_well_formed(found: Evidence) -> Iterator[str]:
    """1 to 8, rising, disjoint, below the sample's own seq; none over what comes later."""
    for one in found.signed:
        gaps, last = one.sample.gaps, 0
        if len(gaps) > 8:
            yield f"seq {one.sample.seq}: {len(gaps)} gaps"
        for first, to, reason in gaps:
            if not (last < first <= to < one.sample.seq and 1 <= reason <= 4):
                yield f"seq {one.sample.seq}: gap {first} to {to}, reason {reason}"
            last = to
    for seq, declared in found.declared.items():
        arrival = found.delivered.get(seq)
        if arrival is not None and arrival[0] > declared.at_ms + IN_WINDOW_MS:
            yield f"seq {seq} was declared lost (reason {declared.reason}) and came all the same"


def losses_are_declared(found: Evidence) -> Iterator[str]:
    """What never came is in a gap, and there was a reason for losing it."""
    for one in found.lost:
        if one.at_ms > found.record.lives[-1].end_ms - UNDER_WAY_MS:
            continue
        declared = found.declared.get(one.sample.seq)
        if declared is None:
            yield f"seq {one.sample.seq}, signed at {one.at_ms}, never came and is in no gap"
        elif loss_cause(found, one) is None:
            yield (
                f"seq {one.sample.seq}, signed at {one.at_ms}, is declared lost (reason "
                f"{declared.reason}) although nothing took it"
            )


def loss_cause(found: Evidence, one: Signed) -> str | None:
    """power, flash, full or memory: what can have taken a sample that was declared lost."""
    if one.sample.seq in found.given_up:
        return "memory"
    declared_ms = found.declared[one.sample.seq].at_ms
    record = found.record
    life = record.lives[one.life]
    if life.end == "cut" and (
        one.at_ms >= life.end_ms - MEMORY_MS
        # What flash refused waits in memory, too.
        or any_between(record.refused_writes, life.end_ms - GATHER_MS, life.end_ms)
    ):
        return "power"
    if any_between(record.full, one.at_ms, declared_ms):
        return "full"
    # A file system that is full makes the outbox give up its oldest samples.
    if any_between(record.no_space, one.at_ms, declared_ms):
        return "flash"
    if any_between(record.refused_writes, one.at_ms, declared_ms):
        newer = [
            len(other.payload)
            for other in found.signed
            if one.sample.seq <= other.sample.seq and other.at_ms <= declared_ms
        ]
        return "flash" if sum(newer) >= MEMORY_BYTES else None
    return None


def all_is_final(found: Evidence) -> Iterator[str]:
    """When nothing goes wrong any more, everything gets through."""
    signed = [
        one for one in found.signed if one.at_ms <= found.record.lives[-1].end_ms - UNDER_WAY_MS
    ]
    if not signed:
        yield "nothing was signed"
    elif found.record.final < signed[-1].sample.seq:
        yield f"final is {found.record.final} at the end, signed were {signed[-1].sample.seq}"


def _may_skip(found: Evidence, before: Signed, one: Signed) -> bool:
    """A seq is skipped in a life where the heap had no room for its sample, or the store failed."""
    return any_between(found.no_room, before.at_ms, one.at_ms) or found.fault_near(
        frozenset({"store_fails"}), one.at_ms, one.at_ms - before.at_ms, 0
    )


def _stopped_cleanly(found: Evidence, last: Signed) -> bool:
    life = found.record.lives[last.life]
    return life.end == "stop" and not any(
        any_between(refused, last.at_ms - MEMORY_MS, life.end_ms)
        for refused in (found.record.refused_writes, found.record.no_space)
    )


def _is_signature(found: Evidence, one: Signed, signature: bytes) -> bool:
    if found.record.signatures == "cheap":
        half = sha256(found.kid + one.digest).digest()
        return signature == half + b"\x00" + half[1:]
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), found.record.signing_public)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(
            utils.encode_dss_signature(r, s), one.digest, ec.ECDSA(utils.Prehashed(SHA256()))
        )
    except InvalidSignature:
        return False
    return True


def _short(digest: bytes | None) -> str:
    return "absent" if digest is None else digest.hex()[:8]
