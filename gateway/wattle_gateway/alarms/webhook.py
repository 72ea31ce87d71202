"""Sends alarms to an address by POST, in a thread of its own; what cannot be sent is tried again.

Whoever receives them may be away or slow for long: messages wait in a short queue, the oldest go
first when it is full, and each names all that is active, so that the newest one suffices.
"""

import asyncio
import ssl
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from wattle_gateway.errors import ConfigError
from wattle_gateway.runtime.logs import Log

# For each of connecting, sending and waiting for the answer.
POST_DEADLINE_S = 10.0
# Five attempts within a quarter of an hour.
RETRY_PAUSES_S = (5.0, 30.0, 120.0, 600.0)
# More than there are kinds of alarms, each raised and cleared.
WAITING_MAX = 64
SECRET_BYTES_MAX = 4_096

SENT = "sent"
FAILED = "failed"
DROPPED = "dropped"
OUTCOMES = (SENT, FAILED, DROPPED)

_log = Log("alarms")

Post = Callable[[bytes], None]


class Webhook:
    """`tell` queues a message, `run` sends until cancelled."""

    def __init__(self, post: Post, host: str, pauses_s: Sequence[float] = RETRY_PAUSES_S) -> None:
        """`post` sends one body or raises OSError; `host` is what the log may name."""
        self._post = post
        self._host = host
        self._pauses_s = pauses_s
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self.counts = dict.fromkeys(OUTCOMES, 0)

    def tell(self, body: bytes) -> None:
        """Send this as soon as what came before is sent or given up."""
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self.counts[DROPPED] += 1
        self._waiting.append(body)
        self._news.set()

    async def run(self) -> None:
        """Send what waits, one after the other."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="webhook")
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._waiting:
                    await self._deliver(self._waiting.popleft(), thread)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    async def _deliver(self, body: bytes, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        for pause_s in (*self._pauses_s, None):
            try:
                await loop.run_in_executor(thread, self._post, body)
            except OSError as error:
                if pause_s is None:
                    self.counts[FAILED] += 1
                    _log.error("the webhook takes no alarm", host=self._host, error=error)
                    return
                _log.debug("the webhook is tried again", host=self._host, error=error)
                await asyncio.sleep(pause_s)
            else:
                self.counts[SENT] += 1
                return


def open_webhook(url: str, secret_file: Path | None) -> Webhook:
    """The webhook at `url`; the one line of `secret_file`, if any, is its bearer token.

    Raises ConfigError for a secret that cannot be read or sent.
    """
    secret = "" if secret_file is None else _secret(secret_file)
    return Webhook(lambda body: post(url, secret, body), urlsplit(url).hostname or "")


def post(url: str, secret: str, body: bytes) -> None:
    """One POST. OSError unless the answer is 2xx: a redirection is none, it would take the secret
    along to somebody else. Certificates are verified."""
    headers = {"Content-Type": "application/json", "User-Agent": "wattle-gateway"}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), _NoRedirects()
    )
    try:
        with opener.open(request, timeout=POST_DEADLINE_S) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"it answered {error.code}") from None
    except urllib.error.URLError as error:
        raise OSError(str(error.reason)) from None
    except (ValueError, EOFError) as error:
        raise OSError(f"no HTTP answer: {type(error).__name__}") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        return None


def _secret(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the webhook's secret: {error.strerror}") from error
    text = raw.decode("ascii", errors="replace").strip()
    if not 1 <= len(raw) <= SECRET_BYTES_MAX or not text.isprintable() or " " in text or not text:
        raise ConfigError(
            f"{path}: expected one line of printable ASCII without blanks, "
            f"at most {SECRET_BYTES_MAX} bytes"
        )
    if not text.isascii():
        raise ConfigError(f"{path}: the webhook's secret is not ASCII")
    return text
