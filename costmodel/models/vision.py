"""The part of a model that turns images into tokens: a vision transformer and what merges its patches.

Equations are numbered as in `docs/math/models.md`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Vision:
    """A vision tower by what its weights are multiplied with.

    A patch of `patch_pixels`^2 pixels passes `patch_parameters`; merge^2 patches become one token of the language
    model, which passes `token_parameters`; `other_parameters` are looked up or added.
    """

    layers: int
    width: int
    """of attention: heads x head_dim"""
    patch_pixels: int
    merge: int
    patch_parameters: int
    token_parameters: int
    other_parameters: int

    @property
    def parameters(self) -> int:
        """All weights."""
        return self.patch_parameters + self.token_parameters + self.other_parameters

    def tokens(self, width_pixels: float, height_pixels: float) -> float:
        """Tokens of the language model that one image becomes."""
        return width_pixels * height_pixels / (self.patch_pixels * self.merge) ** 2

    def flops(self, width_pixels: float, height_pixels: float) -> float:
        """Of one image of n patches. Equation (15).

        2 n patch_parameters + 4 layers width n^2 + 2 n / merge^2 token_parameters.
        """
        tokens = self.tokens(width_pixels, height_pixels)
        patches = tokens * self.merge**2
        products = 2 * (patches * self.patch_parameters + tokens * self.token_parameters)
        return products + 4 * self.layers * self.width * patches**2
