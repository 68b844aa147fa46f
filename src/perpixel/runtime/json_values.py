"""The values that JSON and YAML hold, named once."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""What JSON or YAML holds, as it is before its form is checked: text, number, boolean, None, list or object."""

JsonObject: TypeAlias = dict[str, Any]
"""An object of JSON or YAML, such as a tree of settings."""

JsonMapping: TypeAlias = Mapping[str, Any]
"""The same where it is only read."""
