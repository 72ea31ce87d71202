"""How much flash the firmware takes, compiled as its manifest says."""

import ast
from pathlib import Path

from wattle_tools.image import build
from wattle_tools.image.sources import DeviceFile, device_files

FIRMWARE = Path(__file__).parents[2] / "firmware"

# A ratchet: what the code takes today. The aim is 64 kB; firmware/DECISIONS.md says what is left.
CODE_BYTES_MAX = 103_900
_NAMED = 8


def test_compiled_code_keeps_within_its_flash() -> None:
    sizes = {path: len(data) for path, data in build.image(FIRMWARE).files.items()}
    biggest = sorted(sizes, key=lambda path: -sizes[path])[:_NAMED]
    total = sum(sizes.values())
    listed = ", ".join(f"{path} {sizes[path]}" for path in biggest)
    assert total <= CODE_BYTES_MAX, f"{total} bytes compiled; the biggest: {listed}"


def test_a_board_carries_what_its_program_imports_and_nothing_else() -> None:
    files = {file.module: file for file in device_files(FIRMWARE)}
    reached: set[str] = set()
    waiting = ["main"]
    while waiting:
        name = waiting.pop()
        if name in files and name not in reached:
            reached.add(name)
            waiting += _imports(files[name])
    packages = {"wattle_wire", "wattle_meter"}
    assert reached | packages == set(files)
    missing = {
        name
        for file in files.values()
        for name in _imports(file)
        if name.partition(".")[0] in packages and not _is_attribute(name, files)
    }
    assert not missing, "imported, but not in firmware/manifest.py"


def _imports(file: DeviceFile) -> list[str]:
    """Names of what a file imports; `from a import b` may mean the module a.b."""
    names = []
    for node in ast.walk(ast.parse(file.path.read_text())):
        match node:
            case ast.Import(names=aliases):
                names += [alias.name for alias in aliases]
            case ast.ImportFrom(module=str() as module, names=aliases):
                names += [module, *(f"{module}.{alias.name}" for alias in aliases)]
    return names


def _is_attribute(name: str, files: dict[str, DeviceFile]) -> bool:
    """Whether `name` is a module of the image or something inside one."""
    return name in files or name.rpartition(".")[0] in files.keys() - {"wattle_wire"}
