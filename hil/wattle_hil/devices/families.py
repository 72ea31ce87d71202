"""Every type of metering device that the bench emulates, by the name of the firmware's profile."""

from collections.abc import Mapping

from wattle_hil.devices.em340 import EM340
from wattle_hil.devices.iem3155 import IEM3155
from wattle_hil.devices.model import Model
from wattle_hil.devices.pzem import PZEM_004T
from wattle_hil.devices.sdm import SDM120, SDM630
from wattle_hil.devices.sunspec import sunspec_meter

FAMILIES: Mapping[str, Model] = {
    "em340": EM340,
    "iem3155": IEM3155,
    "pzem-004t": PZEM_004T,
    "sdm120": SDM120,
    "sdm630": SDM630,
    "sunspec-201": sunspec_meter(201),
    "sunspec-203": sunspec_meter(203),
}
