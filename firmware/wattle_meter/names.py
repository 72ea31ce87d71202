"""Addresses of hosts, asked of name servers without holding up the meter (RFC 1035, IPv4).

The interpreter's own look-up waits for the answer, up to 15 s when there is none, and nobody
reads a device meanwhile. It is left to what a name server cannot tell: names without a dot, which
are completed by the host, and those of multicast DNS (RFC 6762).

An answer proves nothing and need not: TLS asks for the host's certificate.
"""

from wattle_meter.board import Random

PORT = 53
ANSWER_MS = 3000
SERVERS_MAX = 3  # as many as a resolver's file names
# A gateway has one name, and there are few gateways and time servers (config.py).
_KNOWN_MAX = 16
_HEAD_BYTES = 12
_LABEL_CHARS_MAX = 63
_ADDRESS, _INTERNET = 1, 1
_ASKED = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"  # a question, recursion desired
_POINTER = 0xC0


class Names:
    """`servers()` gives the name servers there are now, as "address" or "address:port";
    `ask(address, port, question, timeout_ms)` the answer to one datagram.
    """

    def __init__(self, servers, ask, random: Random) -> None:  # type: ignore[no-untyped-def]
        self._servers = servers
        self._ask = ask
        self._random = random
        self._known: dict[str, str] = {}  # what was found last, for when nobody answers

    async def address_of(self, host: str) -> str:
        """An address of `host`, or `host` itself if that is one or the interpreter must look.

        Raises OSError if no server knows the name.
        """
        servers = self._servers()[:SERVERS_MAX]
        if _is_address(host) or "." not in host or host.endswith(".local") or not servers:
            return host
        nonce = self._random.bytes(2)
        asked = question(host, nonce)
        for server in servers:
            name, _, port = server.partition(":")
            try:
                answer = await self._ask(name, int(port or PORT), asked, ANSWER_MS)
            except OSError:
                continue
            found = address_in(answer, asked)
            if found is not None:
                if host not in self._known and len(self._known) >= _KNOWN_MAX:
                    self._known.clear()
                self._known[host] = found
                return found
        if host in self._known:
            return self._known[host]
        raise OSError("no address of %s" % host)


def question(host: str, nonce: bytes) -> bytes:
    """The datagram that asks for the address of `host`. Raises OSError for what is no name."""
    packet = nonce + _ASKED
    for label in host.encode().rstrip(b".").split(b"."):
        if not 1 <= len(label) <= _LABEL_CHARS_MAX:
            raise OSError("%s is no name of a host" % host)
        packet += bytes((len(label),)) + label
    return packet + bytes((0, 0, _ADDRESS, 0, _INTERNET))


def address_in(answer: bytes, asked: bytes) -> str | None:
    """The first address that `answer` gives, None if it is not one to `asked` or gives none."""
    end = len(asked)
    if len(answer) < end or answer[:2] != asked[:2] or not answer[2] & 0x80 or answer[3] & 0x0F:
        return None
    if answer[4:6] != asked[4:6] or answer[_HEAD_BYTES:end].lower() != asked[_HEAD_BYTES:].lower():
        return None
    for _ in range(answer[6] << 8 | answer[7]):
        while end < len(answer) and 0 < answer[end] < _POINTER:
            end += 1 + answer[end]
        end += 2 if answer[end : end + 1] >= b"\xc0" else 1
        if end + 10 > len(answer):
            return None
        size = answer[end + 8] << 8 | answer[end + 9]
        data = answer[end + 10 : end + 10 + size]
        if answer[end : end + 4] == b"\x00\x01\x00\x01" and len(data) == size == 4:
            return ".".join([str(number) for number in data])
        end += 10 + size
    return None


def _is_address(host: str) -> bool:
    """Whether `host` is an IPv4 address."""
    return all(char in "0123456789." for char in host)
