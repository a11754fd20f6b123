"""SAMPLE + ESTIMATE -> SCALAR. A term is any callable of that form, often a small frozen dataclass.

Underneath are pure, unreduced functions (`image.py`): the caller masks and reduces.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from kinedepth.scene import Estimate, Sample

Term = Callable[[Sample, Estimate], Float[Tensor, ""]]
