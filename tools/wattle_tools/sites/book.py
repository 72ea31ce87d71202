"""The sites in the tool's folder."""

from dataclasses import dataclass, replace
from pathlib import Path

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_tools import site_file, tool_home
from wattle_tools.errors import SettingsError
from wattle_tools.site_file import SiteFile
from wattle_tools.sites import authority
from wattle_tools.sites.authority import TechnicianAuthority
from wattle_tools.tool_home import ToolHome

_FILE = "site.json"


@dataclass(frozen=True)
class Site:
    """A site by its name: what its gateway told, and the folder of the technician's authority."""

    name: str
    file: SiteFile
    folder: Path

    def authority(self) -> TechnicianAuthority | None:
        """The technician's, None if there is none. Raises AuthorityError."""
        return authority.load(self.folder, self.name, self.trusted)

    @property
    def ledger(self) -> str:
        """The id of its ledger, hex."""
        return self.file.ledger_id.hex()

    @property
    def trusted(self) -> list[bytes]:
        """The site authorities of the alliance (DER)."""
        return [gateway.authority for gateway in self.file.gateways]


def add(home: ToolHome, source: Path, name: str | None) -> Site:
    """Takes a site.json; gives the site. Raises as `offered` does, ToolHomeError."""
    site = offered(home, source, name)
    tool_home.write(site.folder / _FILE, source.read_bytes())
    return site


def offered(home: ToolHome, source: Path, name: str | None) -> Site:
    """The site of a site.json that could be taken; `name` None: the site that it names.

    Raises SiteFileError, SettingsError if there is a site of this name on another ledger.
    """
    read = site_file.load(source)
    chosen = name or read.site
    try:
        topics.check_site(chosen)
    except WireError as error:
        raise SettingsError(
            f"--site {chosen!r} is no name of a site", "use a-z, 0-9 and -, at most 32"
        ) from error
    folder = home.site(chosen)
    if (folder / _FILE).exists():
        known = site_file.load(folder / _FILE)
        if known.ledger_id != read.ledger_id:
            raise SettingsError(
                f"site {chosen} is of ledger {known.ledger_id.hex()}, {source} of "
                f"{read.ledger_id.hex()}",
                "keep sites of different ledgers in different folders (--home)",
            )
    return Site(chosen, read, folder)


def names(home: ToolHome) -> list[str]:
    """The sites there are, sorted."""
    return sorted(path.parent.name for path in home.sites.glob(f"*/{_FILE}"))


def get(home: ToolHome, name: str | None) -> Site:
    """The site of this name; None: the only one there is. Raises SettingsError, SiteFileError."""
    known = names(home)
    there = f"there are: {', '.join(known)}" if known else "add one with `wattle-tool site add`"
    if name is None and not known:
        raise SettingsError("no site is known", there)
    if name is None and len(known) > 1:
        raise SettingsError(f"{len(known)} sites are known", f"name one with --site; {there}")
    chosen = name or known[0]
    if chosen not in known:
        raise SettingsError(f"site {chosen!r} is not known", there)
    folder = home.site(chosen)
    return Site(chosen, site_file.load(folder / _FILE), folder)


def preferring(file: SiteFile, host: str | None) -> SiteFile:
    """The site with the gateway at `host` (or of that name) before the others.

    Raises SettingsError when site.json knows no such gateway: its keys would be missing.
    """
    if host is None:
        return file
    first = [row for row in file.gateways if host in (row.host, row.name)]
    if not first:
        known = ", ".join(f"{row.name} ({row.host})" for row in file.gateways)
        raise SettingsError(
            f"no gateway {host!r} at this site",
            f"name one of: {known}; or add a newer site.json",
        )
    others = tuple(row for row in file.gateways if row not in first)
    return replace(file, gateways=(*first, *others))
