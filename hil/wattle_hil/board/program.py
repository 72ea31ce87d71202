"""ROM images of programs for the emulated board."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from wattle_tools.errors import ImageError
from wattle_tools.image.compiler import compiled, package
from wattle_tools.image.romfs import rom_image

from wattle_hil.errors import BoardError


def image(packages: Sequence[Path], programs: Mapping[str, Path]) -> bytes:
    """The folders `packages` and the sources of `programs` (by module name), compiled, as an image.

    Raises BoardError with what the compiler said.
    """
    files: dict[str, bytes] = {}
    try:
        for folder in packages:
            files |= package(folder)
        files |= {f"{name}.mpy": compiled(source) for name, source in programs.items()}
    except ImageError as error:
        raise BoardError(str(error)) from error
    return rom_image(files)
