"""The scale of a sampler: the one number that makes it seek modes or diversity."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A scale; at 1 the sampler draws from the model as it is."""

    name: str
    symbol: str
    mode_seeking_above: bool  # whether it is mode-seeking above 1, or below

    def seeking(self, value: float) -> str | None:
        """`mode` or `diversity`; None at 1."""
        if value == 1:
            return None
        return "mode" if (value > 1) == self.mode_seeking_above else "diversity"


SCALES = {
    "diffusion": Scale("score scale", "ζ", True),
    "autoregressive": Scale("temperature", "τ", False),
}
