"""What parties do at their gateways before and in an event, by the commands that people have."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from wattle_wire import cbor

from wattle_hil.errors import RunError
from wattle_hil.runs import event_plan
from wattle_hil.runs.event_plan import ASSET, PARTICIPANTS, EventTimes, Participant
from wattle_hil.runs.gateway_control import GatewayControl
from wattle_hil.runs.gateways import Gateways

# More than the number of cores only makes each of them wait.
_COMMANDS_AT_ONCE = 4
# Kind of the transaction (SPEC section 10).
_DISPATCH = 18
_POLICY_FILE = "policy.toml"
_NO_POLICY = "\n[policy]\n"


class EventMarket:
    """The alliance's market; `write_policy` comes first. meter_ids: of the participants' meters,
    in their order.

    All other methods run commands to their end and raise ProcessError when one fails.
    """

    def __init__(self, folder: Path, times: EventTimes, sampling_ms: int) -> None:
        """folder: where the hosted user keeps its key. sampling_ms: between readings."""
        self._folder = folder
        self._times = times
        self._sampling_ms = sampling_ms
        self._gateways: Gateways | None = None

    @property
    def founding(self) -> tuple[str, ...]:
        """What the command that founds the ledger is told. Raises RunError."""
        path = self._folder / "market.toml"
        try:
            path.write_text(self._times.market(), encoding="utf-8")
        except OSError as error:
            raise RunError(f"{path}: cannot be written: {error}") from error
        return ("--rules", "3", "--market", str(path))

    def write_policy(self, gateways: Gateways) -> None:
        """The party that is not asked itself: its policy file, before its gateway starts.

        Raises RunError.
        """
        self._gateways = gateways
        chosen = PARTICIPANTS[event_plan.TOO_DEAR]
        folder = gateways.each[chosen.gateway - 1].control.folder
        config = folder / "config.toml"
        text = (
            f'[[answer]]\npoints = "all"\nleast_price = "{chosen.price} {ASSET}"\n'
            f'methods = ["bid"]\nareas = ["{event_plan.AREA}"]\n'
        )
        try:
            (folder / _POLICY_FILE).write_text(text, encoding="utf-8")
            before, found, after = config.read_text(encoding="utf-8").partition(_NO_POLICY)
            if not found:
                raise RunError(f"{config}: no table [policy]")
            after = after.replace('\nfile = ""', f'\nfile = "{_POLICY_FILE}"', 1)
            config.write_text(f"{before}{found}{after}", encoding="utf-8")
        except OSError as error:
            raise RunError(f"{folder}: the policy cannot be written: {error}") from error

    def open_accounts(self) -> None:
        """Money is issued, the hosted user is registered, everybody has an account."""
        caller, another = self._control(1), self._control(2)
        decimals = str(event_plan.DECIMALS)
        words = (ASSET, event_plan.ISSUED, "--decimals", decimals, "--format", "json")
        self._approve(another, caller.call("account", "issue", *words))
        hosts = self._control(PARTICIPANTS[event_plan.FALLS_SILENT].gateway)
        word = str(self._folder / "user.word")
        site_file = str(hosts.folder / "site.json")
        hosts.call_elsewhere(
            "party", "word", site_file, str(self._key), "--name", event_plan.HOSTED_USER,
            "--output", word,
        )  # fmt: skip
        self._approve(another, hosts.call("party", "register", word, "--format", "json"))
        self._each(lambda one: self._by(one, "account", "open", ASSET))

    def offer(self, meter_ids: Sequence[str]) -> None:
        """Every party offers its load."""
        response_ms = self._times.within_ms

        def offered(one: Participant) -> None:
            point = f"{meter_ids[PARTICIPANTS.index(one)]}/1"
            self._by(
                one, "dr", "offer", point, "--area", one.area, "--down",
                "--capacity", f"{one.capacity_w}W", "--called", f"{one.called_w}W",
                "--asset", ASSET, "--price", one.price, "--within", f"{response_ms}ms",
                "--holds", "1h", "--period", f"{self._sampling_ms}ms",
            )  # fmt: skip

        self._each(offered)

    def publish(self, begin_ms: int, quantity_w: int) -> str:
        """The grid company calls; the digest of the event."""
        times = self._times
        window = f"{times.before_from_min}min-{times.before_to_min}min"
        said = self._control(1).call(
            "dr", "publish", "--method", "bid", "--area", event_plan.AREA,
            "--near", event_plan.NEAR, "--quantity", f"{quantity_w}W", "--begin", str(begin_ms),
            "--for", f"{times.length_ms}ms", "--notice", f"{times.select_before_ms}ms",
            "--within", f"{times.within_ms}ms", "--asset", ASSET,
            "--energy", event_plan.ENERGY_PRICE, "--availability", event_plan.AVAILABILITY_PRICE,
            "--penalty", event_plan.PENALTY_PRICE, "--baseline", "same-day-3-plus-2",
            "--baseline-window-before", window, "--baseline-window-after", "none",
            "--format", "json",
        )  # fmt: skip
        return str(json.loads(said)["digest"])

    def declare(self, event: str, meter_ids: Sequence[str]) -> None:
        """Everybody without a policy promises."""

        def declared(one: Participant) -> None:
            if one.quota_w is not None:
                point = f"{meter_ids[PARTICIPANTS.index(one)]}/1"
                self._by(one, "dr", "declare", event, point, f"{one.quota_w}W")

        self._each(declared)

    def dispatch(self, event: str) -> None:
        """The grid company orders the selected loads to act: `dr dispatch` without the start of a
        program, which on a busy machine takes longer than all that follows. Raises RunError."""
        body = cbor.encode([bytes.fromhex(event), 0, None])
        answer = self._control(1).ask("send", kind=_DISPATCH, body=body.hex())
        if not answer.get("ok"):
            raise RunError(f"dispatch: {answer.get('message', 'the gateway does not answer')}")

    def dispatch_by_program(self, event: str) -> None:
        """The same as people do it: `wattle-gateway dr dispatch`."""
        self._control(1).call("dr", "dispatch", event)

    def event(self, event: str) -> Mapping[str, Any]:
        """What the first gateway's ledger says of an event."""
        return dict(json.loads(self._control(1).call("dr", "event", event, "--json")))

    def balances(self) -> Mapping[str, int]:
        """The unlocked money of each party by its name, in smallest units."""
        found = json.loads(self._control(1).call("account", "show", "--format", "json"))
        return {row["party"]["name"]: row["unlocked_units"] for row in found["accounts"]}

    @property
    def _key(self) -> Path:
        return self._folder / "user.pem"

    def _control(self, gateway: int) -> GatewayControl:
        assert self._gateways is not None
        return self._gateways.each[gateway - 1].control

    def _by(self, one: Participant, *words: str) -> str:
        """A command of a party at its gateway, or at that of its host."""
        signed = ("--key", str(self._key)) if one.hosted else ()
        return self._control(one.gateway).call(*words, *signed)

    def _approve(self, control: GatewayControl, said: str) -> None:
        """A member of another role says yes to what waits."""
        answer = json.loads(said)
        if answer["waits_until_ms"] is not None:
            control.call("alliance", "approve", answer["digest"])

    def _each(self, act: Callable[[Participant], object]) -> None:
        with ThreadPoolExecutor(_COMMANDS_AT_ONCE) as pool:
            list(pool.map(act, PARTICIPANTS))
