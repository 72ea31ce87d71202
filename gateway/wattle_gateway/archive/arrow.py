"""Arrow, loaded when it is first needed: a gateway without an archive does not pay its memory."""

import importlib
import importlib.util
from functools import cache
from typing import Any

from wattle_gateway.errors import ArchiveError

_NOT_INSTALLED = (
    "the archive needs pyarrow, which is not installed: `pip install wattle-grid[archive]`"
)


def check_installed() -> None:
    """Raises ArchiveError if Arrow is not there; does not load it."""
    if importlib.util.find_spec("pyarrow") is None:
        raise ArchiveError(_NOT_INSTALLED)


@cache
def arrow() -> Any:
    """The package pyarrow, with `parquet` and `fs`. Raises ArchiveError if it is not installed."""
    try:
        for part in ("pyarrow.parquet", "pyarrow.fs"):
            importlib.import_module(part)
        pa = importlib.import_module("pyarrow")
    except ImportError as error:
        raise ArchiveError(_NOT_INSTALLED) from error
    # A part is small, and the cores are for others: no threads, and what is freed goes back.
    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())
    return pa


def release() -> None:
    """Give back what Arrow has no use for between two parts."""
    arrow().default_memory_pool().release_unused()
