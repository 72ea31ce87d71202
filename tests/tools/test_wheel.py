"""The wheel has what runs on boards inside it, and finds it there."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from wattle_tools.device import firmware_folder
from wattle_tools.image.sources import device_files

ROOT = Path(__file__).resolve().parents[2]
SHARED = (
    "man/man1/wattle-tool.1",
    "bash-completion/completions/wattle-tool",
    "zsh/site-functions/_wattle-tool",
    "fish/vendor_completions.d/wattle-tool.fish",
)
ASK = """
import wattle_tools.device as device, wattle_tools.image.sources as sources
from wattle_tools.modbus.as_meter import ProfileReader
folder = device.firmware_folder()
with ProfileReader(folder, "sunspec-203") as reader: print(reader.line)
print(folder)
for kind in ("esp32", "linux"):
    for file in sources.device_files(folder, kind):
        print(file.path)
"""


def test_an_installed_wheel_finds_the_sources_of_the_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    [shared] = installed.glob("*.data/data/share")
    for path in SHARED:
        assert (shared / path).read_bytes() == (ROOT / "tools" / "share" / path).read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    )
    line, *places = done.stdout.splitlines()
    # Profiles are read there, too: by the firmware's own program, in a process of its own.
    assert line == "(9600, 'N', 1)"
    folder, *paths = map(Path, places)
    assert folder == installed / "wattle_tools" / "device" / "firmware"
    assert all(path.is_relative_to(installed) for path in paths)
    here = [
        file.path for kind in ("esp32", "linux") for file in device_files(firmware_folder(), kind)
    ]
    assert [path.name for path in paths] == [path.name for path in here]
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in here]
    for name in ("main.py", "profiles/sdm630.json", "loads/relay-2kw.json"):
        assert (folder / name).read_bytes() == (ROOT / "firmware" / name).read_bytes()


def test_a_checkout_uses_its_own_firmware() -> None:
    assert firmware_folder() == ROOT / "firmware"
