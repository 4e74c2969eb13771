"""The page in headless Chromium: no request, no error, every control by mouse and keyboard, state in the address."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import new_page, opened

import adamas
from adamas.lab.example_rule import grams
from adamas.lab.play.page import page as playground

LIMIT = 200_000
THREE = [{"member": "Adam"}, {"member": "RMSprop"}, {"member": "SGD"}]
BASE = {"steps": 40, "at": 20, "focus": 2, "runners": THREE, "noise": "gaussian", "surface": "t0-bowl", "seed": 7}
WHOLE = ("steps", "seed", "warmup", "batch")
SORTED = """x => JSON.stringify(x, (_, v) => v && typeof v === "object" && !Array.isArray(v)
  ? Object.fromEntries(Object.entries(v).sort()) : v)"""
pytestmark = pytest.mark.browser


class Watched:
    """A page, what it asked for and what it complained about."""

    def __init__(self, page: Any, file: Path):
        self.page, self.file = page, file
        self.known: Any = None
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.visit("")

    def visit(self, address: str) -> None:
        self.page.goto("about:blank")
        self.page.goto(self.file.as_uri() + address)
        self.page.wait_for_function("window.__lab?.ready")

    def state(self) -> Any:
        return self.page.evaluate("__lab.state()")

    def base(self) -> Any:
        """One known state; the language and the look of the page stay."""
        if self.known is None:
            self.page.evaluate("state => { __lab.reset(); __lab.set(state); }", BASE)
            self.known = self.state()
        self.page.evaluate("state => __lab.set(state)", self.known)
        return self.state()

    def settle(self) -> None:
        """Wait until the page has redrawn."""
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def until(self, condition: str, given: Any = None) -> None:
        """Wait until a JavaScript function of `given` is true."""
        self.page.wait_for_function(condition, arg=given)

    def changed(self, before: Any, what: str = "") -> Any:
        """Wait for another state than the one before, and return it."""
        try:
            self.until(f"before => ({SORTED})(__lab.state()) !== ({SORTED})(before)", before)
        except Exception as error:
            raise AssertionError(f"{what} changed nothing") from error
        after = self.state()
        assert after != before, what
        return after

    def unchanged(self, before: Any, what: str = "") -> None:
        """The state is the one before, also when the page has redrawn."""
        self.settle()
        assert self.state() == before, what

    def filled(self) -> None:
        """Wait until the map of learning rates is whole."""
        self.until("() => __lab.filled()")

    def series(self, name: str) -> Any:
        return self.page.evaluate("name => __lab.series(name)", name)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    file = tmp_path_factory.mktemp("play") / "playground.html"
    file.write_text(playground(), encoding="utf-8")
    with opened(offline=True) as page:
        seen = Watched(page, file)
        yield seen


def controls(watched: Watched, css: str) -> list[str]:
    found = watched.page.eval_on_selector_all(css, "all => all.map(e => e.dataset.testid)")
    assert found, f"no control matches {css}"
    assert all(found), f"a control of {css} has no data-testid"
    return list(found)


def at(watched: Watched, testid: str) -> Any:
    return watched.page.locator(f'[data-testid="{testid}"]')


def press(watched: Watched, testid: str, way: str) -> None:
    """Use a button."""
    if way == "mouse":
        at(watched, testid).click()
    else:
        at(watched, testid).focus()
        watched.page.keyboard.press("Enter")


def idle(testid: str) -> bool:
    """Whether the base state is what this button sets."""
    return testid == "focus-2"


def test_it_asks_for_nothing_and_is_small(watched: Watched, record_property: Any) -> None:
    watched.filled()
    watched.settle()
    assert set(watched.requests) <= {watched.file.as_uri()}
    assert watched.errors == []
    assert watched.file.stat().st_size <= LIMIT
    record_property("first_render_ms", watched.page.evaluate("__lab.firstRenderMs"))


def test_buttons_work_by_mouse_and_keyboard(watched: Watched) -> None:
    watched.base()
    for testid in controls(watched, "button"):
        for way in ("mouse", "keyboard"):
            before = watched.base()
            press(watched, testid, way)
            if idle(testid):
                watched.unchanged(before, f"{testid} by {way}")
            else:
                watched.changed(before, f"{testid} by {way}")
            if testid == "play":  # it stops by itself; what the next button does is then its own doing
                watched.until("() => __lab.state().at === __lab.state().steps && !__lab.playing()")
    assert watched.errors == []


def test_play_pauses_and_begins_again_at_the_end(watched: Watched) -> None:
    before = watched.base()
    twice = "e => [0, 1].map(() => { e.click(); return e.getAttribute('aria-pressed'); })"  # between two ticks
    assert at(watched, "play").evaluate(twice) == ["true", "false"]
    watched.unchanged(before)
    watched.page.evaluate("__lab.set({ at: __lab.state().steps })")
    assert at(watched, "play").evaluate(f"e => {{ ({twice})(e); return __lab.state().at; }}") == 0


def test_sliders_work_by_mouse_and_keyboard(watched: Watched) -> None:
    watched.base()
    for testid in controls(watched, "input[type=range]"):
        before = watched.base()
        box = at(watched, testid).bounding_box()
        assert box is not None
        share = at(watched, testid).evaluate("e => (e.value - e.min) / (e.max - e.min)")
        away = 0.2 if share > 0.5 else 0.8
        at(watched, testid).click(position={"x": away * box["width"], "y": box["height"] / 2})
        before = watched.changed(before, f"{testid} by mouse")
        at(watched, testid).focus()
        for _ in range(4):
            watched.page.keyboard.press("ArrowRight")
        watched.changed(before, f"{testid} by keyboard")
    assert watched.errors == []


def test_fields_take_exact_numbers_and_refuse_others(watched: Watched) -> None:
    watched.base()
    for testid in controls(watched, "input[type=text]"):
        before = watched.base()
        text = "50" if testid.removesuffix("-number") in WHOLE else "0.25"
        at(watched, testid).fill(text)
        watched.page.keyboard.press("Enter")
        after = watched.changed(before, testid)
        at(watched, testid).fill("-1")
        watched.page.keyboard.press("Enter")
        watched.until("id => document.querySelector(`[data-testid='${id}']`).ariaInvalid === 'true'", testid)
        watched.unchanged(after, f"{testid} took -1")
    assert watched.errors == []


def test_lists_and_boxes_work_by_mouse_and_keyboard(watched: Watched) -> None:
    watched.base()
    for testid in controls(watched, "select"):
        before = watched.base()
        values = at(watched, testid).evaluate("e => [...e.options].map(o => o.value)")
        other = next(v for v in values if v != at(watched, testid).input_value())
        at(watched, testid).select_option(other)
        watched.changed(before, f"{testid} by choice")
        before = watched.base()
        at(watched, testid).focus()
        down = values[-1] != at(watched, testid).input_value()
        watched.page.keyboard.press("ArrowDown" if down else "ArrowUp")
        watched.changed(before, f"{testid} by keyboard")
    for testid in controls(watched, "input[type=checkbox]"):
        before = watched.base()
        at(watched, testid).click()
        watched.changed(before, f"{testid} by mouse")
        watched.page.keyboard.press("Space")
        watched.until(f"before => ({SORTED})(__lab.state()) === ({SORTED})(before)", before)
        assert watched.state() == before, f"{testid} by keyboard"


@pytest.mark.parametrize("picture", ["race", "heat"])
def test_pictures_work_by_mouse_and_keyboard(watched: Watched, picture: str) -> None:
    watched.base()
    watched.page.evaluate("__lab.set({ focus: 0 })")
    watched.filled()
    place = at(watched, picture)
    before = watched.state()
    place.click(position={"x": 200, "y": 90})
    clicked = watched.changed(before)
    place.focus()
    watched.page.keyboard.press("ArrowLeft")
    left = watched.changed(clicked)
    watched.page.keyboard.press("ArrowDown")
    down = watched.changed(left)
    if picture == "race":
        moved, start = down["start"], clicked["start"]
        assert moved[0] < start[0]
        assert moved[1] < start[1]


def test_the_start_can_be_dragged(watched: Watched) -> None:
    before = watched.base()
    at(watched, "race").scroll_into_view_if_needed()
    box = at(watched, "race").bounding_box()
    mouse = watched.page.mouse
    mouse.move(box["x"] + 200, box["y"] + 100)
    mouse.down()
    first = watched.changed(before)["start"]
    mouse.move(box["x"] + 300, box["y"] + 100, steps=5)
    watched.settle()  # moves of one frame are told together
    dragged = watched.state()["start"]
    mouse.up()
    mouse.move(box["x"] + 400, box["y"] + 100)
    assert dragged[0] > first[0]
    assert dragged[1] == pytest.approx(first[1])
    watched.settle()
    assert watched.state()["start"] == dragged


def test_the_lines_of_the_rule_open_by_mouse_and_keyboard(watched: Watched) -> None:
    watched.base()
    watched.page.evaluate("__lab.set({ focus: 0 })")
    rows = watched.page.locator("#anatomy-lines tr")
    assert not rows.first.is_visible()
    at(watched, "anatomy-open").click()
    rows.first.wait_for(state="visible")
    adams_own = ["first", "second", "step_size", "root_scale"]
    corrections = ["1 - beta1^t", "1 - beta2^t"]
    assert rows.locator("th").all_inner_texts() == [*adams_own, "g", "m", "v", *corrections]
    watched.page.keyboard.press("Enter")
    rows.first.wait_for(state="hidden")


def test_the_state_lives_in_the_address(watched: Watched) -> None:
    watched.base()
    watched.page.evaluate("__lab.set({ lang: 'zh', theme: 'dark', schedule: { kind: 'cosine', warmup: 5 } })")
    state, address = watched.state(), watched.page.evaluate("location.hash")
    watched.visit(address)
    assert watched.state() == state
    assert watched.page.evaluate("document.documentElement.lang") == "zh-CN"
    watched.visit("#%7Bnonsense")
    assert watched.state()["runners"][3]["member"] == "Adam"
    watched.visit(
        "#" + json.dumps({"steps": 1e9, "surface": "nowhere", "runners": [{"member": "Adam", "hyper": {"beta1": 2}}]})
    )
    state = watched.state()
    assert (state["steps"], state["surface"], state["runners"][0]["hyper"]) == (2000, "t0-bowl", {})
    assert watched.errors == []


def test_the_tutorials_trajectory(watched: Watched) -> None:
    runner = {"member": "Adam", "form": "compat=folded", "hyper": {"lr": 0.3, "eps": 1e-7}}
    state = {"surface": "t0-bowl", "start": [-7, 2], "steps": 30, "noise": "none", "runners": [runner]}
    watched.page.evaluate("state => { __lab.reset(); __lab.set(state); }", state)
    run = watched.series("Adam")
    np.testing.assert_allclose(run["x"][-1], 0.13600685239498186, rtol=1e-12)
    np.testing.assert_allclose(run["y"][-1], 0.31824537553721943, rtol=1e-12)
    np.testing.assert_allclose(run["f"][-1], 0.10220501224574535, rtol=1e-12)


def test_a_schedule_acts_as_the_engines(watched: Watched) -> None:
    steps, warm = 60, 10
    schedule = {"kind": "cosine", "warmup": warm, "end": 0.1}
    state = {"surface": "t0-bowl", "start": [-7, 2], "steps": steps, "noise": "none", "schedule": schedule}
    runner = {"member": "NAdam", "hyper": {"lr": 0.3}}
    watched.page.evaluate("state => { __lab.reset(); __lab.set(state); }", {**state, "runners": [runner]})
    main = adamas.schedules.cosine(1.0, steps=steps - warm, end=0.1)
    factor = adamas.schedules.warmup(main, steps=warm, skip_start=True)
    optimizer = adamas.NAdam(lr=lambda step: 0.3 * factor(step), backend="reference")
    z = np.array([-7.0, 2.0])
    for _ in range(steps):
        optimizer.step(z, np.array([z[0] / 10, 2 * z[1]]))
    run = watched.series("NAdam")
    np.testing.assert_allclose([run["x"][-1], run["y"][-1]], z, rtol=1e-11)


def first_below(values: list[float], bound: float) -> int:
    return next(k for k, value in enumerate(values) if value < bound)


def test_presets_show_what_they_claim(watched: Watched) -> None:
    def show(preset: str) -> None:
        at(watched, f"preset-{preset}").click()
        watched.until("name => __lab.state().preset === name", preset)
        watched.settle()

    show("amsgrad")
    assert watched.series("Adam")["x"][-1] > 0.9
    assert watched.series("AMSGrad")["x"][-1] < -0.9
    show("uncorrected")
    one, two = watched.series("Adam 1"), watched.series("Adam 2")
    assert one["x"][0] - one["x"][1] == pytest.approx(0.1, rel=1e-6)
    assert two["x"][0] - two["x"][1] == pytest.approx(0.1 * 0.1 / 0.001**0.5, rel=1e-5)
    show("toolarge")
    assert watched.series("SGD 1")["f"][-1] < 0.1
    assert watched.series("SGD 2")["f"][-1] > 1e6
    assert watched.series("Adam")["f"][-1] < 1e-3
    show("plateau")
    assert watched.series("Momentum")["f"][-1] > 0.99
    assert watched.series("Adam 1")["f"][-1] < 1e-4
    assert watched.series("Adam 2")["f"][-1] > 0.99
    show("saddle")
    first = {name: first_below(watched.series(name)["f"], 0.5) for name in ("Adam 1", "Adam 2", "SGD")}
    assert first["Adam 1"] < first["Adam 2"] < first["SGD"]
    show("cliff")
    assert watched.series("SGD")["broke"] <= 5  # the first steps
    assert watched.series("Adam")["broke"] is None
    show("clip")
    assert watched.series("SGD 1")["broke"] <= 5
    assert watched.series("SGD 2")["f"][-1] < 1e-12
    assert watched.series("Adam 1")["f"][-1] > 0.1
    assert watched.series("Adam 2")["f"][-1] < 1e-6
    show("cautious")
    plain, masked = (first_below(watched.series(f"Adam {k}")["f"], 1e-4) for k in (1, 2))
    assert masked < 0.9 * plain
    plain, masked = (first_below(watched.series(f"Momentum {k}")["f"], 1e-4) for k in (1, 2))
    assert masked > plain
    show("decay")
    hovering = watched.series("Adam")["f"][-1]
    at(watched, "schedule-kind").select_option("cosine")
    watched.until("() => __lab.state().schedule.kind === 'cosine'")
    watched.settle()
    assert watched.series("Adam")["f"][-1] < hovering / 3
    show("adagrad")
    rates = watched.series("Adagrad")["rateY"]
    assert all(later <= earlier * (1 + 1e-9) for earlier, later in itertools.pairwise(rates))
    assert watched.errors == []


def test_clips_and_the_mask_live_in_the_address_and_can_be_off(watched: Watched) -> None:
    watched.base()
    field = at(watched, "clip_norm-1-number")
    clipped = "norm => __lab.state().runners[1].clip_norm === norm"
    field.fill("0.75")
    watched.page.keyboard.press("Enter")
    watched.until(clipped, 0.75)
    at(watched, "cautious-1").click()
    watched.until("() => __lab.state().runners[1].cautious")
    watched.settle()
    assert [watched.state()["runners"][1][name] for name in ("clip_value", "clip_norm", "cautious")] == [
        None,
        0.75,
        True,
    ]
    state = watched.state()
    watched.visit(watched.page.evaluate("location.hash"))
    assert watched.state() == state
    field = at(watched, "clip_norm-1-number")
    assert field.input_value() == "0.75"
    field.fill("off")
    watched.page.keyboard.press("Enter")
    watched.until(clipped, None)
    slider = at(watched, "clip_norm-1")
    slider.focus()
    watched.page.keyboard.press("ArrowLeft")
    watched.until(clipped, 100)
    watched.page.keyboard.press("ArrowRight")
    watched.until(clipped, None)
    watched.settle()
    assert slider.get_attribute("aria-valuetext") == "off"
    assert watched.errors == []


def anatomy(watched: Watched) -> dict[str, list[str]]:
    """Letter of each row -> the numbers of x and y as shown."""
    rows = watched.page.eval_on_selector_all(
        ".anatomy-row",
        "rows => rows.map(r => [r.dataset.testid, [...r.querySelectorAll('.number')].map(n => n.textContent.slice(2))])",
    )
    return {testid.removeprefix("anatomy-"): numbers for testid, numbers in rows}


def test_the_anatomy_shows_the_moments_as_the_step_takes_them(watched: Watched) -> None:
    """After one step with gradient g, both corrected moments of Adam are g and |g|, whatever the betas."""
    watched.base()

    def look(member: str, form: str = "", **around: Any) -> dict[str, list[str]]:
        runner = {"member": member, "form": form, "hyper": {"lr": 0.1}, **around}
        watched.page.evaluate("s => __lab.set(s)", {"runners": [runner], "noise": "none", "start": [-7, 2], "at": 1})
        return anatomy(watched)

    hat = "\u0302"
    for form in ("compat=paper", "compat=folded"):
        rows = look("Adam", form)
        assert rows["g"] == ["-0.7", "4"]
        assert rows["m" + hat] == ["-0.7", "4"]
        assert rows["√v" + hat] == ["0.7", "4"]
    assert look("AMSGrad", "maximum=after,compat=paper")["√x"] == ["0.7", "4"]
    assert look("RAdam")["m" + hat] == ["-0.7", "4"]
    assert look("AdaBelief")["m" + hat] == ["-0.7", "4"]
    assert look("AdEMAMix")["√v" + hat] == ["0.7", "4"]
    assert look("Yogi", "bias_correction=True")["√v" + hat] == ["0.7007", "4"]  # v starts at 1e-6
    assert look("Yogi", "bias_correction=False").keys() == {"g", "m", "v", "√v", "Δ"}
    assert look("Adan")["√n" + hat] == ["0.7", "4"]
    assert look("Adamax")["m" + hat] == ["-0.7", "4"]
    assert look("NAdam")["√v" + hat] == ["0.7", "4"]
    assert look("NAdam").keys() >= {"m" + hat}
    assert look("RMSprop")["√v"] == ["0.07", "0.4"]
    assert look("Adagrad")["√v"] == ["0.7", "4"]
    note = at(watched, "anatomy-moments")
    assert note.inner_text() == "Adagrad corrects no bias; taken as they are: v."
    assert set(look("SGD")) == {"g", "Δ"}
    assert note.inner_text() == "SGD keeps no moments: the step follows the gradient alone."
    rows = look("SGD", clip_norm=1.0)
    length = (0.7**2 + 4**2) ** 0.5
    assert rows["g"] == ["-0.7", "4"]
    np.testing.assert_allclose([float(x) for x in rows["g′"]], [-0.7 / length, 4 / length], rtol=1e-3)


def test_reduced_motion_jumps_to_the_end(watched: Watched, tmp_path: Path) -> None:
    file = tmp_path / "playground.html"
    file.write_text(playground("zh", grams), encoding="utf-8")
    page = new_page(watched.page.context.browser, reduced_motion="reduce")
    seen = Watched(page, file)
    assert seen.state()["runners"][-1]["member"] == "grams"
    assert page.title().startswith("adamas 演练场")
    page.evaluate("__lab.set({ at: 3 })")
    at(seen, "play").click()
    seen.until("() => __lab.state().at === __lab.state().steps")
    assert not page.evaluate("__lab.playing()")
    assert seen.errors == []
    page.context.close()
