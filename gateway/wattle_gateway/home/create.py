"""`wattle-gateway init`: a new ledger with a committee of one, and the gateway that runs it."""

import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway import config
from wattle_gateway.errors import HomeError
from wattle_gateway.home import bundle, durable_file
from wattle_gateway.home.paths import FOLDER_MODE, GatewayHome
from wattle_gateway.ledger import crypto, genesis
from wattle_gateway.pki import authority, keys
from wattle_gateway.store import connection

# The gateway itself reaches its embedded broker by these.
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")
ANY_ADDRESS = ("0.0.0.0", "::")


@dataclass(frozen=True)
class NewGateway:
    """What the operator chose. `hosts`: names and addresses of the broker, the meters' one first.

    `name` names ledger and member, `role` is a member role of SPEC section 9, `created_ms` the
    genesis time (Unix ms) that no block may stand before.
    """

    name: str
    site: str
    role: int
    hosts: Sequence[str]
    listen: str
    port: int
    broker_kind: str
    created_ms: int


def create(folder: Path, choice: NewGateway) -> GatewayHome:
    """Make the folder with keys, certificates, genesis, configuration and site.json.

    Raises HomeError if the folder exists and is not empty; it appears whole or not at all.
    """
    final = GatewayHome(folder)
    if final.folder.exists() and (not final.folder.is_dir() or any(final.folder.iterdir())):
        raise HomeError(f"{final.folder} exists and is not empty; expected a new folder")
    draft = GatewayHome(final.folder.with_name(f".{final.folder.name}.{secrets.token_hex(4)}"))
    try:
        draft.folder.mkdir(mode=FOLDER_MODE, parents=True)
        _fill(draft, choice)
        os.rename(draft.folder, final.folder)  # replaces an empty folder
        durable_file.sync_folder(final.folder.parent)
    except OSError as error:
        raise HomeError(f"{final.folder}: cannot be made: {error.strerror}") from error
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)
    return final


def _fill(home: GatewayHome, choice: NewGateway) -> None:
    for folder in (home.keys, home.certificates, home.meter_certificates, home.broker):
        folder.mkdir(mode=FOLDER_MODE)
    pairs = {name: keys.new_p256() for name in ("block", "link", "authority", "broker", "gateway")}
    checkpoint = keys.new_ed25519()
    for name, pair in pairs.items():
        keys.save_private(home.key(name), pair)
    keys.save_private(home.key("checkpoint"), checkpoint)
    durable_file.sync_folder(home.keys)
    site_authority = authority.SiteAuthority.create(pairs["authority"], choice.site)
    certificates = {
        "authority": site_authority.certificate,
        "broker": site_authority.issue_server(pairs["broker"].public_key(), _broker_names(choice)),
        "gateway": site_authority.issue_client(
            pairs["gateway"].public_key(), authority.GATEWAY_NAME
        ),
    }
    for name, certificate in certificates.items():
        durable_file.write(home.certificate(name), authority.pem(certificate))
    member = genesis.Member(
        choice.name,
        choice.role,
        crypto.public_of(pairs["block"]),
        crypto.public_of(pairs["link"]),
        keys.checkpoint_public(checkpoint),
        authority.der(site_authority.certificate),
    )
    first = genesis.create(choice.name, choice.created_ms, (member,))
    durable_file.write(home.genesis, first.raw)
    connection.create_ledger(home.database, first.ledger_id)
    connection.create_operation(home.operation, first.ledger_id)
    durable_file.write(home.config, config.render(_config_values(choice)).encode())
    # Loading what was written refuses a site or port that `run` would refuse later.
    loaded = config.load(home.config)
    durable_file.write(home.bundle, bundle.render(first, 0, loaded, site_authority).encode())


def _broker_names(choice: NewGateway) -> list[str]:
    """All names by which the broker is reached, each once, the meters' first."""
    listen = [] if choice.listen in ANY_ADDRESS else [choice.listen]
    return [*dict.fromkeys([*choice.hosts, *listen, *LOCAL_HOSTS])]


def _config_values(choice: NewGateway) -> dict[str, dict[str, str | int]]:
    return {
        "gateway": {"site": choice.site},
        "broker": {
            "kind": choice.broker_kind,
            "host": choice.hosts[0],
            "port": choice.port,
            "listen": choice.listen,
        },
    }
