"""AdEMAMix."""

from typing import Any

from ._declare import Hyper, Slot, rule
from ._terms import average, corrected, ratio
from ._vocabulary import exp, log, maximum, minimum, where
from .adam import SECOND_MOMENT


@rule(
    name="AdEMAMix",
    source="Pagliardini, Ablin & Grangier 2024, Algorithm 1",
    slots={"m": Slot("m", meaning="fast mean of gradients"), "s": Slot("s", meaning="slow mean"), "v": SECOND_MOMENT},
    hyper={
        "alpha": Hyper("alpha", low=0, meaning="weight of the slow mean"),
        "warmup": Hyper("warmup", low=0, unit="steps", meaning="steps until alpha and beta3 are reached; 0: at once"),
    },
    decay="decoupled",
    adaptive="yes",
    momentum="two means",
    bias_correction="yes",
)
def ademamix(
    p: Any, g: Any, m: Any, s: Any, v: Any, t: Any, *,
    lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, beta3: Any = 0.9999, eps: Any = 1e-8,
    alpha: Any = 5.0, warmup: Any = 0.0,
) -> Any:  # fmt: skip
    """Adam with a second, slow mean of gradients. The paper warms alpha and beta3 up over the whole run."""
    done = minimum(where(warmup > 0, t / maximum(warmup, 1e-300), 1), 1)
    fast, slow = log(maximum(beta1, 1e-300)), log(maximum(beta3, 1e-300))
    rising = exp(fast * slow / ((1 - done) * slow + done * fast))
    slow_beta = where(done < 1, minimum(rising, beta3), beta3)
    m = average(beta1, m, g)
    s = average(slow_beta, s, g)
    v = average(beta2, v, g * g)
    step_size, root_scale = corrected(t, 1, beta1, beta2, "paper")
    return p - ratio(lr, step_size * m + alpha * done * s, v, root_scale, eps), m, s, v
