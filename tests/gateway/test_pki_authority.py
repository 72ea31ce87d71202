"""Certificates of a site: who may stand where, and from when on."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from wattle_gateway.pki.authority import SiteAuthority

FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)
TODAY = datetime(2026, 11, 20, tzinfo=UTC)


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def authority() -> SiteAuthority:
    return SiteAuthority.create(_key(), "home")


def _verify_server(authority: SiteAuthority, leaf: x509.Certificate, at: datetime) -> None:
    policy = PolicyBuilder().store(Store([authority.certificate])).time(at)
    policy.build_server_verifier(x509.DNSName("broker.example")).verify(leaf, [])


@pytest.mark.parametrize("at", [FIRST_DAY, TODAY])
def test_a_board_that_has_no_time_accepts_the_broker(
    authority: SiteAuthority, at: datetime
) -> None:
    _verify_server(authority, authority.issue_server(_key().public_key(), ["broker.example"]), at)


def test_a_broker_under_another_name_or_authority_is_refused(authority: SiteAuthority) -> None:
    elsewhere = authority.issue_server(_key().public_key(), ["other.example"])
    with pytest.raises(VerificationError):
        _verify_server(authority, elsewhere, TODAY)
    stranger = SiteAuthority.create(_key(), "home")
    with pytest.raises(VerificationError):
        _verify_server(
            authority, stranger.issue_server(_key().public_key(), ["broker.example"]), TODAY
        )


def test_a_meters_certificate_cannot_serve(authority: SiteAuthority) -> None:
    leaf = authority.issue_client(_key().public_key(), "00112233aabbccdd")
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    with pytest.raises(VerificationError):
        _verify_server(authority, leaf, TODAY)


def test_one_more_authority_fits_below_the_sites(authority: SiteAuthority) -> None:
    constraints = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 1)
