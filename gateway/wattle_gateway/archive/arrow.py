"""Arrow, loaded when it is first needed: 55 MB that a gateway without an archive does not pay."""

import importlib
import importlib.util
from typing import Any

from wattle_gateway.errors import ArchiveError

_NOT_INSTALLED = (
    "the archive needs pyarrow, which is not installed: `pip install wattle-grid[archive]`"
)


def check_installed() -> None:
    """Raises ArchiveError if Arrow is not there; does not load it."""
    if importlib.util.find_spec("pyarrow") is None:
        raise ArchiveError(_NOT_INSTALLED)


def arrow() -> Any:
    """The package pyarrow, with `parquet` and `fs`. Raises ArchiveError if it is not installed."""
    try:
        for part in ("pyarrow.parquet", "pyarrow.fs"):
            importlib.import_module(part)
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise ArchiveError(_NOT_INSTALLED) from error
