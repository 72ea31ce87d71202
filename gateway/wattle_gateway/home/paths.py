"""What stands where in a gateway's folder."""

from pathlib import Path

from wattle_gateway.errors import HomeError

FOLDER_MODE = 0o700


class GatewayHome:
    """The folder of one gateway; `wattle-gateway init` makes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.config = self.folder / "config.toml"
        self.genesis = self.folder / "genesis.cbor"
        self.member = self.folder / "member.cbor"
        self.invitation = self.folder / "invitation.json"
        self.departed = self.folder / "departed"
        self.bundle = self.folder / "site.json"
        self.database = self.folder / "ledger.db"
        self.operation = self.folder / "operation.db"
        self.keys = self.folder / "keys"
        self.certificates = self.folder / "certificates"
        self.meter_certificates = self.certificates / "meters"
        self.technicians = self.certificates / "technicians"
        self.alarm_readers = self.certificates / "alarm-readers"
        self.revocations = self.certificates / "revoked.pem"
        self.broker = self.folder / "broker"
        self.answers = self.folder / "answers.json"
        self.admin_socket = self.folder / "admin.sock"
        self.lock = self.folder / "lock"

    def key(self, name: str) -> Path:
        """The file of a private key: block, link, checkpoint, authority, broker, gateway
        or peer."""
        return self.keys / f"{name}.pem"

    def certificate(self, name: str) -> Path:
        """The file of a certificate: authority, broker, gateway or peer."""
        return self.certificates / f"{name}.pem"

    def check(self) -> None:
        """Raise HomeError unless this is a folder that `init` made."""
        if not self.genesis.is_file():
            raise HomeError(
                f"{self.folder} is not a gateway's folder (no {self.genesis.name}); "
                "make one with `wattle-gateway init` or join an alliance"
            )
