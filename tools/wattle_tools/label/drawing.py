"""A label: 60 x 30 mm at 300 dpi, black and white, as PNG and as pages of a PDF.

Its QR code says `WATTLE:1:<METER>:<MAC>:<KEY>`, all hex digits upper-case, so that the code takes
its alphanumeric mode (ISO/IEC 18004) and stays coarse: meter id 16, MAC 12, SHA-256 of the meter's
public signing key 64 digits. The meter id is the beginning of KEY; people compare that.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import segno
from PIL import Image, ImageDraw, ImageFont

DPI = 300
WIDTH_MM, HEIGHT_MM = 60, 30
_MM_PER_INCH = 25.4
_MODULE_PX = 7  # 0.6 mm: label printers of 203 dpi and up keep it apart
_QUIET_MODULES = 4  # ISO/IEC 18004
_TEXT_PX, _SMALL_PX = 30, 24
_GAP_PX = 6
_FORMAT = "WATTLE:1"


@dataclass(frozen=True)
class Label:
    """`meter` id (16 hex digits), `mac` (6 bytes), SHA-256 of its public signing key (hex)."""

    meter: str
    mac: bytes
    key_sha256: str
    site: str

    @property
    def coded(self) -> str:
        """What the QR code says."""
        return f"{_FORMAT}:{self.meter}:{self.mac.hex()}:{self.key_sha256}".upper()


def png(label: Label) -> bytes:
    """The label as a PNG that knows its size."""
    output = io.BytesIO()
    _drawn(label).save(output, format="PNG", dpi=(DPI, DPI))
    return output.getvalue()


def pdf(labels: Sequence[Label], now: datetime) -> bytes:
    """One page a label, each of its size; at least one label."""
    first, *others = [_drawn(label) for label in labels]
    output = io.BytesIO()
    first.save(
        output,
        format="PDF",
        resolution=DPI,
        save_all=True,
        append_images=others,
        title="Wattle meters",
        creationDate=now.timetuple(),
        modDate=now.timetuple(),
    )
    return output.getvalue()


def _drawn(label: Label) -> Image.Image:
    size = (_pixels(WIDTH_MM), _pixels(HEIGHT_MM))
    image = Image.new("1", size, 1)
    code = segno.make_qr(label.coded, error="m", boost_error=False)
    drawn = io.BytesIO()
    code.save(drawn, kind="png", scale=_MODULE_PX, border=_QUIET_MODULES)
    with Image.open(drawn) as square:
        top = (size[1] - square.height) // 2
        assert top >= 0, "the code is higher than the label"
        image.paste(square.convert("1"), (0, top))
        left = square.width
    _write(ImageDraw.Draw(image), left, label)
    return image


def _write(draw: ImageDraw.ImageDraw, left: int, label: Label) -> None:
    key = label.key_sha256
    rows = [
        (_TEXT_PX, f"{label.meter[:8]} {label.meter[8:]}"),
        (_SMALL_PX, f"MAC {label.mac.hex(':')}"),
        (_SMALL_PX, label.site),
        (_SMALL_PX, "key"),
        *((_SMALL_PX, f"{key[at : at + 8]} {key[at + 8 : at + 16]}") for at in range(0, 64, 16)),
    ]
    y = _QUIET_MODULES * _MODULE_PX
    room = _pixels(WIDTH_MM) - left - _QUIET_MODULES * _MODULE_PX // 2
    for size, text in rows:
        # A site may have 32 wide letters.
        fitting = (one for one in range(size, 0, -1) if _width(text, one) <= room)
        draw.text((left, y), text, fill=0, font=ImageFont.load_default(next(fitting)))
        y += size + _GAP_PX


def _width(text: str, size: int) -> float:
    return ImageFont.load_default(size).getlength(text)


def _pixels(millimetres: int) -> int:
    return round(millimetres / _MM_PER_INCH * DPI)
