"""Which interpreter images are known by their hash, and what becomes of one that is not."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from wattle_tools.errors import InterpreterImageError
from wattle_tools.flash.interpreter_image import InterpreterImage

_SHIPPED = Path(__file__).with_name("known_images.toml")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# So many digits of a hash are no accident.
ACCEPT_DIGITS_MIN = 16


def known_hashes(lists: Sequence[Path]) -> dict[str, str]:
    """SHA-256 (hex) -> file name, of the list that comes with the tool and of `lists`.

    Raises InterpreterImageError for a list that cannot be read.
    """
    found: dict[str, str] = {}
    for path in (_SHIPPED, *lists):
        try:
            rows = tomllib.loads(path.read_text(encoding="utf-8")).get("image", [])
        except (OSError, ValueError) as error:
            raise _bad_list(path, str(error)) from error
        for row in rows if isinstance(rows, list) else [rows]:
            digest = row.get("sha256") if isinstance(row, dict) else None
            if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
                raise _bad_list(path, "an image without sha256 of 64 hex digits")
            found[digest] = str(row.get("file", ""))
    return found


def check_known(image: InterpreterImage, known: dict[str, str], accepted: str | None) -> None:
    """Raises InterpreterImageError unless the image is known, or `accepted` is its hash.

    accepted: the SHA-256 in hex, or its first digits, ACCEPT_DIGITS_MIN at least.
    """
    if accepted is not None:
        if len(accepted) >= ACCEPT_DIGITS_MIN and image.sha256.startswith(accepted.lower()):
            return
        raise InterpreterImageError(
            f"{image.path} has SHA-256 {image.sha256}, not the accepted {accepted}",
            f"compare it with its source; --accept-image takes {ACCEPT_DIGITS_MIN} digits or more",
        )
    if image.sha256 not in known:
        raise InterpreterImageError(
            f"{image.path} is not known: SHA-256 {image.sha256}",
            "compare the hash with a source that you trust, "
            f"then say --accept-image {image.sha256[:ACCEPT_DIGITS_MIN]}",
        )


def _bad_list(path: Path, why: str) -> InterpreterImageError:
    return InterpreterImageError(
        f"{path}: no list of known images: {why}",
        "give it the form of the list that comes with the tool (known_images.toml)",
    )
