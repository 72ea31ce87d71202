"""What was measured as lines for people; limits stand beside it as ratios."""

import statistics
from collections.abc import Mapping, Sequence

from wattle_wire.sample import SAMPLE_BYTES_MAX

from wattle_hil.bench import dispatch as order_limits
from wattle_hil.bench import finality as final_limits
from wattle_hil.bench import upkeep as daily_limits
from wattle_hil.bench.airtime import TCP_IP_BYTES, TLS_RECORD_BYTES, Airtime
from wattle_hil.bench.alliance import GATEWAYS
from wattle_hil.bench.dispatch import DispatchTimes
from wattle_hil.bench.finality import Finality, rank
from wattle_hil.bench.flash import (
    ERASE_CYCLES,
    OUTBOX_BYTES,
    YEAR_H,
    Capacity,
    Duty,
    FlashCost,
    outage_hours_a_year,
)
from wattle_hil.bench.ingest import METERS, Round
from wattle_hil.bench.recording import RUNNING_INSTRUCTIONS_LIMIT, RecordingCost
from wattle_hil.bench.signature import (
    HEAP,
    INSTRUCTIONS_LIMIT,
    SLICE_LIMIT,
    BoardSignatureCost,
    SignatureCost,
)
from wattle_hil.bench.upkeep import Upkeep
from wattle_hil.report.numbers import grouped

# How long a meter is expected to stay where it is.
LIFE_YEARS = 10
# What an outbox of the usual size has to hold, at a reading a second.
CAPACITY_S = 7_200


def signatures(costs: Mapping[int, SignatureCost]) -> list[str]:
    """By bits of the interpreter."""
    lines = []
    for bits, cost in costs.items():
        lines += [
            f"One signature, MicroPython {bits}-bit, heap of {HEAP}B (median of {cost.signatures})",
            f"  time             {cost.sign_us / 1_000:8.2f} ms, longest"
            f" {cost.sign_us_max / 1_000:.2f} ms",
            f"  between yields   {cost.slice_us_max / 1_000:8.2f} ms at most",
            f"  heap allocated   {grouped(cost.garbage_bytes):>8} bytes, kept {cost.kept_bytes}"
            f" bytes after all",
            f"  one check        {cost.verify_us / 1_000:8.2f} ms, between yields"
            f" {cost.verify_slice_us_max / 1_000:.2f} ms at most",
            f"  heap allocated   {grouped(cost.verify_garbage_bytes):>8} bytes",
        ]
    return lines


def counted_signature(cost: BoardSignatureCost) -> list[str]:
    """Instructions of the emulated board."""
    rows = [
        ("signature", cost.sign_instructions, cost.slice_instructions_max),
        ("check", cost.verify_instructions, cost.verify_slice_instructions_max),
        ("key agreement", cost.ecdh_instructions, cost.ecdh_slice_instructions_max),
    ]
    slice_most = max(most for _, _, most in rows)
    limit, slice_limit = INSTRUCTIONS_LIMIT / 1e6, SLICE_LIMIT / 1e6
    return [
        f"Emulated Cortex-M3, heap of {HEAP}B, million instructions (signature: of"
        f" {cost.signatures})",
        *(
            f"  {name:<14}{whole / 1e6:10.2f}   between yields {most / 1e6:6.2f} at most"
            for name, whole, most in rows
        ),
        _against("  dearest signature     ", cost.sign_instructions_max / 1e6, limit, "million"),
        _against("  longest without yield ", slice_most / 1e6, slice_limit, "million"),
    ]


def recording(cost: RecordingCost) -> list[str]:
    """A sample in the heap of a running meter."""
    limit, slice_limit = RUNNING_INSTRUCTIONS_LIMIT / 1e6, SLICE_LIMIT / 1e6
    return [
        f"There, in the heap of a running meter ({grouped(cost.heap_used)} bytes in use,"
        f" {grouped(cost.heap_free)} free), of {cost.samples} samples",
        f"  readings to outbox   {cost.record_instructions / 1e6:10.2f} million",
        f"  its signature        {cost.sign_instructions / 1e6:10.2f} million",
        _against("  dearest signature     ", cost.sign_instructions_max / 1e6, limit, "million"),
        _against(
            "  longest without yield ", cost.slice_instructions_max / 1e6, slice_limit, "million"
        ),
    ]


def flash(held: Capacity, found: Sequence[tuple[Duty, FlashCost]]) -> list[str]:
    """What the outbox holds; its appends and erases in an hour; how long flash stands that."""
    hours, minutes = held.seconds // 3_600, held.seconds // 60 % 60
    worst = ERASE_CYCLES / LIFE_YEARS / YEAR_H
    lines = [
        f"Outbox of {grouped(OUTBOX_BYTES)} bytes: {grouped(held.samples)} samples of ten readings,"
        f" {hours} h {minutes} min at 1 Hz",
        f"  a sample of {grouped(held.sample_bytes)} bytes takes {held.flash_bytes_each};"
        f" expected are {CAPACITY_S // 3_600} h at least",
        f"On LittleFS, 2 MB of flash in blocks of 4 KB; hours a year that it stands for"
        f" {LIFE_YEARS} years at {grouped(ERASE_CYCLES)} erases of the worst block",
        f"  (all {grouped(YEAR_H)} of them: up to {worst:.2f} worst/h)",
        "  reading every   in a sample   final after   appends/h   erases/h   worst/h   h/year",
    ]
    for duty, cost in found:
        after = "no link" if duty.final_after_s is None else f"{duty.final_after_s} s"
        stands = outage_hours_a_year(cost, duty.hours, LIFE_YEARS)
        lines.append(
            f"  {duty.every_s:11} s   {duty.readings:11}   {after:>11}"
            f"   {cost.appends / duty.hours:9.0f}   {cost.erases / duty.hours:8.0f}"
            f"   {cost.erases_of_one_block_max / duty.hours:7.2f}   {grouped(stands):>6}"
        )
    return lines


