"""Replaces numpy, whose names the SDK's tensor types use at import.

The REST client uses no tensors, so names for annotations and isinstance checks suffice. Any other
attribute raises an AttributeError.
"""

from typing import Generic, TypeVar

ScalarT = TypeVar("ScalarT")


class ndarray(Generic[ScalarT]):
    """A class without instances."""


class dtype(Generic[ScalarT]):
    """A class without instances."""
