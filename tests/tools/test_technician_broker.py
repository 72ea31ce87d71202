"""Brokers let in a meter that a technician has named, if it is one of his site."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from wattle_gateway.pki import keys
from wattle_hil import parts
from wattle_hil.children.processes import ProcessGroup
from wattle_hil.clock import host_ms
from wattle_hil.devices.line import Line
from wattle_testkit import waiting
from wattle_testkit.meter_site import LEDGER_ID, SITE, Board, MeterSite, emulated_sdm120
from wattle_tools import certificate, proof
from wattle_tools.sites.authority import TechnicianAuthority

DEADLINE_S = 20.0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[MeterSite]:
    try:
        parts.micropython(64)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    with ProcessGroup() as group:
        yield MeterSite(tmp_path, group)


def named_by_technician(site: MeterSite, board: Board, of_site: str) -> None:
    """Gives the board a certificate of a technician of `of_site` in the place of its own."""
    site.technicians = True
    key = keys.new_p256()
    now = datetime.now(UTC)
    issued = site.authority.issue_technician(key.public_key(), of_site, "ada", now)
    found = proof.verified(board.folder, LEDGER_ID)
    technician = TechnicianAuthority(of_site, key, issued)
    source = site.folder / "chain.pem"
    if of_site != SITE:
        # What a stolen laptop could do: its authority is good for another site.
        technician.site = SITE
    source.write_bytes(technician.issue(board.meter.meter, found.tls_public, now).chain)
    assert certificate.install(board.folder, source) == board.meter.meter


@pytest.mark.parametrize("broker", ["nats", "mosquitto"])
def test_a_meter_of_the_technicians_site_is_let_in(
    site: MeterSite, tmp_path: Path, broker: str
) -> None:
    if broker == "mosquitto":
        try:
            parts.mosquitto()
        except parts.PartMissingError as error:
            pytest.skip(str(error))
    with Line(tmp_path / "line", [emulated_sdm120(host_ms() - 1_000)], host_ms) as line:
        board = site.board("meter", "64", line.link)
        named_by_technician(site, board, SITE)
        site.start_broker(broker)
        site.group.start(board.process)
        waiting.until(lambda: 1 in board.meter.samples, DEADLINE_S, "a sample at the gateway")
    assert board.meter.broken == []


def test_a_meter_that_another_sites_technician_names_is_not(
    site: MeterSite, tmp_path: Path
) -> None:
    with Line(tmp_path / "line", [emulated_sdm120(host_ms() - 1_000)], host_ms) as line:
        board = site.board("meter", "64", line.link)
        named_by_technician(site, board, "substation-8")
        site.start_broker()
        site.group.start(board.process)
        log = tmp_path / "broker.log"
        refused = f"{board.meter.meter}.{SITE}.wattle.internal"
        waiting.until(lambda: refused in log.read_text(), DEADLINE_S, "a refusal in the log")
    assert "is not permitted by any constraint" in log.read_text()
    assert board.meter.samples == {}
