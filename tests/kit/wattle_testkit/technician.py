"""A technician at a site: the tool's folder with the site added, and an authority if wanted."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from wattle_gateway.ledger import crypto
from wattle_gateway.pki import authority, keys
from wattle_gateway.pki.authority import SiteAuthority
from wattle_tools.cli import main

SITE = "substation-7"
PASSWORD = "gum tree, old and hollow"
WIFI = ("--board", "esp32-devkitc", "--wifi", "yard")


@dataclass
class Technician:
    """`root` is the gateway's site authority; site.json and the authority lie in `folder`."""

    folder: Path
    home: Path
    root: SiteAuthority
    ledger_id: bytes = bytes(range(16))

    @property
    def site_json(self) -> Path:
        """What the operator gave."""
        path = self.folder / "site.json"
        link = crypto.public_of(keys.new_p256()).hex()
        der = base64.b64encode(authority.der(self.root.certificate)).decode()
        row = {"name": "grid", "host": "gateway.example", "port": 8_883, "link_key": link}
        content = {
            "format": 1,
            "ledger_name": "test",
            "ledger_id": self.ledger_id.hex(),
            "site": SITE,
            "gateways": [{**row, "authority_der_base64": der}],
            "members": [
                {"name": "m", "role": 1, "block_key": crypto.public_of(keys.new_p256()).hex()}
            ],
        }
        if not path.exists():
            path.write_text(json.dumps(content))
        return path

    def add_site(self) -> None:
        """`wattle-tool site add`."""
        assert main(["site", "add", str(self.site_json)]) == 0

    def authority_file(self, site: str = SITE, ago: timedelta = timedelta(0)) -> Path:
        """What the operator makes of the request of SITE, for the site that is named."""
        request = (self.home / "sites" / SITE / "request.pem").read_bytes()
        public = x509.load_pem_x509_csr(request).public_key()
        made = self.root.issue_technician(
            public,  # type: ignore[arg-type]
            site,
            "ada",
            datetime.now(UTC) - ago,
        )
        path = self.folder / "authority.pem"
        path.write_bytes(authority.pem(made))
        return path

    def take_authority(self, ago: timedelta = timedelta(0)) -> None:
        """`wattle-tool site authority`."""
        assert main(["site", "authority", SITE, str(self.authority_file(ago=ago))]) == 0


def technician(folder: Path, home: Path) -> Technician:
    """A technician who has been nowhere yet."""
    return Technician(folder, home, SiteAuthority.create(keys.new_p256(), "grid"))
