"""A statement on loops, with the number that its exact law gives and the simulated one."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from adaptive_neon.collapse.metrics import Mean

ROUNDING = 1e-12  # of a simulation without noise, relative
LIMIT = 4.0  # standard errors: beyond it a simulation contradicts a law; of fifty laws that hold, one in 300 times


@dataclass(frozen=True)
class Statement:
    """One row of the table of laws.

    Args:
        topic: what loop it is about.
        source: the paper, or `derived here`.
        claim: what the paper says, in our words.
        law: the exact law, as a formula.
        setting: of the simulation.
        predicted: what the law gives there.
        simulated: mean over seeds with its standard error.
        verdict: what follows for the claim if the simulation meets the law.
        finding: why, in a sentence.
        relation: of the simulated value to the predicted one.
    """

    topic: str
    source: str
    claim: str
    law: str
    setting: str
    predicted: float
    simulated: Mean
    verdict: Literal["confirmed", "made precise", "corrected", "new"]
    finding: str
    relation: Literal["=", "≤", "≥"] = "="

    @property
    def deviation(self) -> float:
        """Simulated minus predicted, in standard errors. Without noise it is 0, or infinite if they differ."""
        difference = self.simulated.value - self.predicted
        rounding = ROUNDING * max(1.0, abs(self.predicted))
        if self.simulated.error > rounding:
            return difference / self.simulated.error
        return 0.0 if abs(difference) <= rounding else math.copysign(math.inf, difference)

    @property
    def holds(self) -> bool:
        """Whether the simulation meets the law, within `LIMIT` standard errors."""
        worst = {"=": abs(self.deviation), "≤": self.deviation, "≥": -self.deviation}[self.relation]
        return bool(worst <= LIMIT)

    def record(self) -> Mapping:
        """For a JSON file."""
        more = {"simulated": self.simulated._asdict(), "deviation": self.deviation, "holds": self.holds}
        return asdict(self) | more
