"""What `wattle-tool read` and `set` do, through pymodbus."""

import argparse
import contextlib
import json
import logging
from collections.abc import Iterator
from contextlib import nullcontext

from pymodbus.client import ModbusSerialClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from wattle_tools import dry_run
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.device import firmware_folder
from wattle_tools.errors import (
    DONE,
    ReadBackError,
    SerialLineError,
    SettingsError,
    UnfitBoardError,
)
from wattle_tools.modbus import adapter, registers
from wattle_tools.modbus.as_meter import ProfileReader
from wattle_tools.modbus.registers import HOLDING

# Slow devices take half a second; a longer silence is one.
_ANSWER_S = 1.0
_RETRIES = 2
# Where no profile says it.
_LINE = (9_600, "N", 1)
# Modbus application protocol, section 7.
_REFUSALS = {
    1: "it does not know this function",
    2: "it has no such register",
    3: "it refuses this number",
    4: "it failed at it",
    6: "it is busy",
}


def read(options: argparse.Namespace) -> int:
    """Reads and prints; the exit code."""
    if (options.profile is None) == (options.register is None):
        both = "neither" if options.profile is None else "both"
        raise SettingsError(f"{both} of --profile and --register", "give one of them")
    told, lines = _of_profile(options) if options.profile else _of_register(options)
    if options.json:
        print(json.dumps({"unit": options.unit, **told}, indent=1))
    else:
        print("\n".join(lines))
    return DONE


def _of_profile(options: argparse.Namespace) -> tuple[dict[str, object], list[str]]:
    """What a device has of a profile: for programs, and for people."""
    with _reader(options) as reader, _client(options, reader.line) as client:
        device = _Device(client, options.unit)

        def ask(function: int, address: int, count: int) -> list[int] | None:
            try:
                return device.read(address, count, function)
            except _RefusedError:
                return None

        found = reader.read(ask)
    told: dict[str, object] = {
        "profile": options.profile,
        "values": {name: f"{value:f}" for name, value in found.values.items()},
        "missing": found.missing,
    }
    if found.model is not None:
        told["sunspec"] = {"model": found.model, "base": found.base}
    return told, found.lines()


def _of_register(options: argparse.Namespace) -> tuple[dict[str, object], list[str]]:
    """One register, likewise."""
    register = registers.at(options.register, options.type)
    with _client(options, _LINE) as client:
        words = _Device(client, options.unit).read(
            register.address, register.words, options.function
        )
    name = f"{options.register:#06x}"
    value = f"{register.value(words, options.low_first):f}"
    raw = " ".join(f"{word:04x}" for word in words)
    return {"values": {name: value}}, [f"{name} {value} ({raw})"]


def write(options: argparse.Namespace) -> int:
    """Writes a register and reads it back; the exit code."""
    if options.register is None:
        raise SettingsError("no register", "name one with --register")
    register = registers.at(options.register, options.type)
    words = register.encoded(options.value, options.low_first)
    if options.single and len(words) != 1:
        raise SettingsError(f"{options.type} has {len(words)} words", "leave out --single")
    line = _writable_line(options)
    journal = None if options.dry_run else audit_command.journal(options)
    name = f"{options.register:#06x}"
    facts: dict[str, object] = {
        "port": adapter.lasting(options.port),
        "unit": options.unit,
        "register": name,
    }
    facts["value"] = f"{options.value:f}"
    recorded = audit_command.begun(journal, "set", facts=facts) if journal else nullcontext()
    with recorded, _client(options, line) as client:
        device = _Device(client, options.unit)
        words_before = device.read(register.address, register.words, HOLDING)
        before = register.value(words_before, options.low_first)
        facts["before"] = f"{before:f}"
        if journal is None:
            would = [f"set {name} to {options.value:f}, which is {before:f} now"]
            return dry_run.tell(options.json, would, facts)
        device.write(register.address, words, options.single)
        if device.read(register.address, register.words, HOLDING) != words:
            raise ReadBackError(
                f"{name} does not read back as {options.value:f}",
                "the device may want a setting mode first: see its manual",
            )
    journal.append("set", log.DONE, facts=facts)
    text = f"{name} was {before:f}, is {options.value:f}"
    print(json.dumps(facts, indent=1) if options.json else text)
    return DONE


class _RefusedError(UnfitBoardError):
    """The device answers that it does not."""


class _Device:
    """One unit on the line. Raises SerialLineError when it is silent, _RefusedError when it
    refuses."""

    def __init__(self, client: ModbusSerialClient, unit: int) -> None:
        self._client = client
        self._unit = unit

    def read(self, address: int, count: int, function: int) -> list[int]:
        ask = (
            self._client.read_holding_registers
            if function == HOLDING
            else self._client.read_input_registers
        )
        with _faults(self._unit):
            answer = ask(address, count=count, device_id=self._unit)
            _check(answer, address)
        words = list(answer.registers)
        if len(words) != count:
            raise SerialLineError(
                f"it answers {len(words)} words, expected {count}",
                "check A and B, and that no unit number is there twice",
            )
        return words

    def write(self, address: int, words: list[int], single: bool) -> None:
        with _faults(self._unit):
            if single:
                answer = self._client.write_register(address, words[0], device_id=self._unit)
            else:
                answer = self._client.write_registers(address, words, device_id=self._unit)
            _check(answer, address)


@contextlib.contextmanager
def _faults(unit: int) -> Iterator[None]:
    try:
        yield
    except (ModbusException, OSError) as error:
        raise SerialLineError(
            f"unit {unit} does not answer", "check A and B, unit, speed and parity"
        ) from error


def _check(answer: ModbusPDU, address: int) -> None:
    if isinstance(answer, ExceptionResponse):
        code = answer.exception_code
        said = _REFUSALS.get(code, f"exception {code}")
        raise _RefusedError(f"register {address:#06x}: {said}", "see the device's manual")


def _reader(options: argparse.Namespace) -> ProfileReader:
    return ProfileReader(options.firmware or firmware_folder(), options.profile)


def _writable_line(options: argparse.Namespace) -> tuple[int, str, int]:
    """How the line is set for a device that can be written. Raises SettingsError for SunSpec."""
    if options.profile is None:
        return _LINE
    with _reader(options) as reader:
        if reader.is_sunspec:
            raise SettingsError(
                f"{options.profile}: models 201 to 204 have no register that can be written",
                "for one of the maker's own name its --register, without --profile",
            )
        return reader.line


@contextlib.contextmanager
def _client(
    options: argparse.Namespace, line: tuple[int, str, int]
) -> Iterator[ModbusSerialClient]:
    baud, parity = options.baud or line[0], options.parity or line[1]
    stop_bits = options.stop_bits or line[2]
    # What it says of a line that cannot be opened, beside our own words.
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    port = adapter.lasting(options.port)
    client = ModbusSerialClient(
        port,
        baudrate=baud,
        parity=parity,
        stopbits=stop_bits,
        timeout=_ANSWER_S,
        retries=_RETRIES,
    )
    if not client.connect():
        raise SerialLineError(
            f"{port} cannot be opened at {baud} Bd 8{parity}{stop_bits}",
            "check its name, that you may open it (group dialout), that nobody else has it, and "
            "that the adapter knows these settings",
        )
    try:
        yield client
    finally:
        client.close()  # type: ignore[no-untyped-call]
