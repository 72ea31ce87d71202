"""What the doctor finds of encryption at rest."""

from wattle_gateway.errors import ConfigError, HomeError, StorageKeyError
from wattle_gateway.home import sealing
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.reports import doctor_archive
from wattle_gateway.reports.doctor_finding import OK, PROBLEM, Finding
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing.row_seal import SEALS_A_KEY_MAX


def storage(home: GatewayHome) -> Finding:
    """Whether the folder is sealed, wholly, and opens."""
    try:
        ring = rings.beside(home.config)
        plain = sealing.plain_keys(home)
        if ring is None and len(plain) < len(list(home.keys.glob("*.pem"))):
            lost = f"{rings.NAME} is gone, and private keys here are encrypted under it"
            return Finding("storage", PROBLEM, lost, "restore it from a backup")
        if ring is None:
            return Finding(
                "storage",
                OK,
                "not sealed: whoever copies the disk reads all of it, private keys too",
                "`wattle-gateway keys seal`, if the disk can be stolen",
            )
    except (StorageKeyError, ConfigError) as error:
        return Finding("storage", PROBLEM, str(error), "make the storage key readable here")
    except HomeError as error:
        return Finding("storage", PROBLEM, str(error), "restore a backup")
    if plain:
        return Finding(
            "storage",
            PROBLEM,
            f"sealed, but {', '.join(plain)} are not encrypted",
            "stop the gateway, then `wattle-gateway keys seal` again",
        )
    found = doctor_archive.plain_files(home)
    if found is not None:
        return found
    key = ring.keyring.keys[-1]
    share = 100 * key.seals // SEALS_A_KEY_MAX
    return Finding("storage", OK, f"sealed; data key {key.number} has {share} % of its seals")
