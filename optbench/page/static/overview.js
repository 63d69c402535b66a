// Every problem that is shown, at a glance: a small panel each, drawn when it comes into sight.

const OVERVIEW_WIDTH = 180;
const OVERVIEW_HEIGHT = 100;
const OVERVIEW_POINTS = 24; // of a line, at most

function addOverview(host, study) {
  const panels = study.facts.problems.map((problem, index) => overviewPanel(problem, index));
  const grid = element("div", { class: "overview" }, ...panels.map(({ box }) => box));
  host.append(
    element("h3", {}, "All problems at a glance"),
    element(
      "p",
      { class: "note" },
      "How to read: the merit over cost, both logarithmic (the merit of a saddle linear), medians " +
        "at the tuned setting; press a panel to look at its problem below.",
    ),
    grid,
  );
  let frame = null;
  const paint = () => {
    frame = null;
    panels
      .filter((panel) => panel.visible && panel.dirty && !panel.box.hidden)
      .forEach((panel) => paintPanel(panel, study));
  };
  const schedule = () => (frame ??= requestAnimationFrame(paint));
  const spoil = () => {
    panels.forEach((panel) => (panel.dirty = true));
    schedule();
  };
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        panels.find(({ box }) => box === entry.target).visible = entry.isIntersecting;
      }
      schedule();
    },
    { rootMargin: "200px" },
  );
  panels.forEach(({ box }) => watcher.observe(box));
  swatches.push(spoil);
  onChoice((changed) => {
    panels.forEach(({ box, index }) => {
      box.hidden = !selection.problems.includes(index);
      box.setAttribute("aria-pressed", String(index === selection.problem));
    });
    if (changed.has("optimizers")) spoil();
    else schedule();
  });
  addEventListener("beforeprint", () => panels.forEach((panel) => paintPanel(panel, study)));
}

function overviewPanel(problem, index) {
  const drawing = overviewElement("svg", {
    viewBox: `0 0 ${OVERVIEW_WIDTH} ${OVERVIEW_HEIGHT}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  const show = () => {
    choose({ problem: index });
    document.querySelector("[data-figure=convergence]").scrollIntoView();
  };
  const title = element("span", {}, breakable(problem.label));
  const box = element("button", { type: "button", title: problem.label, click: show }, title);
  box.append(drawing);
  return { box, drawing, index, visible: false, dirty: true };
}

function paintPanel(panel, { data, facts }) {
  panel.dirty = false;
  const { tuned, limits } = data.problems[panel.index];
  const lines = selection.optimizers.filter((index) => tuned[index].curves);
  const curves = lines.map((index) => overviewCurve(tuned[index]));
  const ends = curves.map(({ x }) => x.at(-1)).filter(Number.isFinite);
  const span = [Math.min(...curves.map(({ x }) => x[0])), Math.max(...ends)];
  const paths = curves.map(({ x, y }, place) => {
    const optimizer = facts.optimizers[lines[place]];
    return overviewElement("path", {
      d: overviewPath(x, y, span, limits),
      fill: "none",
      stroke: colorOf(optimizer),
      "stroke-width": "1.6",
      "stroke-dasharray": optimizer.dash === "solid" ? "none" : optimizer.dash,
      "vector-effect": "non-scaling-stroke",
    });
  });
  panel.drawing.replaceChildren(...paths);
}

// Some of the points of a curve of the merit over cost.
function overviewCurve({ curves, cost }) {
  const rows = curves.merit.cost || curves.merit.steps;
  const every = Math.ceil(rows.shape[1] / OVERVIEW_POINTS);
  const kept = (_, k) => k % every === 0 || k === rows.shape[1] - 1;
  const place = curves.merit.cost || !cost ? (value) => value : (step) => cost[0] + cost[1] * step;
  return {
    x: Array.from(at(rows, 0), place).filter(kept),
    y: Array.from(at(rows, 1)).filter(kept),
  };
}

function overviewPath(x, y, [first, last], limits) {
  const isLinear = limits[0] < 0;
  const height = isLinear ? (value) => value : (value) => Math.log10(Math.max(value, 1e-300));
  const [low, high] = limits.map(height);
  const wide = Math.log10(last / first) || 1;
  const points = x.map((cost, k) => {
    const across = (OVERVIEW_WIDTH * Math.log10(cost / first)) / wide;
    const up = (height(y[k]) - low) / (high - low);
    return `${across.toFixed(1)} ${(OVERVIEW_HEIGHT * (1 - Math.min(Math.max(up, -1), 2))).toFixed(1)}`;
  });
  return `M${points.join("L")}`;
}

function overviewElement(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
