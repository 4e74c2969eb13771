"""Schedules: values against independent arithmetic and torch's schedulers, and the laws all of them obey."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adamas import schedules as s
from snapshots import label

# One of each, away from neutral arguments; the last column is the step from which it is flat (None: never).
ROLL = [
    (s.constant(0.3), 0),
    (s.exponential(0.3, 0.9, every=7), None),
    (s.exponential(0.3, 0.9, every=7, staircase=True, end=0.1), 77),
    (s.exponential(1e-6, 1.5, end=0.2), 31),
    (s.step(0.3, 7, 0.5), None),
    (s.multistep(0.3, (3, 9, 40), 0.5), 40),
    (s.piecewise((0.3, 0.1, 0.2), (4, 30)), 30),
    (s.inverse_time(0.3, 0.5, every=3), None),
    (s.inverse_time(0.3, 0.5, every=3, staircase=True), None),
    (s.inverse_sqrt(0.3, 12), None),
    (s.polynomial(0.3, 40, 0.01, 2.0), 40),
    (s.linear(0.3, 40, 0.01), 40),
    (s.linear(0.9, 40, 0.95), 40),
    (s.cosine(0.3, 40, 0.01), 40),
    (s.cosine_restarts(0.3, 10, 0.01, stretch=2, shrink=0.5), None),
    (s.warmup(s.cosine(0.3, 40, 0.01), 9, start=0.02), 49),
    (s.wsd(0.3, 5, 20, 15, start=0.02, end=0.01, shape="1-sqrt"), 40),
    (s.one_cycle(0.3, 40), 39),
    (s.one_cycle(0.85, 40, start=0.95, end=0.94, three_phase=True), 39),
    (s.join((s.linear(0.3, 10, 0.1), 0.05, s.cosine(0.1, 20, 0.01)), (10, 30)), 50),
]
EVERY = pytest.mark.parametrize(("schedule", "flat"), ROLL, ids=[repr(schedule) for schedule, _ in ROLL])


def values(schedule, count=60):
    return np.array([schedule(k) for k in range(count)])


# ---- values, by arithmetic written out here


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        (s.constant(0.25), 10**12, 0.25),
        (s.exponential(0.5, 0.25, every=2), 1, 0.25),
        (s.exponential(0.5, 0.25, every=2, staircase=True), 3, 0.125),
        (s.exponential(0.5, 0.25, end=0.1), 5, 0.1),
        (s.exponential(0.5, 4.0, end=3.0), 1, 2.0),
        (s.exponential(0.5, 4.0, end=3.0), 2, 3.0),
        (s.exponential(0.5, 4.0), 10**6, math.inf),
        (s.step(1.0, 3), 2, 1.0),
        (s.step(1.0, 3), 3, 0.1),
        (s.step(1.0, 3, 0.5), 8, 0.25),
        (s.multistep(1.0, [2, 5], 0.5), 1, 1.0),
        (s.multistep(1.0, [2, 5], 0.5), 2, 0.5),
        (s.multistep(1.0, [2, 5], 0.5), 5, 0.25),
        (s.piecewise([1.0, 0.5, 0.1], [100, 200]), 99, 1.0),
        (s.piecewise([1.0, 0.5, 0.1], [100, 200]), 100, 0.5),
        (s.piecewise([1.0, 0.5, 0.1], [100, 200]), 10**9, 0.1),
        (s.inverse_time(1.0, 3.0, every=4), 4, 0.25),
        (s.inverse_time(1.0, 3.0, every=4), 2, 0.4),
        (s.inverse_time(1.0, 3.0, every=4, staircase=True), 7, 0.25),
        (s.inverse_sqrt(1.0, 10), 30, 0.5),
        (s.inverse_sqrt(1.0), 30_000, 0.5),
        (s.polynomial(1.0, 4, 0.5, 2.0), 2, 0.625),
        (s.polynomial(1.0, 4, 0.5, 2.0), 5, 0.5),
        (s.linear(1.0, 4, 3.0), 1, 1.5),
        (s.linear(1.0, 4), 99, 0.0),
        (s.cosine(1.0, 6, 0.5), 2, 0.875),  # cos(pi / 3) = 1 / 2
        (s.cosine(1.0, 6, 0.5), 6, 0.5),
        (s.cosine(1.0, 6, 0.5), 12, 0.5),
        (s.cosine_restarts(1.0, 4), 4 * 10**15 + 2, 0.5),
        (s.cosine_restarts(1.0, 4, 0.5, stretch=2, shrink=0.5), 3, 0.5 + 0.25 * (1 - math.sqrt(0.5))),
        (s.cosine_restarts(1.0, 4, 0.5, stretch=2, shrink=0.5), 4, 0.75),
        (s.cosine_restarts(1.0, 4, 0.5, stretch=2, shrink=0.5), 8, 0.625),
        (s.cosine_restarts(1.0, 4, 0.5, stretch=2, shrink=0.5), 12, 0.625),
        (s.cosine_restarts(1.0, 4, 0.5, stretch=2, shrink=0.5), 20, 0.5625),
        (s.warmup(2.0, 4), 0, 0.0),
        (s.warmup(2.0, 4), 3, 1.5),
        (s.warmup(2.0, 4, start=1.0), 1, 1.25),
        (s.warmup(2.0, 4, skip_start=True), 0, 0.5),
        (s.warmup(2.0, 4, skip_start=True), 3, 2.0),
        (s.warmup(s.linear(2.0, 4), 10), 12, 1.0),
        (s.warmup(lambda k: 5.0 + k, 10), 5, 2.5),
        (s.warmup(lambda k: 5.0 + k, 10), 13, 8.0),
        (s.wsd(1.0, 4, 6, 8, start=0.5, end=0.2), 2, 0.75),
        (s.wsd(1.0, 4, 6, 8, start=0.5, end=0.2), 9, 1.0),
        (s.wsd(1.0, 4, 6, 8, end=0.2), 10, 1.0),
        (s.wsd(1.0, 4, 6, 8, end=0.2), 12, 0.8),
        (s.wsd(1.0, 4, 6, 8, end=0.2, shape="1-sqrt"), 12, 0.6),
        (s.wsd(1.0, 4, 6, 8, end=0.2, shape="1-square"), 12, 0.95),
        (s.wsd(1.0, 4, 6, 6, end=0.2, shape="cosine"), 12, 0.8),
        (s.wsd(1.0, 4, 6, 8, end=0.2), 18, 0.2),
        (s.wsd(1.0, 0, 3, 0, end=0.2), 2, 1.0),
        (s.wsd(1.0, 0, 3, 0, end=0.2), 3, 0.2),
        (s.one_cycle(1.0, 21, rise=0.5238095238095238), 0, 0.04),
        (s.one_cycle(1.0, 20, rise=0.55, shape="linear"), 5, 0.52),
        (s.one_cycle(1.0, 20, rise=0.55, shape="linear"), 10, 1.0),
        (s.one_cycle(1.0, 20, rise=0.55, end=0.1, shape="linear"), 13, 0.7),
        (s.one_cycle(1.0, 20), 19, 4e-6),
        (s.one_cycle(1.0, 20), 500, 4e-6),
        (s.one_cycle(1.0, 1), 0, 4e-6),
        (s.join((s.linear(1.0, 4), 7.0, s.linear(3.0, 2, 1.0)), (2, 5)), 1, 0.75),
        (s.join((s.linear(1.0, 4), 7.0, s.linear(3.0, 2, 1.0)), (2, 5)), 4, 7.0),
        (s.join((s.linear(1.0, 4), 7.0, s.linear(3.0, 2, 1.0)), (2, 5)), 6, 2.0),
    ],
    ids=label,
)
def test_value(schedule, step, expected):
    got = schedule(step)

    assert type(got) is float
    assert got == pytest.approx(expected, rel=1e-14, abs=1e-16)


def test_warmup_of_inverse_sqrt_is_the_transformer_rate():
    """Vaswani et al. 2017 with the peak taken out: min(k / w, sqrt(w / k)), k the number of updates done."""
    schedule = s.warmup(s.inverse_sqrt(0.3, timescale=16), steps=16)

    assert values(schedule)[1:] == pytest.approx([0.3 * min(k / 16, math.sqrt(16 / k)) for k in range(1, 60)])


def test_halving_time_of_inverse_time():
    assert s.inverse_time(0.3, 0.25, every=5)(20) == pytest.approx(0.15)


# ---- parity, side by side with torch


def of_torch(make, count, lr=0.3, group=None):
    """The learning rates (or another field of the group) torch uses at its first `count` updates."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    scheduler, used = make(torch.optim.lr_scheduler, optimizer), []
    for k in range(count):
        used.append(optimizer.param_groups[0][group or "lr"])
        optimizer.step()
        if k < count - 1:
            scheduler.step()
    return np.array(used)


