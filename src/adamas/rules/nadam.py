"""NAdam."""

from typing import Any

from ._declare import Hyper, Slot, rule
from ._terms import average, corrected, ratio
from .adam import SECOND_MOMENT


@rule(
    name="NAdam",
    source="Dozat 2016, Algorithm 2 and section 3",
    slots={"v": SECOND_MOMENT, "mu_product": Slot("mu_product", 1.0, meaning="product of mu_t so far", scalar=True)},
    hyper={"momentum_decay": Hyper("momentum_decay", low=0, unit="per step", meaning="psi of the schedule of mu")},
    choices={"compat": ("paper", "folded"), "form": ("torch", "dozat")},
    adaptive="yes",
    momentum="Nesterov",
    bias_correction="yes",
)
def nadam(
    p: Any, g: Any, m: Any, v: Any, mu_product: Any, t: Any, *,
    lr: Any = 2e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8, momentum_decay: Any = 4e-3,
    form: str = "torch", compat: str = "paper",
) -> Any:  # fmt: skip
    """Adam with Nesterov's momentum.

    form="torch": mu_t = beta1 (1 - 0.96^(t psi) / 2) with psi = momentum_decay (Keras: psi = 1); form="dozat":
    constant beta1, as optax.
    """
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    if form == "torch":
        mu = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
        mu_product = mu_product * mu
        m_hat = mu_next / (1 - mu_product * mu_next) * m + (1 - mu) / (1 - mu_product) * g
    else:
        m_hat = beta1 / (1 - beta1 ** (t + 1)) * m + (1 - beta1) / (1 - beta1**t) * g
    step_size, root_scale = corrected(t, lr, 0, beta2, compat)  # m_hat is corrected already
    return p - ratio(step_size, m_hat, v, root_scale, eps), m, v, mu_product
