"""/metrics, /healthz and /readyz of a gateway, out of readings that the caller takes."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from wattle_gateway.metrics import exposition, readiness
from wattle_gateway.metrics.http_server import Answer, Response
from wattle_gateway.metrics.reading import Reading


def endpoints(
    read: Callable[[], Awaitable[Reading]], ledger_answers: Callable[[], Awaitable[bool]]
) -> dict[str, Answer]:
    """The answers by path. `read` looks at the gateway; `ledger_answers` says whether the
    ledger's thread does anything at all."""

    async def metrics(accept: str) -> Response:
        content_type, body = exposition.render(await read(), accept)
        return Response(HTTPStatus.OK, content_type, body)

    async def alive(_accept: str) -> Response:
        """That this runs at all shows the event loop; the ledger has a thread of its own."""
        answers = await ledger_answers()
        reasons = {} if answers else {readiness.LEDGER: "the ledger's thread does not answer"}
        return _verdict("alive", reasons)

    async def ready(_accept: str) -> Response:
        return _verdict("ready", readiness.not_ready(await read()))

    return {"/metrics": metrics, "/healthz": alive, "/readyz": ready}


def _verdict(name: str, reasons: dict[str, str]) -> Response:
    body = json.dumps({name: not reasons, "reasons": reasons}) + "\n"
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    return Response(status, "application/json", body.encode())
