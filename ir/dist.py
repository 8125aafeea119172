"""The attribute that carries a distribution, part of the `agent` dialect."""

from __future__ import annotations

from xdsl.dialects.builtin import ArrayAttr, FloatAttr, StringAttr, f64
from xdsl.ir import ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition, param_def
from xdsl.utils.exceptions import VerifyException

from .distribution import KINDS, Distribution


@irdl_attr_definition
class DistAttr(ParametrizedAttribute):
    """
    A distribution of a non-negative quantity.

        #agent.dist<"lognormal", [5.0, 0.3], 0.0>

    (C1) The kind is one of point, lognormal, truncated, exponential, wait, repeats, quantiles, samples.
    """

    name = "agent.dist"
    kind: StringAttr = param_def()
    params: ArrayAttr = param_def()
    shift: FloatAttr = param_def()

    @staticmethod
    def of(value: Distribution) -> DistAttr:
        """The attribute that carries `value`."""
        params = ArrayAttr(FloatAttr(p, f64) for p in value.params)
        return DistAttr(StringAttr(value.kind), params, FloatAttr(value.shift, f64))

    @property
    def value(self) -> Distribution:
        """The distribution as the value type that the cost model works with."""
        params = (p.value.data for p in self.params if isinstance(p, FloatAttr))
        return Distribution(self.kind.data, tuple(params), self.shift.value.data)

    def verify(self) -> None:
        if self.kind.data not in KINDS:
            raise VerifyException(f"(C1) `{self.kind.data}` is no kind of distribution")
