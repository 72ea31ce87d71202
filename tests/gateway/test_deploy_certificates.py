"""Certificates that end: renewed in time, used at once, nobody disconnected; pinned ones last."""

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography import x509
from wattle_gateway import config
from wattle_gateway.app.certificate_keeper import CertificateKeeper
from wattle_gateway.app.gateway import Gateway
from wattle_gateway.errors import BrokerError, HomeError, UsageError
from wattle_gateway.home import durable_file, own_certificates
from wattle_gateway.home.identity import load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.peers import tls
from wattle_gateway.peers.tls import PeerFiles
from wattle_gateway.pki import authority, keys, peer_certificate, renewal
from wattle_gateway.runtime.logs import Log
from wattle_testkit.alliance import reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates") / "home"
    done = command("init", folder, "--host", "gateway.example", "--listen", "0.0.0.0")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def home(founded: Path, tmp_path: Path) -> GatewayHome:
    """A gateway whose certificates were issued at NOW."""
    copied = GatewayHome(Path(shutil.copytree(founded, tmp_path / "home")))
    for name in own_certificates.RENEWED:
        own_certificates.renew(copied, load_identity(copied).site_authority, name, [], NOW)
    return copied


def certificate(home: GatewayHome, name: str) -> x509.Certificate:
    return authority.load_certificate(home.certificate(name))


def put(home: GatewayHome, name: str, ends: datetime) -> None:
    """In the place of a certificate, one that ends then."""
    issuer, old = load_identity(home).site_authority, certificate(home, name)
    issued = (
        renewal.server(old, issuer, [], ends)
        if name == own_certificates.BROKER
        else renewal.client(old, issuer, ends)
    )
    durable_file.write(home.certificate(name), authority.pem(issued))


class TestWhenAndWhat:
    @pytest.mark.parametrize(("left_days", "due"), [(241, False), (239, True), (-1, True)])
    def test_it_is_due_when_a_third_is_left(
        self, home: GatewayHome, left_days: int, due: bool
    ) -> None:
        found = certificate(home, "broker")
        assert renewal.is_due(found, found.not_valid_after_utc - left_days * DAY) is due

    def test_nothing_outlives_its_authority_or_is_renewed_to_no_end(
        self, home: GatewayHome
    ) -> None:
        late = authority.NOT_AFTER - DAY
        assert renewal.end_of_life(late) == authority.NOT_AFTER
        put(home, "broker", authority.NOT_AFTER)
        assert not renewal.is_due(certificate(home, "broker"), late)

    def test_a_new_one_is_for_the_same_key_and_names_and_begins_in_2000(
        self, home: GatewayHome
    ) -> None:
        issuer = load_identity(home).site_authority
        for name in own_certificates.RENEWED:
            old = certificate(home, name)
            new = own_certificates.renew(home, issuer, name, ["new.example"], NOW + DAY)
            assert certificate(home, name) == new
            assert new.public_key() == old.public_key()
            assert new.serial_number != old.serial_number
            assert new.not_valid_before_utc == authority.NOT_BEFORE
            assert new.not_valid_after_utc == NOW + DAY + renewal.OWN_LIFE
            new.verify_directly_issued_by(issuer.certificate)
        # The gateway's own name is what the broker knows it by.
        assert authority.common_name(new) == authority.common_name(old)
        names = renewal.names_of(certificate(home, "broker"))
        assert set(names) == {"new.example", "gateway.example", "localhost", "127.0.0.1", "::1"}

    def test_what_another_has_issued_is_left_alone(self, home: GatewayHome) -> None:
        other = authority.SiteAuthority.create(keys.new_p256(), "other")
        foreign = other.issue_server(keys.new_p256().public_key(), ["gateway.example"], NOW + DAY)
        durable_file.write(home.certificate("broker"), authority.pem(foreign))
        with pytest.raises(HomeError, match="not issued by this site's authority"):
            own_certificates.renew(home, load_identity(home).site_authority, "broker", [], NOW)
        assert certificate(home, "broker") == foreign

    def test_a_host_that_is_no_name_is_refused(self, home: GatewayHome) -> None:
        before = certificate(home, "broker")
        with pytest.raises(UsageError, match="expected a DNS name"):
            own_certificates.renew(home, load_identity(home).site_authority, "broker", ["ö"], NOW)
        assert certificate(home, "broker") == before

    def test_an_outside_broker_gets_one_that_nobody_has_to_renew(
        self, home: GatewayHome, tmp_path: Path
    ) -> None:
        done = command("broker-config", home.folder, "--out", tmp_path / "mosquitto")
        assert done.returncode == 0, done.stderr
        given = authority.load_certificate(tmp_path / "mosquitto" / "broker.pem")
        assert given.not_valid_after_utc == authority.NOT_AFTER
        assert given.public_key() == certificate(home, "broker").public_key()


