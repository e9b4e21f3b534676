"""A self-consuming loop: fit, draw, compose the next training set, and again."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Protocol

import numpy as np

from adaptive_neon.collapse.regimes import Regime

Parameters = Any  # of a model, for all seeds; what it is, the model knows
Correction = Callable[[Parameters, np.random.Generator], Parameters]


class Model(Protocol):
    """What a loop asks of a model. Data can be pooled (`+`) and, for some regimes, weighted or chosen from."""

    def fit(self, data: Any) -> Parameters: ...

    def sample(self, parameters: Parameters, n: int, rng: np.random.Generator) -> Any:
        """n samples a seed of the distribution with these parameters."""
        ...

    def sharpened(self, parameters: Parameters) -> Parameters:
        """The distribution that the model's sampler draws from; an honest one: the same."""
        ...


def stream(seed: int, purpose: str) -> np.random.Generator:
    """The random stream of one purpose: independent of what else the seed is used for."""
    return np.random.default_rng([seed, *purpose.encode()])


def generations(
    model: Model, regime: Regime, truth: Parameters, rng: np.random.Generator, correct: Correction | None = None
) -> Iterator[Parameters]:
    """The parameters of generation 1, fitted to real data, of generation 2, and so on without end.

    Args:
        truth: parameters of the distribution that real data come from.
        correct: changes each generation's parameters after the fit, as `neon.correction` does.
    """

    def real(n: int) -> Any:
        return model.sample(truth, n, rng)

    data, memory = regime.begin(real)
    while True:
        parameters = model.fit(data)
        if correct:
            parameters = correct(parameters, rng)
        yield parameters
        drawn_from = model.sharpened(parameters)
        data, memory = regime.step(memory, real, lambda n, p=drawn_from: model.sample(p, n, rng), rng)


def generation(t: int, model: Model, regime: Regime, truth: Parameters, rng: np.random.Generator, **more) -> Any:
    """The parameters of generation t ≥ 1 alone."""
    return next(islice(generations(model, regime, truth, rng, **more), t - 1, None))
