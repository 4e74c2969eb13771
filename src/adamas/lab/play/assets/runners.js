// The cards of the optimizers in the race: which member, which form, every hyper-parameter.

let runnerSliders = [];

/** Builds the cards anew; needed when the set of optimizers or the language changes, not when a number does. */
function buildRunners(state, change) {
  runnerSliders = [];
  const names = labels(state.runners);
  byId("runners").replaceChildren(...state.runners.map((runner, i) => runnerCard(runner, i, names[i], change)));
  byId("add-runner").disabled = state.runners.length >= RUNNER_LIMIT;
}

const replaced = (list, i, item) => list.map((old, k) => (k === i ? item : old));

function runnerCard(runner, i, name, change) {
  const member = memberOf(runner);
  const set = (changes) => change((state) => ({ runners: replaced(state.runners, i, { ...state.runners[i], ...changes }) }));
  const card = htmlElement("section", { class: "runner", "aria-label": name, "data-testid": `runner-${i}`, style: `--own:${LAB.palette[i]}` });
  card.append(cardHead(runner, i, change, set));
  const forms = Object.keys(member.forms);
  if (forms.length > 1) {
    const select = htmlElement("select", { "aria-label": T("runner.form"), "data-testid": `form-${i}` }, ...forms.map((f) => htmlElement("option", { value: f }, f)));
    select.value = runner.form;
    select.addEventListener("change", () => set({ form: select.value }));
    card.append(htmlElement("label", { class: "line" }, htmlElement("span", {}, T("runner.form")), select));
  }
  for (const hyper of member.hyper) card.append(hyperLine(hyper, i, change));
  card.append(htmlElement("p", { class: "around" }, T("runner.around")), ...CLIPS.map((clip) => clipLine(clip, i, change)));
  const boxes = htmlElement("div", { class: "boxes" }, boxLine("cautious", i, set));
  if (formOf(runner).switchable) boxes.append(boxLine("correct", i, set));
  card.append(boxes);
  card.append(htmlElement("p", { class: "source" }, member.source));
  return card;
}

function cardHead(runner, i, change, set) {
  const swatch = svgElement("svg", { class: "swatch", width: 34, height: 12, "aria-hidden": "true" }, svgElement("path", { d: "M1 6H33", ...look(i), "stroke-width": 3 }));
  const select = htmlElement("select", { "aria-label": T("runner.member"), "data-testid": `member-${i}` }, ...Object.keys(LAB.members).map((m) => htmlElement("option", { value: m }, m)));
  select.value = runner.member;
  select.addEventListener("change", () => set({ member: select.value, form: "", hyper: runner.hyper.lr === undefined ? {} : { lr: runner.hyper.lr }, correct: true }));
  const focus = htmlElement("button", { type: "button", class: "focus", title: T("runner.focus"), "aria-label": T("runner.focus"), "data-testid": `focus-${i}` }, "◉");
  focus.addEventListener("click", () => change({ focus: i }));
  const remove = htmlElement("button", { type: "button", title: T("runner.remove"), "aria-label": T("runner.remove"), "data-testid": `remove-${i}` }, "×");
  remove.addEventListener("click", () => change((state) => ({ runners: state.runners.filter((_, k) => k !== i), focus: Math.min(state.focus, state.runners.length - 2) })));
  return htmlElement("header", {}, swatch, select, focus, remove);
}

/** One slider with its field; `read` takes the number from a runner, `write` gives what changes in it. */
function sliderLine(hyper, meaning, i, change, read, write) {
  const pair = sliderPair({
    hyper,
    label: `${hyper.name}: ${meaning}`,
    testid: `${hyper.name}-${i}`,
    get: () => read(current.runners[i]),
    set: (value) => change((state) => ({ runners: replaced(state.runners, i, { ...state.runners[i], ...write(state.runners[i], value) }) })),
  });
  runnerSliders.push(pair);
  return htmlElement("div", { class: "line" }, htmlElement("span", { title: meaning }, hyper.name), pair.range, pair.number);
}

function hyperLine(hyper, i, change) {
  const meaning = hasText(`hyper.${hyper.name}`) ? T(`hyper.${hyper.name}`) : hyper.meaning;
  const write = (runner, value) => ({ hyper: { ...runner.hyper, [hyper.name]: value } });
  return sliderLine(hyper, meaning, i, change, (runner) => hyperOf(runner)[hyper.name], write);
}

function clipLine(clip, i, change) {
  return sliderLine(clip, T(clip.name), i, change, (runner) => runner[clip.name], (_, value) => ({ [clip.name]: value }));
}

function boxLine(name, i, set) {
  const box = htmlElement("input", { type: "checkbox", "data-testid": `${name}-${i}` });
  box.addEventListener("change", () => set({ [name]: box.checked }));
  return htmlElement("label", { class: "line check", title: T(`runner.${name}.help`) }, box, htmlElement("span", {}, T(`runner.${name}`)));
}

function showRunners(state) {
  for (const pair of runnerSliders) pair.show();
  state.runners.forEach((runner, i) => {
    const button = document.querySelector(`[data-testid="focus-${i}"]`);
    button.setAttribute("aria-pressed", String(state.focus === i));
    for (const name of ["correct", "cautious"]) {
      const box = document.querySelector(`[data-testid="${name}-${i}"]`);
      if (box) box.checked = runner[name];
    }
    const form = document.querySelector(`[data-testid="form-${i}"]`);
    if (form) form.value = runner.form;
  });
}
