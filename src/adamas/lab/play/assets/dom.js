// Short ways to elements and texts.

const byId = (id) => document.getElementById(id);

function htmlElement(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

let language = LAB.lang;

/** A text of the table in the present language; {name} is replaced. */
function T(key, fields = {}) {
  const pair = LAB.strings[key];
  if (!pair) throw new Error(`no text ${key}`);
  return pair[language === "zh" ? 1 : 0].replace(/\{(\w+)\}/g, (_, name) => fields[name]);
}

const hasText = (key) => key in LAB.strings;

/** Puts the texts of the table into every element that names one. */
function translatePage() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = T("title");
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = T(element.dataset.t);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", T(element.dataset.label));
}