@pytest.mark.parametrize(
    ("ours", "make", "count"),
    [
        (s.exponential(0.3, 0.93), lambda t, o: t.ExponentialLR(o, 0.93), 60),
        (s.step(0.3, 7, 0.4), lambda t, o: t.StepLR(o, 7, 0.4), 60),
        (s.multistep(0.3, [3, 9, 40], 0.4), lambda t, o: t.MultiStepLR(o, [3, 9, 40], 0.4), 60),
        (s.linear(0.3 * 0.2, 25, 0.3 * 0.9), lambda t, o: t.LinearLR(o, 0.2, 0.9, 25), 60),
        (s.polynomial(0.3, 25, power=1.7), lambda t, o: t.PolynomialLR(o, 25, 1.7), 60),
        (s.cosine(0.3, 25, 0.02), lambda t, o: t.CosineAnnealingLR(o, 25, 0.02), 26),
        (s.cosine_restarts(0.3, 9, 0.02), lambda t, o: t.CosineAnnealingWarmRestarts(o, 9, 1, 0.02), 60),
        (
            s.cosine_restarts(0.3, 4, 0.02, stretch=3),
            lambda t, o: t.CosineAnnealingWarmRestarts(o, 4, 3, 0.02),
            200,
        ),
        (s.one_cycle(0.7, 60), lambda t, o: t.OneCycleLR(o, 0.7, total_steps=60), 60),
        (
            s.one_cycle(0.7, 61, rise=0.37, start=0.07, end=0.07 / 50, shape="linear"),
            lambda t, o: t.OneCycleLR(
                o, 0.7, 61, pct_start=0.37, anneal_strategy="linear", div_factor=10, final_div_factor=50
            ),
            61,
        ),
        (
            s.one_cycle(0.7, 61, rise=0.37, three_phase=True),
            lambda t, o: t.OneCycleLR(o, 0.7, total_steps=61, pct_start=0.37, three_phase=True),
            61,
        ),
        (
            s.join((s.linear(0.03, 8, 0.3), s.cosine(0.3, 40)), (8,)),
            lambda t, o: t.SequentialLR(o, [t.LinearLR(o, 0.1, 1.0, 8), t.CosineAnnealingLR(o, 40)], [8]),
            48,
        ),
        (
            s.warmup(s.cosine(0.3, 40), 8, start=0.03),
            lambda t, o: t.SequentialLR(o, [t.LinearLR(o, 0.1, 1.0, 8), t.CosineAnnealingLR(o, 40)], [8]),
            48,
        ),
    ],
    ids=lambda value: repr(value) if callable(value) and not hasattr(value, "__code__") else "",
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_equals_torch(ours, make, count):
    # torch's chainable forms carry rounding from step to step; hence not equality.
    assert values(ours, count) == pytest.approx(of_torch(make, count), rel=1e-11, abs=1e-15)


def test_equals_torch_momentum_cycle():
    theirs = of_torch(lambda t, o: t.OneCycleLR(o, 0.7, total_steps=60), 60, group="momentum")

    assert values(s.one_cycle(0.85, 60, start=0.95, end=0.95)) == pytest.approx(theirs, rel=1e-12)


# ---- laws


@EVERY
def test_pure(schedule, flat):
    forth = values(schedule)
    back = [schedule(k) for k in reversed(range(60))]

    assert forth.tolist() == back[::-1]
    assert schedule(np.int64(17)) == schedule(17)


@EVERY
def test_pickles_compares_hashes_and_prints_as_its_call(schedule, flat):
    twin = pickle.loads(pickle.dumps(schedule))

    assert twin == schedule
    assert hash(twin) == hash(schedule)
    assert values(twin).tolist() == values(schedule).tolist()
    assert eval(repr(schedule), {name: getattr(s, name) for name in s.__all__}) == schedule
    assert all(schedule != other for other, _ in ROLL if other is not schedule)


@EVERY
def test_is_frozen(schedule, flat):
    name = next(iter(vars(schedule)))

    with pytest.raises(AttributeError):
        setattr(schedule, name, 1.0)


@EVERY
def test_flat_from_its_end_and_not_before(schedule, flat):
    if flat is None:
        assert schedule(10**6) != schedule(10**6 + 7) or schedule(10**6) == 0.0
        return
    assert {schedule(k) for k in (flat, flat + 1, flat + 100, 10**18)} == {schedule(flat)}
    assert flat == 0 or schedule(flat - 1) != schedule(flat)


REAL = st.floats(-1e6, 1e6)
SPAN = st.integers(1, 10_000)
STEP = st.integers(0, 20_000)


@given(REAL, REAL, SPAN, STEP, st.floats(0.1, 10), st.sampled_from(["linear", "cosine", "1-sqrt", "1-square"]))
def test_annealings_stay_between_their_ends_and_go_one_way(start, end, steps, step, power, shape):
    low, high = min(start, end), max(start, end)
    for schedule in (
        s.linear(start, steps, end),
        s.cosine(start, steps, end),
        s.polynomial(start, steps, end, power),
        s.wsd(start, 0, 0, steps, end=end, shape=shape),
    ):
        here, there = schedule(step), schedule(step + 1)
        slack = 1e-15 * max(abs(low), abs(high))  # cos is not monotone in its last bit
        assert schedule(0) == start
        assert schedule(steps) == end
        assert low <= here <= high
        assert (there - here) * (1 if end >= start else -1) >= -slack


def test_rounding_does_not_carry_past_the_end():
    assert 0.001 + (0.009 - 0.001) > 0.009  # the trap
    assert s.cosine(0.001, 10**9, 0.009)(10**9 - 1) == 0.009


@given(st.floats(1e-6, 1e6), st.floats(0.01, 0.999), SPAN, STEP)
def test_decays_fall_and_stay_positive(start, rate, every, step):
    for schedule in (
        s.exponential(start, rate, every, end=0.0),
        s.step(start, every, rate),
        s.inverse_time(start, rate, every),
        s.inverse_sqrt(start, every),
    ):
        assert start == schedule(0)
        assert 0.0 <= schedule(step + 1) <= schedule(step) <= start


@given(REAL, REAL, SPAN, st.integers(1, 4), STEP)
def test_restarts_begin_at_the_top_and_stay_inside(start, end, steps, stretch, step):
    schedule = s.cosine_restarts(start, steps, end, stretch)

    assert schedule(0) == pytest.approx(start, rel=1e-12, abs=1e-9)
    assert schedule(steps * (1 + stretch)) == schedule(steps) == schedule(0)
    assert min(start, end) - 1e-9 <= schedule(step) <= max(start, end) + 1e-9


@given(st.floats(0.1, 10), SPAN, SPAN, st.booleans())
def test_warmup_meets_its_schedule(peak, steps, length, skip):
    inner = s.cosine(peak, length)
    schedule = s.warmup(inner, steps, skip_start=skip)

    assert schedule(steps) == inner(0) == peak
    assert 0.0 <= peak - schedule(steps - 1) <= peak / steps * (1 + 1e-9)  # no jump: at most one stair of the line
    assert schedule(steps + length // 2) == inner(length // 2)
    assert schedule(0) == (pytest.approx(peak / steps) if skip else 0.0)


@given(st.floats(0.1, 10), st.integers(0, 50), st.integers(0, 50), st.integers(2, 50))
def test_wsd_is_the_join_of_its_parts(peak, warm, stable, decay):
    whole = s.wsd(peak, warm, stable, decay, end=0.05)
    parts = ([s.linear(0.0, warm, peak)] if warm else []) + ([peak] if stable else [])
    parts.append(s.linear(peak, decay, 0.05))
    marks = ([warm] if warm else []) + ([warm + stable] if stable else [])

    assert values(whole, 160).tolist() == values(s.join(parts, marks), 160).tolist()


@given(st.integers(3, 500), st.floats(0.05, 0.5), st.booleans())
def test_one_cycle_turns_at_its_peak(steps, rise, three_phase):
    got = values(s.one_cycle(1.0, steps, rise, three_phase=three_phase), steps)
    turn = int(got.argmax())

    assert abs(turn - (rise * steps - 1)) <= 1
    assert got.max() <= 1.0
    assert np.all(np.diff(got[: turn + 1]) >= 0)
    assert np.all(np.diff(got[turn:]) <= 0)
    assert got[-1] == 4e-6


def test_join_restarts_each_piece_at_its_own_step_0():
    seen = []
    pieces = [lambda k, name=name: seen.append((name, k)) or 1.0 for name in "abc"]
    schedule = s.join(pieces, (2, 5))
    values(schedule, 7)

    assert seen == [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2), ("c", 0), ("c", 1)]


# ---- bad arguments


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: s.constant("0.1"), "constant: value='0.1' must be a finite number"),
        (lambda: s.constant(True), "value=True must be a finite number"),
        (lambda: s.constant(math.nan), "value=nan must be a finite number"),
        (lambda: s.constant(None), "value=None"),
        (lambda: s.linear(math.inf, 3), "linear: start=inf must be a finite number"),
        (lambda: s.linear(1.0, 0), "linear: steps=0 must be a whole number >= 1"),
        (lambda: s.linear(1.0, 2.5), "steps=2.5 must be a whole number"),
        (lambda: s.linear(1.0, True), "steps=True must be a whole number"),
        (lambda: s.exponential(1.0, 0.0), "exponential: rate=0.0 must be a finite number > 0"),
        (lambda: s.exponential(1.0, 0.9, staircase="yes"), "staircase='yes' must be one of False, True"),
        (lambda: s.exponential(1.0, 0.9, end=2.0), "moves away from its end"),
        (lambda: s.exponential(1.0, 1.1, end=0.5), "moves away from its end"),
        (lambda: s.step(1.0, -1), "step: every=-1"),
        (lambda: s.multistep(1.0, 5), "multistep: at=5"),
        (lambda: s.multistep(1.0, [5, 5]), r"at=\[5, 5\] must be step numbers in strictly rising order"),
        (lambda: s.multistep(1.0, [0, 5]), "must be a whole number >= 1"),
        (lambda: s.piecewise([1.0, 2.0], []), "one boundary between each two"),
        (lambda: s.piecewise([], []), "one boundary between each two"),
        (lambda: s.join([1.0, "x"], [5]), "join: pieces"),
        (lambda: s.join([1.0, 2.0], [5, 7]), "one boundary between each two"),
        (lambda: s.polynomial(1.0, 5, power=-1), "power=-1 must be a finite number > 0"),
        (lambda: s.cosine_restarts(1.0, 5, stretch=1.5), "stretch=1.5 must be a whole number >= 1"),
        (lambda: s.cosine_restarts(1.0, 5, shrink=0), "shrink=0 must be a finite number > 0"),
        (lambda: s.warmup(None, 5), "warmup: schedule=None must be a finite number"),
        (lambda: s.wsd(1.0, -1, 2, 3), "wsd: warmup=-1 must be a whole number >= 0"),
        (
            lambda: s.wsd(1.0, 1, 2, 3, shape="square"),
            "shape='square' must be one of 'linear', 'cosine', '1-sqrt'",
        ),
        (lambda: s.one_cycle(1.0, 9, rise=1.0), "rise=1.0 must be a finite number > 0 and < 1"),
        (lambda: s.one_cycle(1.0, 9, rise=0.6, three_phase=True), "rise=0.6 must be <= 0.5"),
        (lambda: s.constant(1.0)(-1), "step=-1 must be a whole number >= 0"),
        (lambda: s.constant(1.0)(2.0), "step=2.0 must be a whole number >= 0"),
    ],
)
def test_bad_argument(make, text):
    with pytest.raises(ValueError, match=text):
        make()
