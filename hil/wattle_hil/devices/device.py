"""Emulated metering devices: a load curve behind the register map of a real type."""

import struct
from typing import Protocol

from wattle_hil.devices.energy_counter import EnergyCounter, PhaseSplit
from wattle_hil.devices.measurement import Load, Measurement
from wattle_hil.devices.model import PARITY_CODES, Model
from wattle_hil.devices.registers import (
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    RegisterMap,
    RequestRefusedError,
    Values,
)
from wattle_hil.devices.wiring import Wiring
from wattle_hil.errors import DeviceError

EXCEPTION_FLAG = 0x80
MAX_UNIT = 247

_READ_REQUEST = struct.Struct(">BHH")
_THREE_PHASE_FOUR_WIRE = 3.0
_EVEN_SHARES = {1: (1_000,), 2: (500, 500), 3: (334, 333, 333)}


class Device(Protocol):
    """What a serial line needs of a device: its unit id, and answers to request PDUs.

    `answer` takes a PDU (function code and data, without unit id and CRC) and the bench time in
    Unix ms and returns the PDU of the response or exception; it does not raise.
    """

    @property
    def unit(self) -> int: ...

    def answer(self, pdu: bytes, now_ms: int) -> bytes: ...


class EmulatedDevice:
    """A metering device on a load curve. Read-only: other functions than 3 and 4 are refused.

    unit: 1 to 247. model: see `families`. curve: its load.
    initial_import_wh, initial_export_wh: counters at the start of the curve.
    resolution_wh: step of the counters, the model's by default. shares_permille: of the phases,
    even by default. wiring: how the currents of a three-phase load reach it; None: as they should.
    baud, parity: as its settings registers tell them; the model's by default. serial_number:
    uint32 (SDM630).
    refresh_ms: None = registers are computed at the instant of each request; else they change only
    at multiples of it, as a real device's do that measures in cycles.
    Raises DeviceError for a description no real device could have.
    """

    def __init__(
        self,
        unit: int,
        model: Model,
        curve: Load,
        *,
        initial_import_wh: int = 0,
        initial_export_wh: int = 0,
        resolution_wh: int | None = None,
        shares_permille: tuple[int, ...] | None = None,
        wiring: Wiring | None = None,
        baud: int | None = None,
        parity: str | None = None,
        serial_number: int = 0,
        refresh_ms: int | None = None,
    ) -> None:
        if not 1 <= unit <= MAX_UNIT:
            raise DeviceError(f"unit {unit}, expected 1 to {MAX_UNIT}")
        if refresh_ms is not None and refresh_ms < 1:
            raise DeviceError(f"refresh of {refresh_ms} ms, expected at least 1")
        shares = shares_permille or _EVEN_SHARES[model.phases]
        if len(shares) != model.phases:
            raise DeviceError(f"{len(shares)} phase shares, {model.name} has {model.phases} phases")
        if wiring is not None and model.phases != 3:
            raise DeviceError(f"wiring of three phases, {model.name} has {model.phases}")
        self.unit = unit
        self.model = model
        self._refresh_ms = refresh_ms
        step_wh = model.resolution_wh if resolution_wh is None else resolution_wh
        self._measurement = Measurement(
            curve,
            PhaseSplit(shares),
            EnergyCounter(initial_import_wh, step_wh),
            EnergyCounter(initial_export_wh, step_wh),
            wiring,
        )
        self._settings = _settings(
            unit, model, baud or model.baud, parity or model.parity, serial_number
        )

    def answer(self, pdu: bytes, now_ms: int) -> bytes:
        """The response PDU to a request PDU at Unix ms, or the exception PDU."""
        function = pdu[0]
        registers = self.model.tables.get(function)
        if registers is None:
            return bytes([function | EXCEPTION_FLAG, ILLEGAL_FUNCTION])
        values = self._measurement.values(self._measured_at_ms(now_ms))
        try:
            return _read(pdu, registers, {**values, **self._settings})
        except RequestRefusedError as refused:
            return bytes([function | EXCEPTION_FLAG, refused.code])

    def counted_wh(self, now_ms: int) -> tuple[int, int]:
        """Import and export counters in Wh that a request at Unix ms is answered from."""
        return self._measurement.counted_wh(self._measured_at_ms(now_ms))

    def _measured_at_ms(self, now_ms: int) -> int:
        return now_ms if self._refresh_ms is None else now_ms - now_ms % self._refresh_ms


def _read(pdu: bytes, registers: RegisterMap, values: Values) -> bytes:
    if len(pdu) != _READ_REQUEST.size:
        reason = f"a read request of {len(pdu)} bytes, expected {_READ_REQUEST.size}"
        raise RequestRefusedError(ILLEGAL_VALUE, reason)
    function, address, count = _READ_REQUEST.unpack(pdu)
    data = registers.read(address, count, values)
    return bytes([function, len(data)]) + data


def _settings(unit: int, model: Model, baud: int, parity: str, serial_number: int) -> Values:
    if baud not in model.baud_codes:
        known = ", ".join(str(rate) for rate in sorted(model.baud_codes))
        raise DeviceError(f"{baud} baud, {model.name} has {known}")
    if parity not in PARITY_CODES:
        raise DeviceError(f"parity {parity!r}, expected one of {', '.join(PARITY_CODES)}")
    if not 0 <= serial_number < 2**32:
        raise DeviceError(f"serial number {serial_number}, expected 32 bits")
    return {
        "unit": unit,
        "baud_code": model.baud_codes[baud],
        "parity_code": PARITY_CODES[parity],
        "system_type": _THREE_PHASE_FOUR_WIRE,
        "serial_number": serial_number,
    }
