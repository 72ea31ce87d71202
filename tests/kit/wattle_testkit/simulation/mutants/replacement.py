"""The form of a planted fault."""

from typing import Any

Replacement = tuple[Any, str, Any]
"""(module or class, name of its attribute, what stands there instead)."""
