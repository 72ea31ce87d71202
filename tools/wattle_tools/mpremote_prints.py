"""mpremote prints what it could not read; in a table or in JSON that has no place."""

import contextlib
import io
from collections.abc import Iterator


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """Inside it, what is printed goes nowhere; take hold of sys.stdout before."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
