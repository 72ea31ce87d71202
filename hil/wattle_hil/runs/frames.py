"""Puts together what the live view shows: from the ledger, the meters' counters, the gateways."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from wattle_hil.runs.device_plan import DevicePlan, MeterPlan
from wattle_hil.runs.gateways import RunGateway, linked
from wattle_hil.runs.head_book import HeadBook
from wattle_hil.runs.ledger_tail import LedgerTail, PointTail
from wattle_hil.runs.live_view import Frame, GatewayRow, MemberRow, PointRow
from wattle_hil.runs.substation import Substation

# The rate shown is that of this many seconds.
_RATE_WINDOW_S = 10.0


class Frames:
    """Frames of one run. load_names: what each meter's load is called, by the plan's name. heads:
    what the gateways of an alliance have shown."""

    def __init__(
        self,
        title: str,
        substation: Substation,
        tail: LedgerTail,
        load_names: Mapping[str, str],
    ) -> None:
        self._title = title
        self._substation = substation
        self._tail = tail
        self._load_names = load_names
        self._rates: deque[tuple[float, int]] = deque()
        self.heads = HeadBook()
        self._lives: dict[str, Mapping[str, Any]] = {}
        self.status: Mapping[str, Any] | None = None

    def frame(self, elapsed_s: float, progress: float | None) -> Frame:
        """All that is to be shown now. elapsed_s: rising, for the rate of samples."""
        self._rates.append((elapsed_s, self._tail.samples))
        while elapsed_s - self._rates[0][0] > _RATE_WINDOW_S:
            self._rates.popleft()
        rows = [
            self._point(plan, device) for plan in self._substation.plans for device in plan.devices
        ]
        return Frame(self._title, rows, self._gateway(), progress, self._members())

    def look(self) -> None:
        """Asks every gateway of an alliance where it stands."""
        gateways = self._substation.gateways.each
        if len(gateways) == 1:
            return
        for gateway in gateways:
            self._lives[gateway.name] = live = gateway.live()
            if consensus := live.get("consensus"):
                self.heads.note(gateway.name, consensus["commit"], consensus["commit_digest"])

    def _members(self) -> list[MemberRow]:
        if not self._lives:
            return []
        plans = self._substation.plans
        places = [self._substation.gateway_at(plan) for plan in plans]
        return [
            self._member(gateway, places.count(gateway.name))
            for gateway in self._substation.gateways.each
        ]

    def _member(self, gateway: RunGateway, meters: int) -> MemberRow:
        live = self._lives.get(gateway.name, {})
        consensus = live.get("consensus") or {}
        age_s = None
        if consensus:
            age_ms = self._substation.clock.now_ms() - consensus["commit_ms"]
            age_s = max(0, age_ms) / self._substation.clock.speed / 1_000
        starting = "starting" if gateway.process.alive else "killed"
        return MemberRow(
            name=gateway.name,
            state=starting if not live else "up" if consensus.get("signing") else "catching up",
            round=consensus.get("own_round"),
            commit=consensus.get("commit"),
            commit_age_s=age_s,
            head=str(consensus.get("commit_digest", ""))[:12],
            agrees=self.heads.verdict(gateway.name) if consensus else "-",
            peers=len(linked(live)) if live else None,
            meters=meters,
        )

    def _point(self, plan: MeterPlan, device: DevicePlan) -> PointRow:
        meter_id = self._substation.meter_ids[plan.name]
        counters = self._substation.meter_status(plan)
        link = counters.get("link", {})
        tail = self._tail.points.get((meter_id, device.number), PointTail())
        newest = tail.newest
        power_dw = None if newest is None else newest.power_dw
        alive = self._substation.meters[plan.name].alive
        return PointRow(
            name=f"{meter_id}/{device.number}",
            load=self._load_names[plan.name],
            runs_on=self._substation.word_size(plan),
            power_w=None if power_dw is None else power_dw / 10,
            import_wh=None if newest is None else newest.import_wh,
            export_wh=None if newest is None else newest.export_wh,
            seq=counters.get("seq"),
            durable=link.get("durable"),
            final=counters.get("final"),
            classes=", ".join(f"{name} {count}" for name, count in sorted(tail.classes.items()))
            or "none",
            failed_reads=tail.failed,
            state="killed" if not alive else "online" if link.get("connected") else "offline",
            at=self._substation.gateway_at(plan) if self._lives else "",
        )

    def _gateway(self) -> GatewayRow:
        status = self.status or {}
        live = status.get("live") or {}
        refused = status.get("refused", {})
        (first_s, first), (last_s, last) = self._rates[0], self._rates[-1]
        return GatewayRow(
            broker={True: "up", False: "down", None: "unknown"}[live.get("broker_running")],
            commits=max(self._tail.commit, status.get("commit", 0)),
            head=str(status.get("commit_digest", ""))[:12],
            samples=self._tail.samples,
            samples_per_s=(last - first) / (last_s - first_s) if last_s > first_s else 0.0,
            refused=", ".join(f"{name} {count}" for name, count in refused.items()) or "none",
            bench_ms=self._substation.clock.now_ms(),
            speed=self._substation.clock.speed,
        )