def air(samples: Sequence[Airtime]) -> list[str]:
    """Bytes on the way from a meter."""
    lines = ["One sample with one reading, bytes"]
    lines += [
        f"  {one.device}   sample {one.sample:5}   MQTT packet {one.mqtt:5}   on air {one.on_air:5}"
        for one in samples
    ]
    return [
        *lines,
        f"  on air: with TLS 1.3 ({TLS_RECORD_BYTES}) and TCP/IPv4 ({TCP_IP_BYTES}); a sample may"
        f" have {grouped(SAMPLE_BYTES_MAX)}",
    ]


def ingest(rounds: Sequence[Round]) -> list[str]:
    """Samples a second."""
    lines = [
        f"Gateway, {grouped(rounds[0].samples)} samples of {METERS} meters a round, published over"
        " TLS to its broker; clients, broker,",
        "gateway and its workers share this machine. Broker: acknowledged by it. Durable: stored"
        " and fsynced. Final: in a commit.",
        "  round   broker/s   durable/s   final/s   openssl verify/s   durable to openssl",
    ]
    lines += [
        f"  {number:5}   {one.broker_a_second:8.0f}   {one.durable_a_second:9.0f}"
        f"   {one.final_a_second:7.0f}   {one.openssl_a_second:16.0f}   {one.ratio:18.3f}"
        for number, one in enumerate(rounds, 1)
    ]
    ratio = statistics.median(one.ratio for one in rounds)
    rate = statistics.median(one.durable_a_second for one in rounds)
    lines.append(
        f"  median: {rate:.0f} samples a second = {ratio:.3f} of one `openssl speed ecdsap256`"
    )
    return lines


def finality(found: Finality) -> list[str]:
    """Seconds until a transaction is final."""
    lines = [
        f"Alliance of {GATEWAYS} gateways, all on this machine: from asking one to enrol or revoke"
        " a meter until it says",
        "that this is final: durable to final, and what stands before and after it.",
        f"  {len(found.busy_s)} transactions, {GATEWAYS} at a time",
        _against("    p50", rank(found.busy_s, 0.50), final_limits.P50_LIMIT_S, "s"),
        _against("    p99", rank(found.busy_s, 0.99), final_limits.P99_LIMIT_S, "s"),
    ]
    if found.idle_s:
        each = ", ".join(f"{seconds:.2f}" for seconds in found.idle_s)
        lines += [
            f"  {len(found.idle_s)} transactions,"
            f" each after {found.rest_s} s without any ({each} s)",
            _against("    p50", rank(found.idle_s, 0.50), final_limits.IDLE_P50_LIMIT_S, "s"),
        ]
    return lines


def dispatch(found: DispatchTimes) -> list[str]:
    """With its limit."""
    limit_s = order_limits.LIMIT_S
    lines = [f"Dispatch to the write at {GATEWAYS} loads, each at another of {GATEWAYS} gateways"]
    for name, times_s in (
        ("from the gateway's socket", found.gateway_s),
        ("from the program's start", found.program_s),
    ):
        p95_s = rank(times_s, 0.95)
        verdict = "kept" if p95_s <= limit_s else "NOT KEPT"
        lines.append(
            f"  {name:<26} median {statistics.median(times_s):5.2f} s, p95 {p95_s:5.2f} s,"
            f" longest {times_s[-1]:5.2f} s of {len(times_s)}; p95 at most {limit_s:g} s: {verdict}"
        )
    return lines


def upkeep(idle: Upkeep, metered: Upkeep) -> list[str]:
    """Megabytes a day."""
    limits = daily_limits
    return [
        f"Upkeep of an alliance of {GATEWAYS}, measured over {idle.stretch_s:.0f} s and scaled to a"
        " day, of the gateway with most of it.",
        "Disk: files after a clean stop. Wire: sent and received at the sockets of its peer links"
        " (TLS, without TCP/IP",
        "headers), until the last sample is final: short stretches look dearer than they are.",
        "  idle",
        _against("    disk", max(idle.disk_mb), limits.IDLE_LIMIT_MB, "MB a day"),
        _against("    wire", max(idle.wire_mb), limits.IDLE_LIMIT_MB, "MB a day"),
        f"  one meter at 1 Hz ({metered.samples} samples), without the samples' own bytes",
        _against("    disk", max(metered.disk_mb), limits.METER_DISK_LIMIT_MB, "MB a day"),
        _against("    wire", max(metered.wire_mb), limits.METER_WIRE_LIMIT_MB, "MB a day"),
    ]


def _against(name: str, value: float, limit: float, unit: str) -> str:
    return f"{name}   {value:8.2f} {unit} = {value / limit:.2f} of {limit:g}"
