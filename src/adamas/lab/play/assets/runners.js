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
  if (hasSwitch(runner)) card.append(correctionLine(runner, i, set));
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

function hyperLine(hyper, i, change) {
  const pair = sliderPair({
    hyper,
    label: `${hyper.name}: ${hasText(`hyper.${hyper.name}`) ? T(`hyper.${hyper.name}`) : hyper.meaning}`,
    testid: `${hyper.name}-${i}`,
    get: () => hyperOf(current.runners[i])[hyper.name],
    set: (value) => change((state) => ({ runners: replaced(state.runners, i, { ...state.runners[i], hyper: { ...state.runners[i].hyper, [hyper.name]: value } }) })),
  });
  runnerSliders.push(pair);
  return htmlElement("div", { class: "line" }, htmlElement("span", { title: hyper.meaning }, hyper.name), pair.range, pair.number);
}

/** Whether bias correction can be switched off: the rule has the two lines that carry it, and no running product. */
function hasSwitch(runner) {
  const { step, slots } = formOf(runner);
  const plain = !slots.some((slot) => slot.name === "mu_product");
  return memberOf(runner).biasCorrection === "yes" && plain && /"root_scale"/.test(step.toString());
}

function correctionLine(runner, i, set) {
  const box = htmlElement("input", { type: "checkbox", "data-testid": `correct-${i}` });
  box.checked = runner.correct;
  box.addEventListener("change", () => set({ correct: box.checked }));
  return htmlElement("label", { class: "line check" }, box, htmlElement("span", {}, T("runner.correct")));
}

function showRunners(state) {
  for (const pair of runnerSliders) pair.show();
  state.runners.forEach((runner, i) => {
    const button = document.querySelector(`[data-testid="focus-${i}"]`);
    button.setAttribute("aria-pressed", String(state.focus === i));
    const box = document.querySelector(`[data-testid="correct-${i}"]`);
    if (box) box.checked = runner.correct;
    const form = document.querySelector(`[data-testid="form-${i}"]`);
    if (form) form.value = runner.form;
  });
}
