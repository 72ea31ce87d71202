"""A run's export made by hand: curve, points file, meters and samples as the gateway lists them.

Tests break one thing of it and see whether the energy check notices.
"""

import csv
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import ecdsa
from wattle_wire import cose
from wattle_wire import sample as wire_sample
from wattle_wire.sample import Reading, Sample

LEDGER_ID = bytes(range(16))
EUI64 = bytes.fromhex("020000fffe000001")
FIRST_SEQ = 1
INTERVAL_MS = 1_000
LATENESS_MS = 300
START_MS = 1_700_000_000_000
INITIAL_WH = 5_000

COMMIT_DELAY_MS = 2_000
ROW = (
    *("meter", "seq", "boot", "ledger_index", "commit", "commit_time_ms", "classes", "clock"),
    *("time_ms", "device", "st", "ei_wh", "ee_wh", "p_w", "raw"),
)


@dataclass
class Meter:
    """A meter that signs what it is told, with a key drawn from a text."""

    name: str
    key: ecdsa.SigningKey = field(init=False)

    def __post_init__(self) -> None:
        secret = hashlib.sha256(self.name.encode()).digest()
        self.key = ecdsa.SigningKey.from_string(secret, ecdsa.NIST256p, hashlib.sha256)

    @property
    def public(self) -> bytes:
        return bytes(self.key.verifying_key.to_string("uncompressed"))

    @property
    def kid(self) -> bytes:
        return cose.kid_of(self.public)

    def signed(self, content: Sample, ledger_id: bytes = LEDGER_ID) -> tuple[bytes, bytes]:
        """The sample's COSE_Sign1 and its digest."""
        payload = wire_sample.encode(content)
        digest = cose.digest("sample", ledger_id, self.kid, payload)
        signature = self.key.sign_digest_deterministic(
            digest, sigencode=ecdsa.util.sigencode_string_canonize
        )
        return cose.sign1(self.kid, payload, signature), digest


@dataclass
class Export:
    """One meter with one device on a curve of one value a second; `rows` are as exported."""

    folder: Path
    watts: list[int]
    meter: Meter = field(default_factory=lambda: Meter("export meter"))
    unit: str = "W"
    rows: list[dict[str, str]] = field(default_factory=list)

    def counter_wh(self, at_ms: int) -> int:
        """What the register shows at Unix ms: whole Wh since the curve's start."""
        seconds = min(max((at_ms - START_MS) // 1_000, 0), len(self.watts))
        return INITIAL_WH + sum(self.watts[:seconds]) // 3_600

    def sign_all(self, restart_at: int | None = None, lead_s: int = 2) -> None:
        """Signs a sample for each second from lead_s before the curve until lead_s after it.

        restart_at: after this many samples the meter restarts, reads nothing for 5 s and goes on
        at seq 1024 with a declared gap.
        """
        seq, boot, prev = FIRST_SEQ, 1, None
        gaps: list[tuple[int, int, int]] = []
        for second in range(-lead_s, len(self.watts) + lead_s + 1):
            if restart_at is not None and seq == FIRST_SEQ + restart_at:
                if second < restart_at - lead_s + 5:
                    continue
                gaps, seq, boot, prev = [(seq, 1_023, 1)], 1_024, 2, None
            time_ms = START_MS + second * 1_000
            raw, prev = self._sample(seq, boot, prev, time_ms, gaps)
            self.rows.append(self._row(seq, boot, time_ms, raw))
            seq, gaps = seq + 1, []

    def _sample(
        self,
        seq: int,
        boot: int,
        prev: bytes | None,
        time_ms: int,
        gaps: list[tuple[int, int, int]],
    ) -> tuple[bytes, bytes]:
        watts = self.watts[0]
        values: dict[str, int | str] = {"ei": self.counter_wh(time_ms), "ee": 0, "p": watts * 10}
        reading = Reading(1, time_ms, "G", values)
        return self.meter.signed(Sample(EUI64, seq, boot, prev, "S", [reading], gaps=gaps))

    def _row(self, seq: int, boot: int, time_ms: int, raw: bytes) -> dict[str, str]:
        place = len(self.rows)
        return {
            "meter": self.meter.kid.hex(),
            "seq": str(seq),
            "boot": str(boot),
            "ledger_index": str(2 * place),
            "commit": str(place + 1),
            "commit_time_ms": str(time_ms + COMMIT_DELAY_MS),
            "classes": "gap" if boot > 1 and self.rows[-1]["boot"] != str(boot) else "",
            "clock": "S",
            "device": "1",
            "time_ms": str(time_ms),
            "st": "G",
            "ei_wh": str(self.counter_wh(time_ms)),
            "ee_wh": "0",
            "p_w": f"{self.watts[0]}.0",
            "raw": raw.hex(),
        }

    def write(self, **point: object) -> list[str]:
        """Writes the files of the check; its command line. point: keys that differ."""
        lines = [f"{START_MS + at * 1_000},{watts}" for at, watts in enumerate(self.watts)]
        (self.folder / "curve.csv").write_text("\n".join(["t,p", *lines, ""]), encoding="utf-8")
        entry = {
            "meter": self.meter.kid.hex(),
            "device": 1,
            "curve": "curve.csv",
            "time": "t",
            "power": "p",
            "unit": self.unit,
            "initial_import_wh": INITIAL_WH,
            "initial_export_wh": 0,
            "resolution_wh": 1,
            "interval_ms": INTERVAL_MS,
            "lateness_ms": LATENESS_MS,
            "from_ms": START_MS - 2_000,
            "until_ms": START_MS + len(self.watts) * 1_000 + 2_000,
        }
        points = {"ledger_id": LEDGER_ID.hex(), "points": [entry | point]}
        (self.folder / "points.json").write_text(json.dumps(points), encoding="utf-8")
        meter = {
            "meter": self.meter.kid.hex(),
            "signing_public": self.meter.public.hex(),
            "first_seq": str(FIRST_SEQ),
        }
        _write_table(self.folder / "meters.csv", tuple(meter), [meter])
        _write_table(self.folder / "samples.csv", ROW, self.rows)
        names = ("points.json", "--meters", "meters.csv", "--samples", "samples.csv")
        return [str(self.folder / name) if "." in name else name for name in names]


def _write_table(path: Path, columns: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
