"""`adamas.minimize` reports a success only where its claims hold: 200 random problems, checked by independent code."""

from __future__ import annotations

from collections import Counter

import numpy as np
from minimize_cases import FAMILIES, case, faults, tolerances

import adamas


def run(seed):
    one = case(seed)
    with np.errstate(all="ignore"):  # runs that diverge are part of it
        return one, adamas.minimize(x0=one.start, **one.functions(np.random.default_rng([10, seed])), **one.call)


def test_every_success_of_200_random_problems_is_within_its_tolerances():
    said, held, shown, statuses, wrong = Counter(), Counter(), Counter(), Counter(), {}
    for seed in range(200):
        one, result = run(seed)
        statuses[result.status] += 1
        assert result.success == (result.status == 0)
        if result.success:
            said[one.family] += 1
            shown.update(tolerances(one.call).keys())
            if found := faults(one, result):
                wrong[seed] = found
            else:
                held[one.family] += 1
    print(f"\nsuccess said {sum(said.values())}, held {sum(held.values())}; by family {dict(said)}; {dict(shown)};")
    print(f"statuses {dict(statuses)}")
    assert wrong == {}
    assert held == said
    # and none of this is empty
    assert sum(said.values()) >= 50
    assert all(said[family] >= 3 for family in FAMILIES)
    assert all(shown[name] >= 20 for name in ("ftol", "xtol", "gtol"))
    assert statuses[1] >= 40
    assert statuses[4] >= 3
