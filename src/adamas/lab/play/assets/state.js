// The whole state of the page as one plain object; it lives in the address behind the #.

const RUNNER_LIMIT = 6;
const NOISES = ["none", "gaussian", "rare"];
const SCHEDULES = ["constant", "linear", "cosine", "exponential", "inverse_time", "piecewise"];
const THEMES = ["auto", "light", "dark"];

function defaultState() {
  return {
    lang: LAB.lang,
    theme: "auto",
    surface: "t0-bowl",
    start: [-7, 2],
    steps: 80,
    at: 80,
    focus: 3,
    noise: "none",
    noiseSize: 0.5,
    seed: 1,
    target: 0.01,
    schedule: { kind: "constant", warmup: 0, rate: 0.95, end: 0 },
    regression: { batch: 10, spread: 1 },
    preset: "",
    runners: [
      { member: "SGD", form: "", hyper: { lr: 0.95 } },
      { member: "Momentum", form: "", hyper: { lr: 0.1 } },
      { member: "RMSprop", form: "centered=False", hyper: { lr: 0.1 } },
      { member: "Adam", form: "compat=paper", hyper: { lr: 0.3 } },
    ].concat(LAB.guest ? [{ member: LAB.guest, form: "", hyper: {} }] : []),
  };
}

const memberOf = (runner) => LAB.members[runner.member];
const formOf = (runner) => memberOf(runner).forms[runner.form];
const landscapeOf = (state) => LAB.landscapes[state.surface];

/** What the step around every rule can do to the gradient; off is null. */
const CLIPS = ["clip_value", "clip_norm"].map((name) => ({ name, low: 0, lowOpen: true, off: true, range: "(0, ∞)" }));

/** All hyper-parameters of a runner: its own settings over the published defaults. */
function hyperOf(runner) {
  const values = {};
  for (const hyper of memberOf(runner).hyper) values[hyper.name] = runner.hyper[hyper.name] ?? hyper.default;
  return values;
}

function admits(hyper, value) {
  if (!Number.isFinite(value)) return false;
  const above = hyper.low === undefined || (hyper.lowOpen ? value > hyper.low : value >= hyper.low);
  return above && (hyper.high === undefined || (hyper.highOpen ? value < hyper.high : value <= hyper.high));
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** A state that can be shown, whatever the address said: unknown names and numbers out of range fall back. */
function completeState(wanted) {
  const base = defaultState();
  const state = { ...base, ...wanted };
  const pick = (value, allowed, fallback) => (allowed.includes(value) ? value : fallback);
  const number = (value, low, high, fallback) => (Number.isFinite(value) ? clamp(value, low, high) : fallback);
  state.lang = pick(state.lang, ["en", "zh"], base.lang);
  state.theme = pick(state.theme, THEMES, base.theme);
  state.surface = pick(state.surface, Object.keys(LAB.landscapes), base.surface);
  const landscape = landscapeOf(state);
  const start = Array.isArray(state.start) && state.start.every(Number.isFinite) ? state.start : landscape.start;
  state.start = [0, 1].map((i) => clamp(start[i], ...landscape.window[i]));
  state.steps = Math.round(number(state.steps, 10, 2000, base.steps));
  state.at = Math.round(number(state.at, 0, state.steps, state.steps));
  state.noise = pick(state.noise, NOISES, base.noise);
  state.noiseSize = number(state.noiseSize, 0, 10, base.noiseSize);
  state.seed = Math.round(number(state.seed, 0, 9999, base.seed));
  state.target = landscape.targets.includes(state.target) ? state.target : landscape.targets[landscape.targets.length >> 1];
  state.schedule = { ...base.schedule, ...state.schedule };
  state.schedule.kind = pick(state.schedule.kind, SCHEDULES, "constant");
  state.schedule.warmup = Math.round(number(state.schedule.warmup, 0, 500, 0));
  state.schedule.rate = number(state.schedule.rate, 0.01, 1, 0.95);
  state.schedule.end = number(state.schedule.end, 0, 1, 0);
  state.regression = { ...base.regression, ...state.regression };
  state.regression.batch = Math.round(number(state.regression.batch, 1, 100, 10));
  state.regression.spread = number(state.regression.spread, 0, 4, 1);
  const runners = Array.isArray(state.runners) ? state.runners.filter((r) => r && LAB.members[r.member]) : [];
  state.runners = (runners.length ? runners : base.runners).slice(0, RUNNER_LIMIT).map(completeRunner);
  state.focus = Math.round(number(state.focus, 0, state.runners.length - 1, 0));
  return state;
}

function completeRunner(runner) {
  const member = LAB.members[runner.member];
  const hyper = {};
  for (const declared of member.hyper) {
    const value = runner.hyper?.[declared.name];
    if (admits(declared, value) && value !== declared.default) hyper[declared.name] = value;
  }
  const form = runner.form in member.forms ? runner.form : Object.keys(member.forms)[0];
  const clips = CLIPS.map((clip) => [clip.name, admits(clip, runner[clip.name]) ? runner[clip.name] : null]);
  return { member: runner.member, form, hyper, correct: runner.correct !== false || !member.forms[form].switchable, ...Object.fromEntries(clips), cautious: runner.cautious === true };
}

const encodeState = (state) => "#" + encodeURIComponent(JSON.stringify(state));

function decodeState(hash) {
  try {
    return JSON.parse(decodeURIComponent(hash.slice(1)));
  } catch {
    return {};
  }
}
