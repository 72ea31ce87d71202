"""The adapter of `read` and `set`, by the name that it keeps."""

import json
from pathlib import Path

import pytest
from wattle_tools.cli import main
from wattle_tools.modbus import adapter

NAME = "usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0"


@pytest.fixture
def by_id(tmp_path: Path) -> Path:
    """One adapter, ttyUSB0, with its link, and a line without one, ttyS0."""
    folder = tmp_path / "by-id"
    folder.mkdir()
    for name in ("ttyUSB0", "ttyS0"):
        (tmp_path / name).touch()
    (folder / NAME).symlink_to(tmp_path / "ttyUSB0")
    return folder


def test_a_line_is_called_by_its_lasting_name(by_id: Path, tmp_path: Path) -> None:
    lasting = str(by_id / NAME)
    for port in (lasting, NAME, str(tmp_path / "ttyUSB0")):
        assert adapter.lasting(port, by_id) == lasting
    for port in (str(tmp_path / "ttyS0"), str(tmp_path / "away"), "ttyUSB9"):
        assert adapter.lasting(port, by_id) == port
    assert adapter.lasting(str(tmp_path / "ttyS0"), tmp_path / "none") == str(tmp_path / "ttyS0")


@pytest.mark.parametrize("given", [NAME, "ttyUSB0"])
def test_what_is_set_is_recorded_by_that_name(
    by_id: Path,
    tmp_path: Path,
    given: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(adapter, "BY_ID", by_id)
    port = given if given == NAME else str(tmp_path / given)
    # It is a file, no line: that is told, and recorded, under the name that lasts.
    assert main(["set", port, "--register", "1", "--value", "2"]) == 4
    assert f"{by_id / NAME} cannot be opened" in capsys.readouterr().err
    assert main(["audit", "--action", "set", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)["entries"]
    assert {entry["facts"]["port"] for entry in entries} == {str(by_id / NAME)}
