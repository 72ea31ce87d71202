"""One question and one answer over UDP; the same on every board that has a network."""

import asyncio
import socket

_ANSWER_BYTES_MAX = 512


async def ask(host: str, port: int, question: bytes, timeout_ms: int) -> bytes:
    """What `host`:`port` answers to `question`, 512 bytes at most.

    Raises OSError, also when nothing comes within `timeout_ms`. A name holds up every other task
    until the interpreter has looked it up: names.py does better.
    """
    address = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0][-1]
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        channel.setblocking(False)
        channel.connect(address)  # datagrams of anybody else are not for us
        channel.send(question)
        reader = asyncio.StreamReader(channel)
        answer: bytes = await asyncio.wait_for_ms(reader.read(_ANSWER_BYTES_MAX), timeout_ms)
        return answer
    except asyncio.TimeoutError:
        raise OSError("no answer from %s" % host) from None
    finally:
        channel.close()
