// Everything else that can be set: surface, start, time, noise, target, schedule, regression, presets, look.

const plainNumber = (name, low, high) => ({ name, low, high, default: low, range: `[${low}, ${high}]` });
const sideSliders = [];

function option(value, text) {
  return htmlElement("option", { value }, text);
}

function buildControls(state, change) {
  fillSelect("surface", Object.values(LAB.landscapes).map((l) => [l.name, l.name]), (value) => change(surfaceChange(value)));
  fillSelect("noise", NOISES.map((kind) => [kind, T(`noise.${kind}`)]), (value) => change({ noise: value }));
  fillSelect("schedule-kind", SCHEDULES.map((kind) => [kind, T(`schedule.${kind}`)]), (value) => change((s) => ({ schedule: { ...s.schedule, kind: value } })));
  fillSelect("target", landscapeOf(state).targets.map((t) => [String(t), shown(t)]), (value) => change({ target: Number(value) }));
  byId("presets").replaceChildren(...LAB.presets.map((preset) => presetButton(preset, change)));
}

function surfaceChange(name) {
  const landscape = LAB.landscapes[name];
  return { surface: name, start: [...landscape.start], preset: "" };
}

function fillSelect(id, options, set) {
  const select = byId(id);
  select.replaceChildren(...options.map(([value, text]) => option(value, text)));
  select.onchange = () => set(select.value);
}

function presetButton(preset, change) {
  const button = htmlElement("button", { type: "button", "data-testid": `preset-${preset.id}` }, T(`preset.${preset.id}.title`));
  button.addEventListener("click", () => change({ ...defaultPart(), ...structuredClone(preset.state), preset: preset.id }));
  return button;
}

/** What a preset does not mention starts from the defaults; language and look stay. */
function defaultPart() {
  const { lang, theme, ...rest } = defaultState();
  return rest;
}

/** Sliders outside the cards: made once, in the places that the page holds ready. */
function buildSliders(change) {
  const make = (id, key, low, high, get, set, whole = false) => {
    const hyper = plainNumber(id, low, high);
    const axis = linearAxis(low, high, whole);
    const pair = sliderPair({ hyper, label: T(key), testid: id, get, set, axis });
    byId(`${id}-place`).replaceChildren(pair.range, pair.number);
    sideSliders.push({ ...pair, key });
  };
  const schedule = (name) => (value) => change((s) => ({ schedule: { ...s.schedule, [name]: value } }));
  const regression = (name) => (value) => change((s) => ({ regression: { ...s.regression, [name]: value } }));
  make("steps", "control.steps", 10, 2000, () => current.steps, (value) => change({ steps: Math.round(value), at: Math.round(value) }), true);
  make("noise-size", "control.noiseSize", 0, 10, () => current.noiseSize, (value) => change({ noiseSize: value }));
  make("seed", "control.seed", 0, 9999, () => current.seed, (value) => change({ seed: Math.round(value) }), true);
  make("warmup", "control.warmup", 0, 500, () => current.schedule.warmup, schedule("warmup"), true);
  make("rate", "control.rate", 0.01, 1, () => current.schedule.rate, schedule("rate"));
  make("end", "control.end", 0, 1, () => current.schedule.end, schedule("end"));
  make("batch", "control.batch", 1, 100, () => current.regression.batch, regression("batch"), true);
  make("spread", "control.spread", 0, 4, () => current.regression.spread, regression("spread"));
}

function showControls(state) {
  for (const pair of sideSliders) {
    pair.show();
    pair.range.setAttribute("aria-label", T(pair.key));
    pair.number.setAttribute("aria-label", T(pair.key));
  }
  byId("surface").value = state.surface;
  byId("noise").value = state.noise;
  byId("target").value = String(state.target);
  byId("schedule-kind").value = state.schedule.kind;
  byId("scrub").max = state.steps;
  byId("scrub").value = state.at;
  byId("now").textContent = `${state.at} / ${state.steps}`;
  for (const preset of LAB.presets) document.querySelector(`[data-testid="preset-${preset.id}"]`).setAttribute("aria-pressed", String(preset.id === state.preset));
  const claim = byId("claim");
  claim.hidden = !state.preset;
  if (state.preset) {
    byId("claim-text").textContent = T(`preset.${state.preset}.claim`);
    byId("claim-see").textContent = T(`preset.${state.preset}.see`);
  }
  byId("theme").textContent = T(`theme.${state.theme}`);
  byId("lang").textContent = state.lang === "zh" ? "English" : "中文";
  document.documentElement.dataset.theme = state.theme;
}

/** The start point by mouse, finger and arrow keys; the map's cells likewise. */
function listenToPictures(change) {
  const race = byId("race");
  const move = (event) => {
    const box = race.getBoundingClientRect();
    const [x, y] = [raceScales.sx.invert(event.clientX - box.left), raceScales.sy.invert(event.clientY - box.top)];
    change({ start: [Number(x.toPrecision(4)), Number(y.toPrecision(4))] });
  };
  race.addEventListener("pointerdown", (event) => {
    race.setPointerCapture(event.pointerId);
    move(event);
  });
  race.addEventListener("pointermove", (event) => race.hasPointerCapture(event.pointerId) && move(event));
  race.addEventListener("keydown", (event) => {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!direction) return;
    event.preventDefault();
    const size = event.shiftKey ? 0.05 : 0.01;
    change((state) => ({
      start: state.start.map((p, i) => Number((p + direction[i] * size * (landscapeOf(state).window[i][1] - landscapeOf(state).window[i][0])).toPrecision(6))),
    }));
  });
  const map = byId("heat");
  const choose = (i, j) =>
    change((state) => {
      const runner = state.runners[state.focus];
      const rows = heatRows(runner);
      const [column, row] = [clamp(i, 0, HEAT_LR.length - 1), clamp(j, 0, rows.length - 1)];
      return { runners: replaced(state.runners, state.focus, heatSetting(runner, HEAT_LR[column], rows[row])) };
    });
  map.addEventListener("click", (event) => {
    const cell = event.target.dataset?.cell;
    if (cell) choose(...cell.split(",").map(Number));
  });
  map.addEventListener("keydown", (event) => {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!direction) return;
    event.preventDefault();
    const [i, j] = heatPlace(current.runners[current.focus]);
    choose(i + direction[0], j + direction[1]);
  });
}
