"""TLS connections over MicroPython's own sockets; the same on every board that has a network."""

import asyncio
import gc

import tls

from wattle_meter.board import Stream


class TlsStream(Stream):
    """A TLS connection that both sides have proved themselves on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, limit: int) -> bytes:
        data: bytes = await self._reader.read(limit)
        return data

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        try:
            self._writer.close()
            await self._writer.wait_closed()
        except OSError:
            pass  # the peer has gone first


def context(trusted: bytes, certificate: bytes, key: bytes) -> tls.SSLContext:
    """What connections to one broker share; all arguments DER.

    `trusted`: certificate of the authority that the broker's must come from; `certificate` and
    `key`: the meter's own. Raises ValueError for what the TLS library cannot read.
    """
    result = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    result.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined]  # missing in the stubs
    result.load_verify_locations(trusted)
    result.load_cert_chain(certificate, key)
    return result


async def dial(host: str, port: int, shared: tls.SSLContext, server_name: str) -> TlsStream:
    """Connects to `host`:`port`, whose certificate must be for `server_name`.

    The handshake happens with the first bytes, so its errors come from read() or write(): OSError
    with an mbedTLS number (negative), ValueError for a wrong name. Raises OSError.
    """
    gc.collect()  # a connection stays for hours: behind garbage it would cut the heap in two
    reader, writer = await asyncio.open_connection(
        host, port, ssl=shared, server_hostname=server_name
    )
    return TlsStream(reader, writer)
