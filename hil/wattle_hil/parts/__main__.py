"""python -m wattle_hil.parts: fetches parts into the build folder, or renews the pins."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from wattle_hil.parts import emulated_board, host_program, interpreter, pins
from wattle_hil.parts.errors import PartError
from wattle_hil.parts.folder import build_folder, exclusive

_FETCH: Mapping[str, Callable[[Path], list[str]]] = {
    "micropython": interpreter.fetch,
    "mosquitto": partial(host_program.fetch, part=host_program.MOSQUITTO),
    "mbpoll": partial(host_program.fetch, part=host_program.MBPOLL),
    "board": emulated_board.fetch,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: all there (with --optional: or said why not); 1: a part cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m wattle_hil.parts", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[*_FETCH, []], help="what to fetch")
    parser.add_argument("--into", type=Path, help="the build folder (default: this checkout's)")
    parser.add_argument(
        "--optional", action="store_true", help="a part that cannot be had is no failure"
    )
    parser.add_argument(
        "--renew-pins", action="store_true", help="write pins.toml from what Debian offers now"
    )
    options = parser.parse_args(arguments)
    if options.renew_pins:
        return _renew_pins()
    return _fetch(options.part, options.into, optional=options.optional)


def _fetch(names: Sequence[str], into: Path | None, *, optional: bool) -> int:
    failed = False
    try:
        build = (into or build_folder()).absolute()
        with exclusive(build):
            for name in names:
                try:
                    notes = _FETCH[name](build)
                except PartError as error:
                    notes, failed = [str(error)], True
                for note in notes:
                    print(note, file=sys.stderr)
    except (PartError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if failed and not optional else 0


def _renew_pins() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            pins.write(pins.renew(Path(scratch)))
        except PartError as error:
            print(error, file=sys.stderr)
            return 1
    print(f"{pins.FILE} is renewed: look at it, run the tests, commit it", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
