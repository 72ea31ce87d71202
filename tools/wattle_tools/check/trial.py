"""One board's trial: its devices read through it, a real sample of it verified, its way out tried.

The board runs commissioning.py, board_check.py and board_reach.py of firmware/boards/esp32, each
from a fresh prompt, since its heap does not hold two of them. What it says is a stranger's word
until its sample verifies: under the key that was provisioned, for the ledger, with the values that
it showed.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wattle_wire import cose, p256, sample_reader, topics
from wattle_wire.errors import WireError

from wattle_tools.boards import identity
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.boards.meter_record import MeterRecord
from wattle_tools.boards.repl import Repl, printable
from wattle_tools.check.judging import FAULT, OK, CheckedDevice, Finding, Readings
from wattle_tools.errors import AdvisedError, SerialLineError, ToolError, UnfitBoardError
from wattle_tools.proof import Proof
from wattle_tools.provision import board_keys, brought

READS, REACHES = "board_check", "board_reach"
# A gateway is given 30 s; a board that makes no progress beyond that hangs.
_GATEWAY_S = 40.0
_START_S = 60.0
# A gateway gives the time as soon as its broker has let a meter in, which takes a board seconds.
CLOCK_S = 30.0
CLOCK_SET = "clock: set by"  # wattle_meter.app says so

# (device number, readings) as they come
Shown = Callable[[int, Readings], None]


@dataclass
class Trial:
    """What came of it: configured devices, their rounds by number, findings about the rest; the
    meter's `proof`, and its `sample` (COSE_Sign1) once it has verified. `gateways`: what kept it
    from each, None for nothing; `signal_dbm` of the wireless network, None: not joined; `clock`:
    its state in the sample, `clock_is_set`: whether the meter said so once it ran again.
    """

    record: MeterRecord
    devices: list[CheckedDevice]
    proof: Proof
    sample: bytes | None = None
    rounds: dict[int, list[Readings]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    gateways: dict[str, str | None] = field(default_factory=dict)
    signal_dbm: int | None = None
    clock: str = "U"
    clock_is_set: bool = False


def run(
    board: FoundBoard,
    firmware: Path,
    rounds: int,
    shown: Shown,
    check: Callable[[], None],
    *,
    calls: bool,
) -> Trial:
    """Tries a provisioned board; `calls`: on its gateways, too.

    Raises SerialLineError, UnfitBoardError, what `check` raises.
    """
    if board.contents is None or board.mac is None:
        raise board.trouble or UnfitBoardError("it does not answer", "plug it in again")
    with _prompt(board.port, check) as repl:
        record = identity.read_contents(repl).record
        if record is None:
            raise UnfitBoardError("it is no meter yet", "provision it first")
        ledger_id = bytes.fromhex(record.ledger)
        keys = board_keys.program(firmware)
        proof = board_keys.prove(repl, keys, ledger_id, board.mac, lambda done: None)
        devices, interval_ms, gateways = _settings(repl)
    trial = Trial(record, devices, proof)
    listener = _Listener(trial, shown)
    with _prompt(board.port, check) as repl:
        program = brought.program(firmware, READS)
        seconds = rounds * interval_ms / 1_000 + _START_S
        brought.followed(repl, program, seconds, listener.line, rounds)
        if not calls:
            repl.restart()
    if not listener.is_signed:
        trial.findings.append(Finding(FAULT, "it signed no sample", "run it again"))
    if calls:
        with _prompt(board.port, check) as repl:
            program = brought.program(firmware, REACHES)
            brought.followed(repl, program, gateways * _GATEWAY_S + _START_S, listener.line)
            repl.restart()
            if None in trial.gateways.values():
                trial.clock_is_set = any(CLOCK_SET in text for text in repl.hear(CLOCK_S))
    return trial


def announced(board: FoundBoard, rounds: int, *, calls: bool) -> tuple[str, list[str]]:
    """(meter, what `run` would do to its board, a clause each).

    Raises what keeps it from being tried, as far as that shows without trying.
    """
    if board.contents is None or board.mac is None:
        raise board.trouble or UnfitBoardError("it does not answer", "plug it in again")
    record = board.contents.record
    if record is None:
        raise UnfitBoardError("it is no meter yet", "provision it first")
    would = [
        f"stop meter {record.meter} on {board.port}, and start it again at the end",
        f"bring {3 if calls else 2} programs to it one after another, and remove them",
        f"read its devices {rounds} times, and sign one sample, which stays in its outbox",
        "note it in the audit record",
    ]
    if calls:
        would.insert(-1, "call on each of its gateways")
    return record.meter, would


@contextlib.contextmanager
def _prompt(port: str, check: Callable[[], None]) -> Iterator[Repl]:
    """The prompt with an empty heap; when something fails there, the meter is started again."""
    with Repl(port, check) as repl:
        try:
            yield repl
        except AdvisedError:
            with contextlib.suppress(ToolError):
                repl.restart()
            raise


def _settings(repl: Repl) -> tuple[list[CheckedDevice], int, int]:
    """(devices, interval in ms, number of gateways) of a board's configuration."""
    rows: Any = repl.value(_SETTINGS)
    try:
        found, interval_ms, gateways = rows
        devices = [
            CheckedDevice(int(d), ct[0] / ct[1], vt[0] / vt[1], int(orient))
            for d, ct, vt, orient in found
        ]
        return devices, int(interval_ms), int(gateways)
    except (TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise UnfitBoardError("its settings cannot be read", "provision it again") from error


class _Listener:
    """Takes the lines of board_check."""

    def __init__(self, trial: Trial, shown: Shown) -> None:
        self._trial = trial
        self._shown = shown
        self.is_signed = False

    def line(self, text: str) -> None:
        try:
            row = json.loads(text)
            if "readings" in row:
                self._readings(row["readings"])
            elif "sample" in row:
                self._sample(bytes.fromhex(row["sample"]))
            elif "gateway" in row:
                error = None if row["error"] is None else printable(str(row["error"]))
                self._trial.gateways[printable(str(row["gateway"]))] = error
            elif "signal_dbm" in row:
                signal = row["signal_dbm"]
                self._trial.signal_dbm = None if signal is None else int(signal)
            else:
                self._trial.clock = str(row["clock"])[:1]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SerialLineError(
                f"garbage on the line: {printable(text)}", "try another cable, and run it again"
            ) from error

    def _readings(self, rows: list[list[object]]) -> None:
        for device, status, values in rows:
            if type(device) is not int or not isinstance(values, dict):
                raise TypeError(device)
            one = Readings(str(status)[:1], _checked(values))
            self._trial.rounds.setdefault(device, []).append(one)
            self._shown(device, one)

    def _sample(self, raw: bytes) -> None:
        trial, proof = self._trial, self._trial.proof
        self.is_signed = True
        try:
            signed = cose.parse_sign1("sample", bytes.fromhex(trial.record.ledger), raw)
            p256.verify(proof.signing_public, signed.digest, signed.signature)
            content = sample_reader.decode(signed.payload)
        except WireError as error:
            trial.findings.append(
                Finding(FAULT, f"its sample does not verify: {error}", "flash it again")
            )
            return
        key = hashlib.sha256(proof.signing_public).hexdigest()
        if topics.meter_id(signed.kid) != trial.record.meter or key != trial.record.key_sha256:
            what = (
                f"it signs as {topics.meter_id(signed.kid)}, provisioned was {trial.record.meter}"
            )
            trial.findings.append(Finding(FAULT, what, "provision it again, and enrol it anew"))
            return
        last = {number: rounds[-1] for number, rounds in trial.rounds.items()}
        if {row.device: Readings(row.status, row.values) for row in content.readings} != last:
            trial.findings.append(
                Finding(FAULT, "its sample has other values than it showed", "flash it again")
            )
            return
        trial.sample = raw
        what = f"sample {content.seq} verifies under the key of meter {trial.record.meter}"
        trial.findings.append(Finding(OK, what))


def _checked(values: dict[str, object]) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    for name, value in values.items():
        if type(value) is not int and not (isinstance(value, str) and len(value) == 1):
            raise TypeError(name)
        found[printable(name)] = value
    return found


# Of config.json, in which the password of the wireless network stands, only this crosses the line.
_SETTINGS = """
import json
with open('/config.json') as f: c = json.load(f)
r = []
for d in c['devices']:
 r.append([d['d'], d.get('ct', [1, 1]), d.get('vt', [1, 1]), d.get('orient', 1)])
print([r, c['interval_ms'], len(c['gateways'])])
"""
