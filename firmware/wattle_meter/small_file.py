"""Reading whole files of a known greatest size into a small heap."""

from wattle_meter.errors import MeterError

_END = 2  # whence of seek


class FileTooLargeError(MeterError):
    """A file that is larger than what a board may spend on it."""


def read(path: str, bytes_max: int) -> bytes:
    """The bytes of the file at `path`. Raises FileTooLargeError, OSError.

    Sized by the file: read(n) would ask the heap for n bytes in one piece first.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - so that only its own error gets the name added
    except OSError as error:
        raise OSError(error.args[0], path) from None  # MicroPython's does not say which file
    try:
        size = file.seek(0, _END)
        if size > bytes_max:
            raise FileTooLargeError(
                "%s: %d bytes, expected at most %d" % (path.split("/")[-1], size, bytes_max)
            )
        file.seek(0)
        data: bytes = file.read(size)
        return data
    finally:
        file.close()
