"""Emulated metering devices: a load curve behind the register map of a real type."""

import struct
from collections.abc import Mapping
from typing import Protocol

from wattle_hil.curves.curve import Curve
from wattle_hil.devices.energy_counter import EnergyCounter, PhaseSplit
from wattle_hil.devices.measurement import Measurement, float32
from wattle_hil.devices.registers import (
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    RegisterMap,
    RequestRefusedError,
)
from wattle_hil.devices.sdm import PARITY_CODES, Model
from wattle_hil.errors import DeviceError

READ_HOLDING_REGISTERS = 3
READ_INPUT_REGISTERS = 4
EXCEPTION_FLAG = 0x80
MAX_UNIT = 247

_READ_REQUEST = struct.Struct(">BHH")
_THREE_PHASE_FOUR_WIRE = 3.0
_EVEN_SHARES = {1: (1_000,), 3: (334, 333, 333)}


class Device(Protocol):
    """What a serial line needs of a device: its unit id, and answers to request PDUs.

    `answer` takes a PDU (function code and data, without unit id and CRC) and the bench time in
    Unix ms and returns the PDU of the response or exception; it does not raise.
    """

    @property
    def unit(self) -> int: ...

    def answer(self, pdu: bytes, now_ms: int) -> bytes: ...


class EmulatedDevice:
    """An SDM120 or SDM630 on a load curve. Read-only: other functions than 3 and 4 are refused.

    unit: 1 to 247. model: see `sdm`. curve: its load.
    initial_import_wh, initial_export_wh: counters at the start of the curve.
    resolution_wh: step of the counters. shares_permille: of the phases, even by default.
    baud, parity: as its settings registers tell them. serial_number: uint32 (SDM630).
    refresh_ms: None = registers are computed at the instant of each request; else they change only
    at multiples of it, as a real device's do that measures in cycles.
    Raises DeviceError for a description no real device could have.
    """

    def __init__(
        self,
        unit: int,
        model: Model,
        curve: Curve,
        *,
        initial_import_wh: int = 0,
        initial_export_wh: int = 0,
        resolution_wh: int = 1,
        shares_permille: tuple[int, ...] | None = None,
        baud: int = 9_600,
        parity: str = "N1",
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
        self.unit = unit
        self.model = model
        self._refresh_ms = refresh_ms
        self._measurement = Measurement(
            curve,
            PhaseSplit(shares),
            EnergyCounter(initial_import_wh, resolution_wh),
            EnergyCounter(initial_export_wh, resolution_wh),
        )
        self._settings = _settings(unit, model, baud, parity, serial_number)

    def answer(self, pdu: bytes, now_ms: int) -> bytes:
        """The response PDU to a request PDU at Unix ms, or the exception PDU."""
        function = pdu[0]
        try:
            if function == READ_INPUT_REGISTERS:
                values = self._measurement.values(self._measured_at_ms(now_ms))
                return _read(pdu, self.model.inputs, values)
            if function == READ_HOLDING_REGISTERS:
                return _read(pdu, self.model.settings, self._settings)
        except RequestRefusedError as refused:
            return bytes([function | EXCEPTION_FLAG, refused.code])
        return bytes([function | EXCEPTION_FLAG, ILLEGAL_FUNCTION])

    def counted_wh(self, now_ms: int) -> tuple[int, int]:
        """Import and export counters in Wh that a request at Unix ms is answered from."""
        return self._measurement.counted_wh(self._measured_at_ms(now_ms))

    def _measured_at_ms(self, now_ms: int) -> int:
        return now_ms if self._refresh_ms is None else now_ms - now_ms % self._refresh_ms


def _read(pdu: bytes, registers: RegisterMap, values: Mapping[str, bytes]) -> bytes:
    if len(pdu) != _READ_REQUEST.size:
        reason = f"a read request of {len(pdu)} bytes, expected {_READ_REQUEST.size}"
        raise RequestRefusedError(ILLEGAL_VALUE, reason)
    function, address, count = _READ_REQUEST.unpack(pdu)
    data = registers.read(address, count, values)
    return bytes([function, len(data)]) + data


def _settings(
    unit: int, model: Model, baud: int, parity: str, serial_number: int
) -> Mapping[str, bytes]:
    if baud not in model.baud_codes:
        known = ", ".join(str(rate) for rate in sorted(model.baud_codes))
        raise DeviceError(f"{baud} baud, {model.name} has {known}")
    if parity not in PARITY_CODES:
        raise DeviceError(f"parity {parity!r}, expected one of {', '.join(PARITY_CODES)}")
    if not 0 <= serial_number < 2**32:
        raise DeviceError(f"serial number {serial_number}, expected 32 bits")
    return {
        "unit": float32(unit),
        "baud_code": float32(model.baud_codes[baud]),
        "parity_code": float32(PARITY_CODES[parity]),
        "system_type": float32(_THREE_PHASE_FOUR_WIRE),
        "serial_number": serial_number.to_bytes(4, "big"),
    }
