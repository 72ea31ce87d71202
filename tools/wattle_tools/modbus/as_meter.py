"""A device read as the meter would read it: by the firmware's profile, search and arithmetic.

They run in a process apart (firmware/adapter_read.py states what it says), as the firmware's checks
of settings do; this side has the line. So what `read` shows of a device is what a meter would sign.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

from wattle_wire import quantity

from wattle_tools.errors import SettingsError, UnfitBoardError

_PROGRAM = "adapter_read"
_END_S = 5.0
_MS = 1_000
# What the firmware says of a quantity that it did not get (OCMF 1.4, field ST).
_MISSING: Mapping[str, str] = {
    quantity.NOT_PRESENT: "the device has no such quantity",
    quantity.OUT_OF_RANGE: "no number, or beyond what a sample can hold",
    quantity.OTHER_ERROR: "the device refuses its register",
}

# (function, address, number of registers): their words, None if the device refuses.
Ask = Callable[[int, int, int], list[int] | None]


@dataclass
class DeviceReading:
    """What came of a read: `values` by quantity in their units, `missing` with OCMF's letter
    instead; `model` and `base` (its ID register) of a SunSpec device.
    """

    values: dict[str, Decimal] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    model: int | None = None
    base: int = 0

    def lines(self) -> list[str]:
        """For people."""
        shown = []
        if self.model is not None:
            shown.append(f"SunSpec model {self.model} at {self.base}")
        for name in sorted({**self.values, **self.missing}):
            if name in self.values:
                shown.append(f"{name} {self.values[name]:f} {quantity.form(name)[0]}")
            else:
                letter = self.missing[name]
                shown.append(f"{name} -  ({letter}: {_MISSING.get(letter, 'not read')})")
        return shown


class ProfileReader:
    """One read of a device by the profile `name` of `firmware`; a context manager.

    `line` (baud, parity, stop bits) is how the profile says that the device leaves its maker;
    `is_sunspec`: its registers are searched for.
    Raises SettingsError for a profile that there is not, or that does not hold.
    """

    def __init__(self, firmware: Path, name: str) -> None:
        path = firmware / "profiles" / f"{name}.json"
        known = sorted(one.stem for one in path.parent.glob("*.json"))
        if not known:
            raise SettingsError(
                f"there are no profiles in {path.parent}", "name the firmware's folder (--firmware)"
            )
        if name not in known:
            raise SettingsError(f"{name!r} is no profile", f"take one of: {', '.join(known)}")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, str(firmware), _PROGRAM, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            first = self._said()
            baud, parity, stop_bits = first["line"]
            self.line: tuple[int, str, int] = (int(baud), str(parity), int(stop_bits))
            self.is_sunspec = bool(first["sunspec"])
            self._function = int(first["function"])
            self._pause_s = int(first["pause_ms"]) / _MS
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> "ProfileReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def read(self, ask: Ask) -> DeviceReading:
        """Everything that the profile has. Raises UnfitBoardError for a device that is not the
        profile's, and what `ask` raises.
        """
        reading = DeviceReading()
        while "values" not in (row := self._said()):
            if "ask" in row:
                address, count = row["ask"]
                self._answer(ask(self._function, address, count))
                time.sleep(self._pause_s)  # the rest that the device needs, by its profile
            elif "no_model" in row:
                raise _no_model(row["no_model"])
            else:
                reading.model, reading.base = int(row["model"]), int(row["base"])
        for name, value in row["values"].items():
            if isinstance(value, str):
                reading.missing[name] = value
            else:
                exponent10 = quantity.form(name)[1]
                reading.values[name] = Decimal(value).scaleb(exponent10).normalize()
        if not reading.values:
            raise UnfitBoardError(
                "nothing of this profile can be read",
                "see that the profile is that of the device, or name one register with --register",
            )
        return reading

    def _said(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            row: dict[str, Any] = json.loads(line)
        except ValueError as error:
            assert self._process.stderr is not None
            said = (self._process.stderr.read().splitlines() or ["nothing"])[-1]
            raise SettingsError(
                f"the firmware's reading of profiles cannot be run: {said[:200]}",
                "install wattle-grid[tools] again",
            ) from error
        if "error" in row:
            raise SettingsError(
                f"the firmware refuses the profile: {row['error']}",
                "mend it (firmware/PROFILES.md)",
            )
        return row

    def _answer(self, words: list[int] | None) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # why it ended is told where it is listened to
            self._process.stdin.write(json.dumps(words) + "\n")
            self._process.stdin.flush()

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=_END_S)


def _no_model(row: Mapping[str, Any]) -> UnfitBoardError:
    """`row`: the models wanted, the addresses tried, and the blocks that are there instead."""
    wanted = ", ".join(map(str, row["wanted"]))
    if not row["there"]:
        bases = ", ".join(map(str, row["bases"]))
        return UnfitBoardError(
            f"no SunSpec map begins at register {bases}",
            "see in the device's manual that SunSpec is switched on, and at which address",
        )
    there = ", ".join(f"{model} ({words} words)" for model, words in row["there"])
    return UnfitBoardError(
        f"its SunSpec map has no whole model {wanted}; it has {there}",
        "take the profile of its model: sunspec-201 for one phase, sunspec-203 for more",
    )


# (firmware, program, profile); the firmware's modules are never in this process.
_START = """
import sys
firmware, program, path = sys.argv[1:]
sys.path[:0] = [firmware, firmware + "/../protocol"]
__import__(program).main(path)
"""
