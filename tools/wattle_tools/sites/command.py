"""`wattle-tool site add | authority | list`."""

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from wattle_tools import dry_run, tool_home
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.boards.arguments import add_json_argument
from wattle_tools.errors import DONE, AuthorityError
from wattle_tools.sites import authority, book


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds `site` to the commands of wattle-tool."""
    group = commands.add_parser("site", help="sites to set up meters for: add, authority, list")
    parsers = group.add_subparsers(required=True, metavar="COMMAND")
    one = parsers.add_parser("add", help="take a gateway's site.json; makes a request beside it")
    one.add_argument("file", type=Path, metavar="SITE_JSON")
    one.add_argument("--site", help="name of the site (default: that in the file)")
    dry_run.add_argument(one)
    add_json_argument(one)
    one.set_defaults(run=_add)
    one = parsers.add_parser("authority", help="take what the gateway's operator made of a request")
    one.add_argument("site", metavar="SITE")
    one.add_argument("file", type=Path, metavar="AUTHORITY_PEM")
    dry_run.add_argument(one)
    add_json_argument(one)
    one.set_defaults(run=_authority)
    one = parsers.add_parser("list", help="sites, and until when meters can be named there")
    add_json_argument(one)
    one.set_defaults(run=_list)


def _add(options: argparse.Namespace) -> int:
    home = tool_home.find(options.home, os.environ)
    journal = audit_command.journal(options)
    if options.dry_run:
        return _tell_add(options, journal.who, book.offered(home, options.file, options.site))
    site = book.add(home, options.file, options.site)
    request = authority.request(site.folder, journal.who)
    journal.append("site add", log.DONE, facts={"site": site.name, "ledger": site.ledger})
    if options.json:
        told = {"site": site.name, "ledger": site.ledger, "request": str(request)}
        print(json.dumps(told, indent=1))
        return DONE
    print(f"site {site.name} of ledger {site.file.ledger_name} ({site.ledger})")
    print(
        f"to name meters there, let the gateway's operator make an authority of {request}:\n"
        f"    wattle-gateway technician issue DIR request.pem --site {site.name} "
        "--output authority.pem\n"
        f"and take it: wattle-tool site authority {site.name} authority.pem"
    )
    return DONE


def _tell_add(options: argparse.Namespace, who: str, site: book.Site) -> int:
    authority.check_name(who)
    has_key = (site.folder / authority.KEY_FILE).exists()
    would = [
        f"take {options.file} as site {site.name} of ledger {site.ledger}",
        f"{'keep' if has_key else 'make'} the key of {who} there",
        f"write {site.folder / authority.REQUEST_FILE}",
    ]
    return dry_run.tell(options.json, would, {"site": site.name, "ledger": site.ledger})


def _authority(options: argparse.Namespace) -> int:
    home = tool_home.find(options.home, os.environ)
    journal = audit_command.journal(options)
    site = book.get(home, options.site)
    if options.dry_run:
        _, until = authority.offered(site.folder, site.name, site.trusted, options.file)
        words = f"take it: meters of {site.name} named until {until:%Y-%m-%d %H:%M} UTC"
        return dry_run.tell(options.json, [words], {"site": site.name, "until": until.isoformat()})
    until = authority.install(site.folder, site.name, site.trusted, options.file)
    journal.append(
        "site authority", log.DONE, facts={"site": site.name, "until": until.isoformat()}
    )
    if options.json:
        print(json.dumps({"site": site.name, "until": until.isoformat()}, indent=1))
        return DONE
    print(f"meters of {site.name} can be named to brokers until {until:%Y-%m-%d %H:%M} UTC")
    return DONE


def _list(options: argparse.Namespace) -> int:
    home = tool_home.find(options.home, os.environ)
    rows = []
    for name in book.names(home):
        site = book.get(home, name)
        rows.append(
            {
                "site": name,
                "ledger": site.ledger,
                "gateways": [f"{row.host}:{row.port}" for row in site.file.gateways],
                **_standing(site, datetime.now(UTC)),
            }
        )
    if options.json:
        print(json.dumps({"sites": rows}, indent=1))
        return DONE
    for row in rows:
        print(f"{row['site']}  ledger {row['ledger']}  {row['authority']}")
    return DONE


def _standing(site: book.Site, now: datetime) -> dict[str, object]:
    """Whether meters can be named at a site, for people, and until when."""
    try:
        found = site.authority()
    except AuthorityError as error:
        return {"authority": f"not usable: {error}", "until": None}
    if found is None:
        return {"authority": "no authority yet", "until": None}
    ended = "ended" if found.until <= now else "names meters until"
    return {"authority": f"{ended} {found.until:%Y-%m-%d}", "until": found.until.isoformat()}
