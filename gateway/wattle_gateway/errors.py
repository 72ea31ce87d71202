"""The root of every error the gateway raises.

Each package adds its own root below this one, so that a caller can catch as widely or as
narrowly as it needs; foreign exceptions never cross a package's boundary.
"""


class GatewayError(Exception):
    """Anything that goes wrong in the gateway and is not a bug of ours."""
