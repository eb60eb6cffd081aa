"""Stands in for numpy, which the SDK's tensor types name when they are imported.

The REST client has nothing to do with tensors, so these names for annotations and isinstance checks
are all that is needed. Anything else asked of this module fails with an AttributeError.
"""

from typing import Generic, TypeVar

ScalarT = TypeVar("ScalarT")


class ndarray(Generic[ScalarT]):
    """Nothing is one."""


class dtype(Generic[ScalarT]):
    """Nothing is one."""
