"""A gateway's folder while it is being made: it appears whole or not at all."""

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wattle_wire import cbor, cose

from wattle_gateway import config
from wattle_gateway.config import EMBEDDED
from wattle_gateway.errors import HomeError
from wattle_gateway.home import bundle, durable_file
from wattle_gateway.home.own_certificates import ANY_ADDRESS
from wattle_gateway.home.paths import FOLDER_MODE, GatewayHome
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.genesis import Genesis, Member, member_row
from wattle_gateway.ledger.peer_card import PeerCard
from wattle_gateway.peers.address_book import AddressBook, Reach
from wattle_gateway.pki import authority, keys, peer_certificate, renewal
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing import storage_key
from wattle_gateway.store import connection
from wattle_gateway.store.operation_file import OperationFile

# The gateway itself reaches its embedded broker by these.
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")
_P256_KEYS = ("block", "link", "authority", "broker", "gateway", "peer")


@dataclass(frozen=True)
class NewGateway:
    """What the operator chose. `hosts`: names and addresses of the broker, the meters' one first.

    `storage_key`: where the key of a sealed folder is (`[storage] key`), "": it is not sealed.
    `name` names the member (and the ledger of one who founds it alone), `role` is a member role
    of SPEC section 9. `peers_listen` "": no other gateway connects to it.
    """

    name: str
    site: str
    role: int
    hosts: Sequence[str]
    listen: str
    port: int
    broker_kind: str = EMBEDDED
    peers_listen: str = ""
    peers_host: str = "127.0.0.1"
    peers_port: int = config.PEERS_PORT
    approve_enrolments: str = config.ASK
    storage_key: str = ""
    metrics_listen: str = ""


class Draft:
    """`furnish`, then `settle`, then `publish`; at last `discard`, which leaves what is public."""

    def __init__(self, folder: Path, choice: NewGateway) -> None:
        """Raises HomeError if the folder exists and is not empty."""
        self.final = GatewayHome(folder)
        self._choice = choice
        target = self.final.folder
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise HomeError(f"{target} exists and is not empty; expected a new folder")
        self.home = GatewayHome(target.with_name(f".{target.name}.{secrets.token_hex(4)}"))

    def furnish(self) -> Member:
        """Make keys and certificates; gives the row that the gateway has among members.

        Raises OSError, StorageKeyError.
        """
        home, choice = self.home, self._choice
        home.folder.mkdir(mode=FOLDER_MODE, parents=True)
        for folder in (home.keys, home.certificates, home.meter_certificates, home.broker):
            folder.mkdir(mode=FOLDER_MODE)
        if choice.storage_key:
            storage = storage_key.read(choice.storage_key, self.final.folder)
            rings.make(home.folder, storage, time.time_ns() // 1_000_000)
        pairs = {name: keys.new_p256() for name in _P256_KEYS}
        checkpoint = keys.new_ed25519()
        for name, pair in pairs.items():
            keys.save_private(home.key(name), pair)
        keys.save_private(home.key("checkpoint"), checkpoint)
        durable_file.sync_folder(home.keys)
        self._site_authority = authority.SiteAuthority.create(pairs["authority"], choice.site)
        self.member = Member(
            choice.name,
            choice.role,
            crypto.public_of(pairs["block"]),
            crypto.public_of(pairs["link"]),
            keys.checkpoint_public(checkpoint),
            authority.der(self._site_authority.certificate),
        )
        self._block_key = pairs["block"]
        issued = self._site_authority
        self._peer_certificate = peer_certificate.issue(pairs["peer"], self.member.kid)
        until = renewal.end_of_life(datetime.now(UTC))
        for name, certificate in {
            "authority": issued.certificate,
            "broker": issued.issue_server(
                pairs["broker"].public_key(), _broker_names(choice), until
            ),
            "gateway": issued.issue_client(
                pairs["gateway"].public_key(), authority.new_gateway_name(), until
            ),
            "peer": self._peer_certificate,
        }.items():
            durable_file.write(home.certificate(name), authority.pem(certificate))
        durable_file.write(home.member, cbor.encode(member_row(self.member)))
        return self.member

    def settle(self, genesis: Genesis, now_ms: int) -> PeerCard:
        """Make databases and configuration for a ledger; gives the gateway's peer card.

        Raises OSError, ConfigError, StoreError.
        """
        home, choice = self.home, self._choice
        durable_file.write(home.genesis, genesis.raw)
        connection.create_ledger(home.database, genesis.ledger_id)
        connection.create_operation(home.operation, genesis.ledger_id)
        durable_file.write(home.config, config.render(_config_values(choice)).encode())
        # Loading what was written refuses a site or port that `run` would refuse later.
        loaded = config.load(home.config)
        self._genesis, self._config = genesis, loaded
        operation = OperationFile(home.operation, genesis.ledger_id)
        try:
            return AddressBook(operation, genesis.ledger_id).own(
                cose.kid_of(self.member.block_key),
                crypto.signer(self._block_key),
                authority.der(self._peer_certificate),
                reach(loaded),
                now_ms,
            )
        finally:
            operation.close()

    def publish(self, members: Sequence[Member], cards: Iterable[PeerCard]) -> GatewayHome:
        """Write what is said of the others, and let the folder appear. Raises OSError."""
        ledger_id = self._genesis.ledger_id
        operation = OperationFile(self.home.operation, ledger_id)
        try:
            book = AddressBook(operation, ledger_id)
            for card in cards:
                book.take(card.raw)
            known = book.cards_of(member.kid for member in members)
        finally:
            operation.close()
        text = bundle.render(
            self._genesis, self.member, self._config, self._site_authority, members, known
        )
        durable_file.write(self.home.bundle, text.encode())
        os.rename(self.home.folder, self.final.folder)  # replaces an empty folder
        durable_file.sync_folder(self.final.folder.parent)
        rings.move(self.home.folder, self.final.folder)
        return self.final

    def discard(self) -> None:
        """Remove what was not published."""
        shutil.rmtree(self.home.folder, ignore_errors=True)


def reach(loaded: config.GatewayConfig) -> Reach:
    """Where a gateway is, as its peer card says."""
    peers, broker = loaded.peers, loaded.broker
    return Reach(peers.host, peers.port, broker.host, broker.port)


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
        "peers": {
            "listen": choice.peers_listen,
            "host": choice.peers_host,
            "port": choice.peers_port,
        },
        "alliance": {"approve_enrolments": choice.approve_enrolments},
        "storage": {"key": choice.storage_key},
        "metrics": {"listen": choice.metrics_listen},
    }
