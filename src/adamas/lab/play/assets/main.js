// Holds the state, redraws what depends on it, and gives the page its test contract `window.__lab`.

let current = completeState(decodeState(location.hash));
let computed = null;
let timer = null;
const still = matchMedia("(prefers-reduced-motion: reduce)").matches || new URLSearchParams(location.search).has("reduced");

/** Runs all optimizers anew where anything but the present step changed. */
function compute(state) {
  const { at, focus, lang, theme, preset, target, ...shape } = state;
  const key = JSON.stringify(shape);
  if (computed?.key === key) return computed;
  const length = state.steps;
  const values = Array.from({ length }, (_, k) => scheduleFactor(state.schedule, length)(k));
  const factor = (k) => values[k];
  const problem = surfaceProblem(state);
  const data = regressionData(state);
  const fitting = regressionProblem(state, data);
  return {
    key,
    factor,
    runs: state.runners.map((runner) => simulate(runner, problem, factor)),
    regression: { data, runs: state.runners.map((runner) => simulate(runner, fitting, factor)) },
  };
}

const structure = (state) => JSON.stringify([state.lang, state.surface, state.runners.map((r) => [r.member, formOf(r).switchable])]);
let built = "";

function render() {
  language = current.lang;
  if (structure(current) !== built) {
    built = structure(current);
    translatePage();
    buildControls(current, change);
    buildRunners(current, change);
  }
  computed = compute(current);
  const view = { state: current, names: labels(current.runners), ...computed };
  showControls(current);
  showRunners(current);
  byId("formula").textContent = `f = ${landscapeOf(current).formula}`;
  for (const draw of [drawRace, drawLoss, drawAnatomy, drawBias, drawRates, drawSchedule, drawRegression]) draw(view);
  computeHeat(current, computed.factor, () => drawHeat({ state: current, names: labels(current.runners) }));
  drawHeat(view);
  if (!timer) history.replaceState(null, "", encodeState(current));
}

let waiting = false;

/** Changes the state and redraws with the next frame. */
function change(changes) {
  current = completeState({ ...current, ...(typeof changes === "function" ? changes(current) : changes) });
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    render();
  });
}

function pause() {
  clearInterval(timer);
  timer = null;
  byId("play").textContent = "▶";
  byId("play").setAttribute("aria-pressed", "false");
}

/** Plays from the present step, or from the start when at the end; with reduced motion it jumps to the end. */
function play() {
  if (timer) {
    pause();
    render();
    return;
  }
  if (still) {
    change({ at: current.steps });
    return;
  }
  if (current.at >= current.steps) change({ at: 0 });
  byId("play").textContent = "❚❚";
  byId("play").setAttribute("aria-pressed", "true");
  const stride = Math.max(1, Math.round(current.steps / 300));
  timer = setInterval(() => {
    if (current.at >= current.steps) pause();
    change((state) => ({ at: Math.min(state.steps, state.at + stride) }));
  }, 33);
}

function step(count) {
  pause();
  change((state) => ({ at: clamp(state.at + count, 0, state.steps) }));
}

function reset() {
  pause();
  const { lang, theme } = current;
  change({ ...defaultState(), lang, theme });
}

function addRunner() {
  const used = current.runners.map((r) => r.member);
  const member = ["Adam", "AdamW", "AMSGrad", "NAdam", "Lion", "Adagrad"].find((name) => !used.includes(name)) ?? "Adam";
  change((state) => ({ runners: [...state.runners, { member, form: "", hyper: {} }] }));
}

const next = (list, item) => list[(list.indexOf(item) + 1) % list.length];

byId("to-start").addEventListener("click", () => step(-Infinity));
byId("back").addEventListener("click", () => step(-1));
byId("play").addEventListener("click", play);
byId("forward").addEventListener("click", () => step(1));
byId("to-end").addEventListener("click", () => step(Infinity));
byId("scrub").addEventListener("input", () => {
  pause();
  change({ at: Number(byId("scrub").value) });
});
byId("add-runner").addEventListener("click", addRunner);
byId("reset").addEventListener("click", reset);
byId("theme").addEventListener("click", () => change((state) => ({ theme: next(THEMES, state.theme) })));
byId("lang").addEventListener("click", () => change((state) => ({ lang: state.lang === "zh" ? "en" : "zh" })));
addEventListener("hashchange", () => change({ ...defaultState(), ...decodeState(location.hash) }));
addEventListener("resize", () => change({}));
buildSliders(change);
listenToPictures(change);

window.__lab = {
  ready: false,
  version: LAB.version,
  state: () => structuredClone(current),
  set: (state) => {
    current = completeState({ ...current, ...state });
    render();
  },
  step: (count) => {
    current = completeState({ ...current, at: current.at + count });
    render();
  },
  reset: () => {
    pause();
    current = completeState({ ...defaultState(), lang: current.lang, theme: current.theme });
    render();
  },
  /** Numbers of one run by its name on the page: x, y, f, effective rates, and state slots of both coordinates. */
  series: (name) => {
    const run = computed.runs[labels(current.runners).indexOf(name)];
    if (!run) return null;
    const rates = effectiveRates(run);
    return {
      x: run.coordinates.map((c) => c[0].p),
      y: run.coordinates.map((c) => c[1].p),
      f: run.values,
      rateX: rates[0].map((p) => p[1]),
      rateY: rates[1].map((p) => p[1]),
      broke: run.broke,
    };
  },
  members: LAB.members,
  /** Whether the page plays, and whether the map of learning rates is whole: what a test waits for. */
  playing: () => timer !== null,
  filled: () => heat.cells.length > 0 && heat.cells.every(Boolean),
};

render();
window.__lab.ready = true;
window.__lab.firstRenderMs = performance.now();
