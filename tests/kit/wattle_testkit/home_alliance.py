"""An alliance of gateways in real folders that lived long ago, in one process: commands read what
became of it, an archive takes what it has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519
from wattle_gateway.home import create
from wattle_gateway.home.identity import Identity, load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import crypto, genesis, transaction
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Constants, Member
from wattle_gateway.ledger.signed_sample import SignedSample

from wattle_testkit.alliance import CREATED_MS, Board, Party, reading, sample_entry
from wattle_testkit.driven_alliance import DrivenAlliance, DrivenMember
from wattle_testkit.gateway_folders import choice

DAY_MS = 86_400_000
# A checkpoint of members is at least a minute younger than the one before.
_CHECKPOINT_MS = 61_000
# Of the register at first: a number that stands nowhere by chance.
ENERGY_WH = 7_310_584_921
CONSTANTS = Constants(enrol_approvals=1, leader_commits=4, gc_depth=4, state_root_every=4)


@dataclass(frozen=True)
class HomeParty(Party):
    """The member whose keys a folder holds."""

    identity: Identity | None = None

    @property
    def _identity(self) -> Identity:
        assert self.identity is not None
        return self.identity

    @property
    def sign(self) -> crypto.Sign:
        """As `Party.sign`."""
        return crypto.signer(self._identity.block_key)

    @property
    def checkpoint_key(self) -> ed25519.Ed25519PrivateKey:
        """As `Party.checkpoint_key`."""
        return self._identity.checkpoint_key

    @property
    def member(self) -> Member:
        """As `Party.member`."""
        return self._identity.member


class HomeAlliance(DrivenAlliance):
    """`voting` members, who may host users, and `observers`, founded at CREATED_MS; a meter is on
    the ledger.

    Every folder is sealed under `storage_key` (as in config.toml), if that is given, and its
    archive goes to `archive.<name>` beside it.
    """

    def __init__(
        self, folder: Path, *voting: str, observers: Sequence[str] = (), storage_key: str = ""
    ) -> None:
        names = (*voting, *observers)
        gateways = [
            (
                folder / name,
                choice(
                    name,
                    storage_key=storage_key,
                    role=genesis.OBSERVER if name in observers else genesis.AGGREGATOR,
                ),
            )
            for name in names
        ]
        homes = create.create_alliance("test.wattle", gateways, CREATED_MS, CONSTANTS)
        self.homes = dict(zip(names, homes, strict=True))
        for name, home in self.homes.items():
            (folder / f"archive.{name}").mkdir()
            text = home.config.read_text()
            assert 'target = ""' in text
            changed = text.replace('target = ""', f'target = "../archive.{name}"')
            home.config.write_text(changed)
        parties = [HomeParty(name, identity=load_identity(home)) for name, home in self._items()]
        super().__init__(folder, *parties, epoch=first_epoch(load_identity(homes[0]).genesis))
        self.board = Board("meter", self.epoch)
        self.samples: list[SignedSample] = []

    def _items(self) -> list[tuple[str, GatewayHome]]:
        return list(self.homes.items())

    def add_member(self, party: Party, *, lost: bool = False) -> DrivenMember:
        """A gateway with the ledger of its folder, started."""
        assert not lost
        member = DrivenMember(party, self.homes[party.name].database)
        self.members[party.name] = member
        self.start(party.name)
        return member

    def live(self, by: str, days: int, samples_a_day: int = 6) -> None:
        """Days go by: each has so many samples, which a gateway takes in, each after a
        checkpoint could be due."""
        if not self.samples:
            kid = self.members[by].kid
            enrol = self.board.enrol(replace(self.board.point(1), owner=kid), home=kid)
            self.transact(by, transaction.ENROL, transaction.enrol_body(enrol))
            self.run(2_000)
        for _ in range(days):
            for _ in range(samples_a_day):
                prev = self.samples[-1].digest if self.samples else None
                seq = len(self.samples) + 1
                taken = [reading(self.unix_ms, ei=ENERGY_WH + seq * 7)]
                self.samples.append(self.board.sample(seq, taken, prev=prev))
                self.add(by, sample_entry(self.samples[-1]))
                self.run(4_000)
                self.pass_ms(_CHECKPOINT_MS)
            self.pass_ms(DAY_MS - self.unix_ms % DAY_MS)
