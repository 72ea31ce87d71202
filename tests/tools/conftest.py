"""No test of the tool writes into the folder of whoever runs it; what boards and who holds them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.clock import host_ms
from wattle_hil.devices.line import Line
from wattle_hil.parts import PartMissingError
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.program_image import interpreter_image
from wattle_testkit.meter_site import emulated_sdm120
from wattle_testkit.serial_boards import flashed_content, small_application
from wattle_testkit.technician import PASSWORD, Technician, technician


@pytest.fixture(autouse=True)
def tool_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tool's folder of this test."""
    folder = tmp_path_factory.mktemp("tool")
    monkeypatch.setenv("WATTLE_TOOL_HOME", str(folder))
    monkeypatch.setenv("WATTLE_TECHNICIAN", "ada")
    return folder


@pytest.fixture
def wifi_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the network that `technician.WIFI` names."""
    monkeypatch.setenv("WATTLE_WIFI_PASSWORD", PASSWORD)


@pytest.fixture
def ada(tmp_path: Path, tool_home: Path, wifi_password: None) -> Technician:
    """A technician who has added the site and knows the network's password."""
    found = technician(tmp_path, tool_home)
    found.add_site()
    return found


@pytest.fixture(scope="session")
def micropython() -> None:
    """What emulated boards run."""
    try:
        parts.micropython(64)
    except PartMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def bench(tmp_path: Path, micropython: None) -> Iterator[BoardBench]:
    """Cables for boards."""
    folder = tmp_path / "boards"
    folder.mkdir()
    with BoardBench(folder) as bench:
        yield bench


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """A metering device: unit 1 under 2300 W."""
    with Line(tmp_path / "line", [emulated_sdm120(host_ms() - 1_000)], host_ms) as line:
        yield line


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, micropython: None) -> bytes:
    """What a flashed board has in flash."""
    folder = tmp_path_factory.mktemp("flashed")
    return flashed_content(folder, interpreter_image(), small_application())
