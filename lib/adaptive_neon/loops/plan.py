"""What a configuration asks of a loop: regimes, generations, seeds. No torch, no files.

θ_0 is the study's base model. θ_{g+1} is trained on a set that its regime composes of real images and of images
of θ_0 … θ_g, and maybe corrected by Neon, θ_r − w·(θ_s − θ_r), where θ_s is θ_r trained on its own images.
"""

from collections.abc import Mapping
from dataclasses import dataclass

BASE = "base"  # generation 0, which all regimes share
BLOCKS = {"all": "."}  # Neon in a loop has one weight


@dataclass(frozen=True)
class Regime:
    """What the generations of one line are trained on, and how they are corrected.

    Attributes:
        data: `replace`, `accumulate`, `subsample`, `fixed` or `fresh` (see `composition.compose`).
        real: share of real images; only of `fixed` and `fresh`.
        start: of a training: `previous`, the generation before, or `scratch`.
        neon: weights w to choose from; none leaves the model as it was trained.
    """

    name: str
    data: str
    real: float | None = None
    start: str = "previous"
    neon: tuple[float, ...] = ()

    @property
    def turns_step(self) -> bool:
        """Whether the training of a generation is itself the θ_s of Neon, and θ_r the generation before.

        It is where a model continues on its own images and no others. Elsewhere the step leads to θ_r, whose own
        images are yet to be drawn and trained on.
        """
        return bool(self.neon) and self.data == "replace" and self.start == "previous"

    @property
    def corrects_model(self) -> bool:
        """Whether Neon comes after the training of a generation, with a self-training of its own."""
        return bool(self.neon) and not self.turns_step

    def sources(self, generation: int) -> range:
        """The generations whose images the training set of this one may hold."""
        return range(0 if self.data in ("accumulate", "subsample") else generation - 1, generation)


class Loop:
    """The section `loop` of a checked configuration, read."""

    def __init__(self, config: Mapping):
        self.config = config
        section = config["loop"]
        self.images: int = section["images"]
        self.generations = range(1, section["generations"] + 1)
        self.regimes = {
            regime["name"]: Regime(**regime | {"neon": tuple(map(float, regime.get("neon", ())))})
            for regime in section["regimes"]
        }

    def seeds(self, replica: int, generation: int, own: bool = False) -> tuple[int, int]:
        """First seed and number of the images that a generation draws for those after it, the same in all regimes.

        Args:
            own: of the images of the model before Neon, which Neon's self-training takes.
        """
        block = (2 * generation + own) * self.images
        return self.config["loop"]["first_seed"] + self._shift(replica) + block, self.images

    def training_seed(self, replica: int, generation: int, start: str, own: bool = False) -> int:
        """The seed of the training of a generation, or of Neon's self-training after it."""
        section = self.config["base"]["training"] if start == "scratch" else self.config["finetune"]
        return section["seed"] + self._shift(replica) + 2 * generation + own

    def composition_seed(self, replica: int) -> int:
        """The seed that chooses among real and older images, the same for all generations."""
        return self.config["loop"]["first_seed"] + self._shift(replica)

    def training(self, start: str) -> dict:
        """The settings of a training, and its length `kimg`; without its seed."""
        if start == "scratch":
            settings = dict(self.config["base"]["training"])
        else:
            settings = self.config["finetune"] | {"kimg": self.config["loop"]["kimg"]}
        return {key: value for key, value in settings.items() if key not in ("seed", "snapshots_kimg")}

    def _shift(self, replica: int) -> int:
        return replica * self.config["replica_stride"]
