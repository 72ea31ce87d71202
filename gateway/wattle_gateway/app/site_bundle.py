"""site.json, which meters are given: what config.toml, members and their cards say now."""

import asyncio
from typing import TYPE_CHECKING

from wattle_gateway.home import bundle, durable_file
from wattle_gateway.runtime.logs import Log

if TYPE_CHECKING:
    from wattle_gateway.app.gateway import Gateway

# A full disk is not full for ever.
AGAIN_AFTER_S = 60.0

_log = Log("gateway")


def renew(gateway: "Gateway") -> None:
    """Write it if it has changed; if the folder does not take it, again in a while."""
    try:
        _renew(gateway)
    except OSError as error:
        _log.error("site.json is not written", error=error)
        asyncio.get_running_loop().call_later(AGAIN_AFTER_S, renew, gateway)


def _renew(gateway: "Gateway") -> None:
    everyone = gateway.epoch.everyone
    kids = [member.kid for member in everyone]
    text = bundle.render(
        gateway.identity.genesis,
        gateway.identity.member,
        gateway.config,
        gateway.identity.site_authority,
        everyone,
        () if gateway.peering is None else gateway.peering.book.cards_of(kids),
    )
    if gateway.home.bundle.read_text(encoding="utf-8") != text:
        durable_file.write(gateway.home.bundle, text.encode())
