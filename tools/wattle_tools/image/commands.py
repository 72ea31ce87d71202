"""`wattle-tool image` and `wattle-tool traceback`: what a board carries, and what it said."""

import argparse
import json
import sys
from pathlib import Path

from wattle_tools import device, dry_run
from wattle_tools.boards.arguments import add_json_argument
from wattle_tools.errors import ImageError
from wattle_tools.image import build, sources
from wattle_tools.image.linker import readable

_DONE = 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds both to the commands of wattle-tool."""
    image = commands.add_parser(
        "image", help="make the program of a board: one compiled file, and the names in it"
    )
    image.add_argument("folder", type=Path, help="where to write it, made if absent")
    image.add_argument(
        "--probe", action="store_true", help="what says who answers on an ESP32's line instead"
    )
    _add_source(image)
    dry_run.add_argument(image)
    add_json_argument(image)
    image.set_defaults(run=_image)
    traceback = commands.add_parser(
        "traceback", help="a board's log or traceback with the names of the sources"
    )
    traceback.add_argument("log", type=Path, nargs="?", help="default: standard input")
    traceback.add_argument(
        "--names",
        type=Path,
        help=f"the {build.NAMES_SUFFIX} of its version (default: of this checkout)",
    )
    _add_source(traceback)
    add_json_argument(traceback)
    traceback.set_defaults(run=_traceback)


def _add_source(parser: argparse.ArgumentParser) -> None:
    kinds = (sources.ESP32, sources.LINUX)
    parser.add_argument("--board", choices=kinds, default=sources.ESP32, help="default: esp32")
    parser.add_argument("--firmware", type=Path, help="default: of this installation")


def _image(options: argparse.Namespace) -> int:
    firmware = _firmware(options)
    made = build.probe(firmware) if options.probe else build.image(firmware, options.board)
    names_file = options.folder / f"{made.entry}{build.NAMES_SUFFIX}"
    sizes: dict[str, object] = {name: len(data) for name, data in made.files.items()}
    if options.dry_run:
        would = [f"write {options.folder / name}, {size} bytes" for name, size in sizes.items()]
        return dry_run.tell(options.json, [*would, f"write {names_file}"], {"files": sizes})
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        for name, data in made.files.items():
            (options.folder / name).write_bytes(data)
        names_file.write_text(made.names.text(), encoding="utf-8")
    except OSError as error:
        raise ImageError(
            f"{options.folder}: cannot be written: {error.strerror}", "name a folder of yours"
        ) from error
    if options.json:
        print(json.dumps({"files": sizes, "names": str(names_file)}, indent=1))
        return _DONE
    for name, size in sizes.items():
        print(f"{name} {size} bytes, names in {names_file.name}")
    return _DONE


def _traceback(options: argparse.Namespace) -> int:
    if options.names is None:
        names = build.image(_firmware(options), options.board).names
    else:
        names = readable.load(options.names)
    try:
        log = sys.stdin.buffer.read() if options.log is None else options.log.read_bytes()
    except OSError as error:
        raise ImageError(
            f"{options.log}: cannot be read: {error.strerror}", "name a board's log"
        ) from error
    lines = names.lines(log.decode("utf-8", "replace").splitlines())
    if options.json:
        print(json.dumps({"lines": list(lines)}, indent=1))
        return _DONE
    for line in lines:
        print(line)
    return _DONE


def _firmware(options: argparse.Namespace) -> Path:
    folder: Path = options.firmware or device.firmware_folder()
    return folder
