"""The studies that state a formula on purpose: each runs a misprint beside the paper, so it must write it down.

Every other study is made of members and of the terms of `adamas.rules`; the two tests that look for formulas scan it.
"""

from __future__ import annotations

MISPRINTS = {
    "division_by_zero_at_t0": "the corrections of a counter that starts at 0, one behind",
    "moments_cannot_swap_roles": "numerator and denominator exchanged, as printed and with the units right",
    "which_adam_eps_inside": "eps under the root",
    "which_adam_no_root": "no second moment",
    "which_adam_power_misprint": "powers of beta in the averages, a gradient that is not squared",
    "which_adam_wrong_product": "bias corrections that multiply instead of divide",
}
"""By file in lab/studies, what is misprinted."""
FILES = {f"lab/studies/{name}.py" for name in MISPRINTS}
