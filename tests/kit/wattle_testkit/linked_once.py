"""A program is linked once for all tests of a run, in whichever process they are.

The whole firmware takes seconds, and some twenty tests begin with one. What comes of it follows
from the sources and from the linker, which stays the same while the tests run.
"""

import hashlib
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from wattle_tools.image import build
from wattle_tools.image.build import Image
from wattle_tools.image.linker.link import Source

Program = Callable[..., Image]


def remembering(program: Program, folder: Path) -> Program:
    """`build.program`, whose results are kept in a folder; errors are not."""

    def answer(parts: Sequence[Source], *words: str, **named: str) -> Image:
        try:
            contents = [(part.module, part.path.read_bytes()) for part in parts]
        except OSError:
            return program(parts, *words, **named)
        question = repr((contents, words, sorted(named.items()))).encode()
        kept = folder / f"{hashlib.sha256(question).hexdigest()}.pickle"
        if kept.exists():
            found = pickle.loads(kept.read_bytes())
            assert isinstance(found, Image)
            return found
        made = program(parts, *words, **named)
        fresh = kept.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(pickle.dumps(made))
        fresh.replace(kept)  # another process sees it whole or not at all
        return made

    return answer


@contextmanager
def linked_once(folder: Path) -> Iterator[None]:
    """While this lasts, `build` asks the folder first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "program", remembering(build.program, folder))
        yield
