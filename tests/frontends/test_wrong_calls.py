"""Wrong calls: each has its error text, and none leaves a trace.

Every row of the table runs beside a live optimizer that has made two steps. After the error the parameters, the
gradients and the state have the same bits as before, and the next correct step gives what an untouched twin gives.
"""

from __future__ import annotations

import math
import re

import pytest
from wrong_live import Live, Trip, Wrong, arrays
from wrong_settings import ASSIGNMENT, CONSTRUCTION
from wrong_steps import STATE, STEP

import adamas
from snapshots import bits, python

TABLE = {
    f"{place}: {what}": wrong
    for place, part in {"new": CONSTRUCTION, "set": ASSIGNMENT, "step": STEP, "load": STATE}.items()
    for what, wrong in part.items()
}


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("wrong", TABLE.values(), ids=list(TABLE))
def test_wrong_call(wrong: Wrong, backend: str) -> None:
    live, twin = (Live(backend, wrong.kind, wrong.member, dict(wrong.settings)) for _ in range(2))
    threads = adamas.get_num_threads()
    before = bits((live.p, live.g, live.opt.state_dict()))
    hyper, shown = live.opt.hyper, repr(live.opt)
    with pytest.raises(wrong.error) as caught:
        wrong.call(live)
    message = str(caught.value)
    assert re.search(wrong.text, message, re.DOTALL), message
    assert bits((live.p, live.g, live.opt.state_dict())) == before
    assert (live.opt.hyper, repr(live.opt), adamas.get_num_threads()) == (hyper, shown, threads)
    for one in (live, twin):
        one.step()
    assert live.opt.t == 3
    assert bits((live.p, live.opt.state_dict())) == bits((twin.p, twin.opt.state_dict()))


def test_the_table_is_long_enough_and_has_no_idle_row() -> None:
    assert len(TABLE) >= 60
    texts = [w.text for w in TABLE.values()]
    assert all(re.search(w.text, "") is None for w in TABLE.values())  # no pattern that everything matches
    assert len(set(texts)) > 0.9 * len(texts)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_wrong_first_step_leaves_a_new_optimizer_new(backend: str) -> None:
    """Before the first step as well: the next call begins as if nothing had been."""
    trip = Trip()
    opt = adamas.NAdam(lr=trip, overrides={"b": {"eps": 0.1}}, backend=backend)
    p, g = arrays("flat", 1), arrays("flat", 2)
    before = bits((p, opt.state_dict()))
    trip.answer = math.nan
    with pytest.raises(ValueError, match="lr=nan"):
        opt.step(p, g)
    with pytest.raises(ValueError, match="share memory"):
        opt.step({"a": p["b"], "b": p["b"]}, {"a": g["b"], "b": g["b"]})
    assert bits((p, opt.state_dict())) == before
    trip.answer = 0.01
    other = adamas.NAdam(lr=0.01, overrides={"b": {"eps": 0.1}}, backend=backend)
    q = arrays("flat", 1)
    opt.step(p, g)
    other.step(q, g)
    assert bits((p, opt.state_dict()["state"])) == bits((q, other.state_dict()["state"]))


@pytest.mark.parametrize("value", ["abc", "0", "1.5", ""])
def test_number_of_threads_from_the_environment(value: str) -> None:
    """ADAMAS_NUM_THREADS is read once, by a process of its own here."""
    text = f"ValueError: ADAMAS_NUM_THREADS='?{value}'? must be a whole number from 1 to 1024"
    with pytest.raises(AssertionError, match=re.escape(text).replace(re.escape("'?"), "'?")):
        python("import adamas; adamas.get_num_threads()", ADAMAS_NUM_THREADS=value)


def test_number_of_threads_from_the_environment_is_taken() -> None:
    assert python("import adamas; print(adamas.get_num_threads())", ADAMAS_NUM_THREADS="3") == "3\n"
