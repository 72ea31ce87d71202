"""A folder whose databases are sealed, without the rest of a gateway."""

import secrets
from pathlib import Path

from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing import storage_key
from wattle_gateway.sealing.ring import Ring

CONFIG = '[gateway]\nsite = "home"\n[storage]\nkey = "file:{}"\n'


def key_of(folder: Path) -> Path:
    """The file with the storage key of a folder that `make` sealed."""
    return folder.with_name(f"{folder.name}.key")


def make(folder: Path, made_ms: int = 1_700_000_000_000) -> Ring:
    """Seal what will be made in the new folder, under a new key file beside it; its keyring."""
    folder.mkdir()
    key = key_of(folder)
    key.write_bytes(secrets.token_bytes(storage_key.KEY_BYTES))
    key.chmod(0o600)
    source = f"file:{key}"
    (folder / "config.toml").write_text(CONFIG.format(key))
    return rings.make(folder, storage_key.read(source, folder), made_ms)


def holding(folder: Path, *secret: bytes) -> list[str]:
    """Every file below the folder in which one of these stands, as bytes, hex or base64, as
    `name: where`."""
    import base64

    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        for one in secret:
            forms = {
                "bytes": one,
                "hex": one.hex().encode(),
                "HEX": one.hex().upper().encode(),
                "base64": base64.b64encode(one).rstrip(b"="),
            }
            found += [
                f"{path.name}: {form} {one[:8].hex()}"
                for form, raw in forms.items()
                if raw in content
            ]
    return found
