"""SLIP (RFC 1055): frames of the ESP32's serial loader on a line that also carries other bytes."""

_END, _ESCAPE, _ESCAPED_END, _ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD
# The longest command is a block of 0x4000 bytes for the stub, with its headers.
FRAME_BYTES_MAX = 0x5000


def encoded(payload: bytes) -> bytes:
    """A frame with END on both sides, as the loader sends it."""
    inside = payload.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + inside + b"\xc0"


class FrameReader:
    """Takes bytes as they come and gives whole frames; what is no frame is dropped."""

    def __init__(self) -> None:
        self._frame: bytearray | None = None
        self._escaped = False

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads of the frames that end in `data`."""
        frames = []
        for byte in data:
            if byte == _END:
                if self._frame:
                    frames.append(bytes(self._frame))
                    self._frame = None
                else:
                    self._frame = bytearray()
                self._escaped = False
            elif self._frame is not None:
                self._take(self._frame, byte)
        return frames

    def _take(self, frame: bytearray, byte: int) -> None:
        if self._escaped:
            self._escaped = False
            frame.append({_ESCAPED_END: _END, _ESCAPED_ESCAPE: _ESCAPE}.get(byte, byte))
        elif byte == _ESCAPE:
            self._escaped = True
        else:
            frame.append(byte)
        if len(frame) > FRAME_BYTES_MAX:
            self._frame = None
