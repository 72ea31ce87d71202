"""The running gateway: the only place that knows all its parts."""

from wattle_gateway.app.gateway import run

__all__ = ["run"]
