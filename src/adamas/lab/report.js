"use strict";
// Draws a chart when it comes near the window: a page of a hundred charts opens as fast as a page of one.
(async () => {
  // a big page holds its scripts as gzip in base64
  async function read(id) {
    const { textContent, dataset } = document.getElementById(id);
    if (!("packed" in dataset)) return textContent;
    const bytes = Uint8Array.from(atob(textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }
  if (!window.Plotly) {
    const library = document.createElement("script");
    library.textContent = await read("plotly");
    document.head.append(library);
  }
  const charts = JSON.parse(await read("chart-data"));
  const { locale, words } = JSON.parse(await read("chart-words"));
  const hidden = new Set();
  const drawn = new Map();
  Plotly.register({ moduleType: "locale", name: locale, dictionary: words, format: {} });

  const config = {
    displaylogo: false, responsive: true, locale,
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
  };
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
    font: { family: getComputedStyle(document.body).fontFamily, size: 13 },
    margin: { l: 64, r: 12, t: 40, b: 84 },
    legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0 },
  };

  function draw(element) {
    const key = element.dataset.chart;
    if (!drawn.has(key)) {
      const { traces, layout } = charts[key];
      for (const trace of traces) trace.visible = !hidden.has(trace.legendgroup);
      drawn.set(key, Plotly.newPlot(element, traces, { ...base, ...layout }, config));
    }
    return drawn.get(key);
  }

  const elements = [...document.querySelectorAll(".chart")];
  const drawAll = () => Promise.all(elements.map(draw));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
  }, { rootMargin: "800px" });
  for (const element of elements) watcher.observe(element);
  window.addEventListener("beforeprint", drawAll);

  // the legends answer to the mouse only; these boxes also to the keyboard, and for all charts at once
  for (const box of document.querySelectorAll("input[data-optimizer]")) {
    box.addEventListener("change", async () => {
      const label = box.dataset.optimizer;
      if (box.checked) hidden.delete(label); else hidden.add(label);
      for (const element of elements) {
        if (!drawn.has(element.dataset.chart)) continue;
        await drawn.get(element.dataset.chart);
        const own = element.data.flatMap((trace, i) => (trace.legendgroup === label ? [i] : []));
        if (own.length) await Plotly.restyle(element, { visible: box.checked }, own);
      }
    });
  }
  document.documentElement.dataset.ready = "";
  window.__report = { ready: true, drawAll, drawn: () => [...drawn.keys()] };
})();