class Played:
    """What the keeper needs of a gateway, and its clock."""

    def __init__(self, home: GatewayHome) -> None:
        self.now = NOW
        self.reloads: list[str] = []
        self.home = home
        self.identity = load_identity(home)
        self.config = config.load(home.config)
        self.broker = SimpleNamespace(reload=self._broker_reloads)
        self.link = SimpleNamespace(reload=lambda: self.reloads.append("link"))
        self.broker_error = ""
        self.keeper = CertificateKeeper(cast(Gateway, self), lambda: self.now)

    async def _broker_reloads(self) -> None:
        if self.broker_error:
            raise BrokerError(self.broker_error)
        self.reloads.append("broker")

    def look(self, after: timedelta) -> None:
        self.now = NOW + after
        asyncio.run(self.keeper.look())


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the keeper logs: event and certificate."""
    lines: list[tuple[str, str]] = []

    def log(_self: Log, event: str, **fields: Any) -> None:
        lines.append((event, str(fields.get("certificate", fields.get("error")))))

    for level in ("info", "warning", "error"):
        monkeypatch.setattr(Log, level, log)
    return lines


class TestKeeper:
    def test_both_are_renewed_in_time_and_used(
        self, home: GatewayHome, said: list[tuple[str, str]]
    ) -> None:
        played = Played(home)
        for days in (0, 489):
            played.look(days * DAY)
        assert (played.keeper.renewed, played.reloads, said) == (0, [], [])
        played.look(491 * DAY)
        assert sorted(played.reloads) == ["broker", "link"]
        renewed = "a certificate was renewed"
        assert said == [(renewed, "broker"), (renewed, "gateway")]
        ends = played.keeper.ends()
        assert ends["broker"] == int((NOW + 491 * DAY + renewal.OWN_LIFE).timestamp())
        assert set(ends) == {"authority", "broker", "gateway"}
        played.look(492 * DAY)
        assert played.keeper.renewed == 2

    def test_one_that_ended_while_the_gateway_was_off_is_renewed_at_its_start(
        self, home: GatewayHome
    ) -> None:
        played = Played(home)
        played.look(3_000 * DAY)
        assert played.keeper.renewed == 2
        assert played.reloads == []  # nothing has used the old ones

    def test_one_that_an_operator_put_there_is_used(self, home: GatewayHome) -> None:
        played = Played(home)
        played.look(0 * DAY)
        put(home, "gateway", NOW + 400 * DAY)
        played.look(timedelta(minutes=1))
        assert played.reloads == ["link"]

    def test_a_disk_that_takes_nothing_is_told_once_a_day_and_tried_on(
        self, home: GatewayHome, said: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        played = Played(home)

        def full(_path: Path, _content: bytes) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(durable_file, "write", full)
            for minutes in range(3):
                played.look(500 * DAY + timedelta(minutes=minutes))
            assert said == [
                ("a certificate is not renewed", name) for name in ("broker", "gateway")
            ]
            played.look(501 * DAY)
            assert len(said) == 4
        played.look(501 * DAY + timedelta(minutes=1))
        assert played.keeper.renewed == 2

    def test_a_broker_that_does_not_reload_ends_nothing(
        self, home: GatewayHome, said: list[tuple[str, str]]
    ) -> None:
        played = Played(home)
        played.look(0 * DAY)
        played.broker_error = "it did not reload"
        played.look(491 * DAY)
        assert played.reloads == ["link"]
        assert ("the broker does not take its new certificate", "it did not reload") in said

    def test_a_foreign_one_is_warned_of(
        self, home: GatewayHome, said: list[tuple[str, str]]
    ) -> None:
        other = authority.SiteAuthority.create(keys.new_p256(), "other")
        foreign = other.issue_server(keys.new_p256().public_key(), ["x.example"], NOW + 60 * DAY)
        durable_file.write(home.certificate("broker"), authority.pem(foreign))
        played = Played(home)
        played.look(29 * DAY)
        assert said == []
        played.look(31 * DAY)
        assert said == [("a certificate ends", "broker")]
        assert certificate(home, "broker") == foreign

    def test_the_authority_is_warned_of_two_years_before(
        self, home: GatewayHome, said: list[tuple[str, str]]
    ) -> None:
        played = Played(home)
        played.look(authority.NOT_AFTER - NOW - 729 * DAY)
        assert ("a certificate ends", "authority") in said


class TestRunning:
    def test_ended_ones_are_renewed_and_no_meter_is_disconnected(self, tmp_path: Path) -> None:
        gateway = GatewayProcess(tmp_path / "home")
        for name in own_certificates.RENEWED:
            put(gateway.home, name, datetime.now(UTC) - DAY)
        try:
            gateway.start()  # with ended ones neither its own link nor a meter would connect
            board = gateway.board("steady")
            gateway.enrol(board)
            with PaperMeter(board, gateway) as meter:
                meter.send(board.sample(1, [reading(1_700_000_000_000, ei=1, p=2)]))
                meter.await_final(1)
                serials = [self._shown(gateway)]
                put(gateway.home, "broker", datetime.now(UTC) - DAY)
                done = command("certificates", "renew", gateway.folder, "--format", "json")
                assert json.loads(done.stdout)["used"] is True, done.stderr
                serials.append(self._shown(gateway))
                meter.send(board.sample(2, [reading(1_700_000_001_000, ei=1, p=2)]))
                meter.await_final(2)
            assert serials[0] != serials[1] == certificate(gateway.home, "broker").serial_number
            live = gateway.ask("live")["live"]
            assert live["link_connects"] == 1
            assert live["certificates"]["broker"] > datetime.now(UTC).timestamp()
            # A broker that starts anew is met with the gateway's own new certificate.
            broker = int((gateway.home.broker / "nats.pid").read_text())
            self._kill(broker)
            until(lambda: gateway.ask("live")["live"]["link_connects"] == 2, 30, "connected again")
            assert gateway.stop() == 0
        finally:
            gateway.kill()

    @staticmethod
    def _shown(gateway: GatewayProcess) -> int:
        """The serial number of the certificate that the broker shows now; it must be valid."""
        context = ssl.create_default_context(cafile=str(gateway.home.certificate("authority")))
        context.load_cert_chain(gateway.home.certificate("gateway"), gateway.home.key("gateway"))
        with (
            socket.create_connection(("127.0.0.1", gateway.port)) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            der = secured.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der).serial_number

    @staticmethod
    def _kill(pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


class TestCommands:
    def test_show_says_who_renews_what(self, home: GatewayHome) -> None:
        done = command("certificates", "show", home.folder, "--format", "json")
        rows = {row["name"]: row for row in json.loads(done.stdout)["certificates"]}
        assert rows["broker"]["renewed"].startswith("by the running gateway, from 2028-03-")
        assert rows["broker"]["hosts"][0] in ("gateway.example", "localhost")
        assert rows["authority"]["renewed"] == "never: it stands in the ledger"
        assert rows["peer"]["renewed"] == "no need: pinned by its peer card"
        assert "gateway.example" in command("certificates", "show", home.folder).stdout

    def test_renew_of_a_stopped_one_counts_from_its_next_start_on(self, home: GatewayHome) -> None:
        before = certificate(home, "gateway")
        done = command("certificates", "renew", home.folder, "broker", "--host", "more.example")
        assert done.returncode == 0, done.stderr
        assert "used from the gateway's next start on" in done.stdout
        assert "more.example" in renewal.names_of(certificate(home, "broker"))
        assert certificate(home, "gateway") == before

    @pytest.mark.parametrize(
        ("words", "code", "says"),
        [
            (("peer",), 2, "certificate 'peer', expected broker or gateway"),
            (("broker", "--host", "a b"), 2, "expected a DNS name"),
        ],
    )
    def test_what_cannot_be_renewed(
        self, home: GatewayHome, words: tuple[str, ...], code: int, says: str
    ) -> None:
        done = command("certificates", "renew", home.folder, *words)
        assert done.returncode == code
        assert says in done.stderr

    def test_status_and_doctor_count_the_days(self, home: GatewayHome) -> None:
        shown = json.loads(command("status", home.folder, "--format", "json").stdout)
        assert shown["certificates"]["broker"] == int((NOW + renewal.OWN_LIFE).timestamp())
        put(home, "broker", datetime.now(UTC) - 3.5 * DAY)
        assert "broker ENDED 3 days ago" in command("status", home.folder).stdout
        doctor = command("doctor", home.folder)
        assert "PROBLEM   certificate broker      expired on" in doctor.stdout
        assert "certificates show" in doctor.stdout


class TestPinned:
    """Peers pin certificates by cards: dates, and so clocks, part nobody."""

    def test_one_that_has_ended_still_links(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ends = datetime(2020, 1, 1, tzinfo=UTC)
        monkeypatch.setattr(peer_certificate, "NOT_AFTER", ends)
        one, two = (self._party(tmp_path, kid) for kid in (b"one-----", b"two-----"))
        client = tls.client_context(one[0], two[1])
        server = tls.server_context(two[0], [one[1]])
        assert self._meet(client, server) == (two[1], one[1])
        # The same without our word on dates: the certificates really have ended.
        strict = tls.client_context(one[0], two[1])
        strict.verify_flags &= ~ssl.VerifyFlags(tls._NO_CHECK_TIME)
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            self._meet(strict, server)
        # And another certificate is refused as ever.
        stranger = self._party(tmp_path, b"stranger")
        with pytest.raises(ssl.SSLError):
            self._meet(tls.client_context(one[0], stranger[1]), server)

    @staticmethod
    def _party(folder: Path, kid: bytes) -> tuple[PeerFiles, bytes]:
        files = PeerFiles(folder / f"{kid.hex()}.pem", folder / f"{kid.hex()}.key")
        key = keys.new_p256()
        keys.save_private(files.key, key)
        made = peer_certificate.issue(key, kid)
        files.certificate.write_bytes(authority.pem(made))
        return files, authority.der(made)

    @staticmethod
    def _meet(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[bytes | None, bytes | None]:
        """A handshake in memory; what each was shown."""
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        sides = [
            client.wrap_bio(back, there, server_side=False),
            server.wrap_bio(there, back, server_side=True),
        ]
        for _ in range(4):  # TLS 1.3 takes one and a half round trips
            for side in sides:
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        return tls.shown(sides[0]), tls.shown(sides[1])
