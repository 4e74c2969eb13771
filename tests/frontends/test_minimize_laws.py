"""Laws of the ladder on which `adamas.minimize` looks for lower losses: for a convex loss nothing on the line escapes it."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from adamas._objective import Objective
from adamas._proof import Point, falls, lines


@given(
    power=st.sampled_from([1.0, 1.5, 2.0, 4.0]),
    scale=st.floats(-150, 150),
    distance=st.floats(-5, 5),
    wanted=st.floats(-8, 3),
    floor=st.sampled_from([0.0, 1.0]),
)
def test_the_ladder_tells_how_far_a_convex_loss_falls(power, scale, distance, wanted, floor):
    """f = s (|x|**p / p + floor): a fall by more than `drop` is found; one that is found is more than half of it."""
    size, x = 10.0**scale, np.array([10.0**distance])
    objective = Objective(
        lambda y: size * (float(np.abs(y[0]) ** power) / power + floor), (),
        lambda y: size * np.sign(y) * np.abs(y) ** (power - 1.0), np.array([-np.inf]), np.array([np.inf]), None,
    )  # fmt: skip
    loss, grad = objective(x)
    fall = loss - size * floor
    drop = fall * 10.0**wanted
    if not drop > 1e-12 * loss:  # nearer to rounding nothing can be told
        return
    (line,) = lines(objective, Point(x, loss, grad, 0), x)
    found = falls(objective, Point(x, loss, grad, 0), line, drop)
    assert found or fall <= drop * (1.0 + 1e-3)  # 1e-3: rounding of losses, 1e-16 of loss / drop up to 1e12
    assert not found or fall > 0.5 * drop * (1.0 - 1e-3)


SLOPES = st.tuples(st.sampled_from([-1.0, 1.0]), st.floats(-3, 3)).map(lambda pair: pair[0] * 10.0 ** pair[1])


@given(
    pieces=st.lists(st.tuples(SLOPES, st.floats(-10, 10)), min_size=2, max_size=6),
    x=st.floats(-50, 50),
    wanted=st.floats(-3, 1),
)
@example(pieces=[(100.0, 0.0), (0.1, 0.0), (-1000.0, -1e4)], x=1e-3, wanted=-0.045)
def test_the_ladder_misses_no_fall_of_a_convex_loss_with_corners(pieces, x, wanted):
    """The loss is the largest of some straight lines: steep at first, then shallow for long, then rising."""
    slopes, heights = np.array([a for a, _ in pieces] + [-1e3, 1e3]), np.array([b for _, b in pieces] + [-1e5, -1e5])

    def loss(y):
        return float(np.max(slopes * y[0] + heights))

    objective = Objective(
        loss, (), lambda y: [slopes[np.argmax(slopes * y[0] + heights)]], np.full(1, -np.inf), np.full(1, np.inf), None
    )
    corners = [
        (heights[j] - heights[i]) / (slopes[i] - slopes[j])
        for i in range(len(slopes)) for j in range(i) if slopes[i] != slopes[j]
    ]  # fmt: skip
    at = Point(np.array([x]), loss([x]), objective(np.array([x]))[1], 0)
    fall = at.loss - min(loss([corner]) for corner in corners)
    drop = fall * 10.0**wanted
    if not drop > 1e-6 * (1.0 + abs(at.loss)):  # nearer to rounding nothing can be told: losses are of sums up to 1e5
        return
    (line,) = lines(objective, at, at.x)
    found = falls(objective, at, line, drop)
    assert found or fall <= drop * (1.0 + 1e-3)
    assert not found or fall > 0.5 * drop * (1.0 - 1e-3)
