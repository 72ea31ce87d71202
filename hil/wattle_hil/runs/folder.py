"""Where the files of a run stand; a run that is over can be checked and reported again."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from wattle_hil.errors import RunError
from wattle_hil.parts import PartMissingError
from wattle_hil.parts.folder import build_folder


def new_folder(kind: str) -> Path:
    """A name for the folder of a run, by kind and time, under the build folder.

    Raises RunError when there is no build folder.
    """
    try:
        build = build_folder()
    except PartMissingError as error:
        raise RunError(f"{error}, or give --out") from error
    return build / "runs" / f"{kind}-{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}"


class RunFolder:
    """The folder of one run. It must be new: a ledger is never mixed with an older one's files."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.clock = self.path / "clock.json"
        self.curves = self.path / "curves"
        self.logs = self.path / "logs"
        self.lines = self.path / "lines"
        self.boards = self.path / "boards"
        self.status = self.path / "status"
        self.run = self.path / "run.json"
        self.points = self.path / "points.json"
        self.meters = self.path / "meters.csv"
        self.samples = self.path / "samples.csv"
        self.events = self.path / "events"
        self.followed = self.logs / "followed.csv"
        self.energy_check = self.path / "energy_check.json"

    @property
    def shown(self) -> str:
        """The path for people: from here, where that is shorter."""
        return min(str(self.path), os.path.relpath(self.path), key=len)

    def create(self) -> None:
        """Makes the folder and those in it. Raises RunError when there is something already."""
        try:
            if self.path.exists() and any(self.path.iterdir()):
                raise RunError(f"{self.path} is not empty, expected a new folder")
            for folder in (self.curves, self.logs, self.lines, self.boards, self.status):
                folder.mkdir(parents=True)
        except OSError as error:
            raise RunError(f"{self.path} cannot be made: {error}") from error

    def gateway_of(self, number: int) -> Path:
        """The folder of gateway `number` (from 1) of the run."""
        return self.path / ("gateway" if number == 1 else f"gateway-{number}")

    def gateways(self) -> list[Path]:
        """The folders of all gateways that the run had. Raises RunError for none."""
        found: list[Path] = []
        while (folder := self.gateway_of(len(found) + 1)).is_dir():
            found.append(folder)
        if not found:
            raise RunError(f"{self.gateway_of(1)} is not there, expected the folder of a run")
        return found

    def board(self, meter: str) -> Path:
        """The folder that is a meter's flash."""
        return self.boards / meter

    def line(self, meter: str) -> Path:
        """The serial port of a meter."""
        return self.lines / meter

    def meter_status(self, meter: str) -> Path:
        """Where a meter writes its counters."""
        return self.status / f"{meter}.json"

    def log(self, process: str) -> Path:
        """The log of a process."""
        return self.logs / f"{process}.log"


@dataclass(frozen=True)
class PointNote:
    """What people call a point, and the device that measures it."""

    meter: str
    device: int
    load: str
    model: str


@dataclass(frozen=True)
class RunNote:
    """What a run was, for its report: run.json."""

    title: str
    command: str
    started: str
    seed: int | None
    speed: int
    points: tuple[PointNote, ...]

    def write(self, path: Path) -> None:
        """Raises RunError when it cannot be written."""
        try:
            path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise RunError(f"{path} cannot be written: {error}") from error

    @classmethod
    def read(cls, path: Path) -> "RunNote":
        """Raises RunError when the file is not there or something else."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            points = tuple(PointNote(**point) for point in content.pop("points"))
            return cls(**content, points=points)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunError(f"{path} is not the note of a run: {error}") from error
