"""site.json, which meters are given: what config.toml, members and their cards say now."""

from typing import TYPE_CHECKING

from wattle_gateway.home import bundle, durable_file

if TYPE_CHECKING:
    from wattle_gateway.app.gateway import Gateway


def renew(gateway: "Gateway") -> None:
    """Write it if it has changed; OSError if the folder does not take it."""
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
