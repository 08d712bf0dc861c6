// Draws every figure of the page from the specification inside it. Loads the Vega bundle only where there is a figure, with a
// script element, because a page opened from a folder may not fetch. Text and axes are in `currentColor`: the page's style
// sheet gives them their colour, so that changing between light and dark needs no second drawing.
(() => {
  "use strict";
  const NARROW = 520; // px: below this, views side by side go below each other and legends into one column
  const drawn = new WeakMap(); // figure -> {width, view, result}

  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const merge = (under, over) => {
    const result = { ...under };
    for (const [name, value] of Object.entries(over || {})) {
      result[name] = isObject(value) && isObject(result[name]) ? merge(result[name], value) : value;
    }
    return result;
  };

  // Defaults for charts that bring no theme of their own; what a chart says itself wins.
  const ink = "currentColor";
  const quiet = { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" };
  const theme = {
    background: "transparent",
    font: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
    axis: { ...quiet, gridColor: ink, gridOpacity: 0.12, domainColor: ink, tickColor: ink, domainOpacity: 0.45, tickOpacity: 0.45 },
    legend: quiet,
    header: quiet,
    title: { color: ink, subtitleColor: ink, anchor: "start" },
    text: { color: ink },
    rule: { color: ink },
    view: { stroke: null },
  };

  const parts = (spec) => spec.hconcat || spec.vconcat || spec.concat;
  const faceted = (spec) =>
    Boolean(spec.facet || spec.repeat || ["row", "column", "facet"].some((name) => spec.encoding && spec.encoding[name]));
  const composed = (spec) => Boolean(parts(spec)) || faceted(spec);

  // Black written into a chart would vanish on a dark page.
  const BLACK = new Set(["black", "#000", "#000000", "#111", "#222", "#222222", "#333", "#333333"]);
  const INKED = new Set(["color", "fill", "stroke", "value", "labelColor", "titleColor", "domainColor", "tickColor", "gridColor"]);
  const inked = (node, key) => {
    if (Array.isArray(node)) return node.map((item) => inked(item, ""));
    if (!isObject(node)) return INKED.has(key) && BLACK.has(node) ? ink : node;
    const result = {};
    for (const [name, value] of Object.entries(node)) {
      result[name] = ["data", "datasets", "usermeta", "scale"].includes(name) ? value : inked(value, name);
    }
    return result;
  };

  function rearranged(spec, narrow) {
    if (!narrow) return spec;
    const result = { ...spec };
    if (result.hconcat) {
      result.vconcat = result.hconcat;
      delete result.hconcat;
    }
    if (result.columns) result.columns = 1;
    for (const name of ["vconcat", "concat"]) {
      if (result[name]) result[name] = result[name].map((view) => rearranged(view, narrow));
    }
    return result;
  }

  // Every innermost view of a composed chart with its width multiplied; widths in steps stay as they are.
  function scaled(spec, factor, config) {
    const list = parts(spec);
    if (list) {
      const name = spec.hconcat ? "hconcat" : spec.vconcat ? "vconcat" : "concat";
      return { ...spec, [name]: list.map((view) => scaled(view, factor, config)) };
    }
    if (spec.facet || spec.repeat) return { ...spec, spec: scaled(spec.spec, factor, config) };
    if (isObject(spec.width)) return spec;
    const natural = typeof spec.width === "number" ? spec.width : (config.view && config.view.continuousWidth) || 300;
    return { ...spec, width: Math.max(120, Math.round(natural * factor)) };
  }

  function prepared(original, width) {
    const narrow = width < NARROW;
    const spec = rearranged(inked(original, ""), narrow);
    spec.config = merge(theme, spec.config);
    if (narrow) spec.config.legend = merge({ orient: "top" }, merge(spec.config.legend, { columns: 1, labelLimit: width - 60 }));
    delete spec.background;
    delete spec.description; // the figure's own label says it; twice is once too often for a listener
    if (composed(spec)) {
      delete spec.width;
      delete spec.autosize;
      delete spec.config.autosize;
    } else if (!isObject(spec.width)) {
      spec.width = width;
      spec.autosize = { type: "fit-x", contains: "padding" };
      delete spec.config.autosize;
    }
    return spec;
  }

  // What the reader has set with a slider survives a new drawing.
  function keepSettings(spec, view) {
    for (const param of (view && spec.params) || []) {
      if (!param.bind || param.select) continue;
      try {
        param.value = view.signal(param.name);
      } catch (error) {
        // A parameter that the chart does not use has no signal.
      }
    }
  }

  const embed = (box, controls, spec) => {
    controls.replaceChildren();
    return window.vegaEmbed(box, spec, { actions: false, renderer: "svg", bind: controls, tooltip: { theme: "custom" } });
  };

  const widthOf = (box) => Math.ceil(box.querySelector("svg").getBoundingClientRect().width);

  // Charts computed from a formula carry no values: hand out the longest table that is drawn at the moment.
  function offerValues(figure, result) {
    const button = figure.querySelector(".bb-values");
    if (!button) return;
    button.hidden = false;
    button.onclick = () => {
      const names = Object.keys(result.view.getState({ data: () => true, signals: () => false }).data);
      const tables = names.map((name) => result.view.data(name));
      const values = tables.filter((rows) => Array.isArray(rows) && rows.length && !("bounds" in rows[0])); // marks have bounds
      const rows = values.sort((one, other) => weight(other) - weight(one))[0] || [];
      const columns = Object.keys(rows[0] || {});
      const cell = (value) => (/[",\n]/.test(String(value)) ? '"' + String(value).replaceAll('"', '""') + '"' : String(value));
      const lines = [columns, ...rows.map((row) => columns.map((name) => row[name]))].map((row) => row.map(cell).join(","));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
      link.download = figure.id + ".csv";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    };
  }
  const weight = (rows) => rows.length * Object.keys(rows[0] || {}).length;

  async function drawComposed(box, controls, spec, width) {
    // The drawing's width is what surrounds the views plus what the views take: two drawings tell both.
    const half = await embed(box, controls, scaled(spec, 0.5, spec.config));
    const small = widthOf(box);
    half.finalize();
    const whole = await embed(box, controls, scaled(spec, 1, spec.config));
    const natural = widthOf(box);
    const views = 2 * (natural - small);
    if (views <= 0 || Math.abs(natural - width) < 2) return whole;
    const factor = Math.min(1.6, (width - (natural - views)) / views);
    whole.finalize();
    return embed(box, controls, scaled(spec, Math.max(factor, 0.2), spec.config));
  }

  async function draw(figure) {
    const scroll = figure.querySelector(".bb-scroll");
    const box = figure.querySelector(".bb-drawing");
    const controls = figure.querySelector(".bb-controls");
    const width = Math.floor(scroll.clientWidth);
    const before = drawn.get(figure);
    if (width < 40 || (before && Math.abs(before.width - width) < 4)) return;
    drawn.set(figure, { width, result: before && before.result });
    const spec = prepared(JSON.parse(figure.querySelector(".bb-spec").textContent), width);
    keepSettings(spec, before && before.result && before.result.view);
    try {
      if (before && before.result) before.result.finalize();
      const result = composed(spec)
        ? await drawComposed(box, controls, spec, width)
        : await embed(box, controls, spec);
      box.querySelector("svg").setAttribute("aria-hidden", "true"); // its label is the figure's
      controls.hidden = controls.childElementCount === 0;
      drawn.set(figure, { width, result });
      offerValues(figure, result);
      figure.dataset.drawn = "yes";
      if (scroll.scrollWidth > scroll.clientWidth + 1) scroll.tabIndex = 0;
      else scroll.removeAttribute("tabindex");
    } catch (error) {
      figure.dataset.drawn = "failed"; // the static picture stays
      console.error("chart " + figure.id + " cannot be drawn:", error);
    }
  }

  function start() {
    const figures = [...document.querySelectorAll("figure.bb-chart")];
    if (!figures.length) return;
    const bundle = document.createElement("script");
    bundle.src = document.documentElement.dataset.content_root + "_static/vega-bundle.js";
    bundle.onload = () => {
      // One after the other: a chart is at hand sooner than when all are drawn at once.
      let queue = Promise.resolve();
      const ask = (figure) => (queue = queue.then(() => draw(figure)));
      let timer;
      const waiting = new Set();
      const watch = new ResizeObserver((entries) => {
        for (const entry of entries) waiting.add(entry.target.closest("figure"));
        clearTimeout(timer);
        timer = setTimeout(() => {
          for (const figure of waiting) ask(figure);
          waiting.clear();
        }, 120);
      });
      for (const figure of figures) {
        ask(figure);
        watch.observe(figure.querySelector(".bb-scroll"));
      }
    };
    document.head.append(bundle);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
