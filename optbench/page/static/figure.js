// A figure with all that belongs to it: how to read it, its data, its picture, its command.
//
// A figure is described by
//   id, title       of the figure
//   read            one sentence: how to read it; or () => that of what is drawn
//   depends         keys of the selection that change it
//   controls        optional: (bar, redraw) puts its own menus into the bar
//   draw            () => { traces, layout, height?, alt, note? } or { empty: why there is nothing };
//                   the note is what is to be said of this selection: what is left out, and why
//   table           () => { columns, rows }: the numbers that are drawn
//   command         () => the command that draws it on paper; null where there is none
//   legend          optional: () => the optimizers whose lines a saved picture has to name
//   drawn           optional: (plot) after every drawing, to listen to Plotly's events

const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: "reset" };
const figures = [];
let frame = null;

const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      figures.find((figure) => figure.box === entry.target).visible = entry.isIntersecting;
    }
    schedule();
  },
  { rootMargin: "300px" },
);

function addFigure(host, spec) {
  const plot = element("div", { class: "plot", role: "img", id: `figure-${spec.id}` });
  const bar = element("div", { class: "bar" });
  const code = element("code");
  const caption = element("figcaption", {}, typeof spec.read === "string" ? reading(spec.read) : "");
  const note = element("p", { class: "note", "aria-live": "polite" });
  const box = element(
    "figure",
    { "data-figure": spec.id },
    element("h3", {}, spec.title),
    bar,
    plot,
    note,
    caption,
    element("div", { class: "tools" }, ...tools(spec, plot), code),
  );
  host.append(box);
  const figure = { ...spec, box, plot, note, code, caption, bar, dirty: true, visible: false };
  figures.push(figure);
  if (spec.controls) spec.controls(bar, () => redraw(figure));
  bar.hidden = !bar.childElementCount;
  watcher.observe(box);
  return figure;
}

const reading = (sentence) => `How to read: ${sentence}`;

function tools(spec, plot) {
  const picture = (format) => () => savePicture(spec, plot, format);
  const data = () => {
    const { columns, rows } = spec.table();
    const url = URL.createObjectURL(new Blob([csv(columns, rows)], { type: "text/csv" }));
    download(`${spec.id}.csv`, url);
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  const button = (name, save) =>
    element(
      "button",
      { type: "button", click: save, "aria-label": `Save ${spec.title} as ${name}` },
      name,
    );
  return [button("CSV", data), button("SVG", picture("svg")), button("PNG", picture("png"))];
}

function redraw(figure) {
  figure.dirty = true;
  schedule();
}

function redrawAll() {
  figures.forEach((figure) => (figure.dirty = true));
  schedule();
}

onChoice((changed) => {
  for (const figure of figures) {
    if (figure.depends.some((key) => changed.has(key))) figure.dirty = true;
  }
  schedule();
});

function schedule() {
  frame ??= requestAnimationFrame(() => {
    frame = null;
    figures.filter((figure) => figure.dirty && figure.visible).forEach(drawNow);
  });
}

const drawAll = () => figures.filter((figure) => figure.dirty).forEach(drawNow);

function drawNow(figure) {
  figure.dirty = false;
  const drawing = figure.draw();
  const command = figure.command && figure.command();
  figure.code.textContent = command || "";
  if (typeof figure.read === "function") figure.caption.textContent = reading(figure.read());
  figure.note.textContent = drawing.note || "";
  if (drawing.empty) {
    Plotly.purge(figure.plot);
    figure.plot.style.height = "";
    figure.plot.replaceChildren(element("p", { class: "empty" }, drawing.empty));
    figure.plot.setAttribute("aria-label", drawing.empty);
    return;
  }
  if (!figure.plot.data) figure.plot.replaceChildren();
  const height = drawing.height || 440;
  figure.plot.style.height = `${height}px`;
  Plotly.react(figure.plot, drawing.traces, { ...drawing.layout, height }, CONFIG);
  figure.plot.setAttribute("aria-label", drawing.alt);
  if (figure.drawn) figure.drawn(figure.plot);
}

const nextFrame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

// Resolves when every figure in sight shows the selection.
async function settled() {
  await nextFrame(); // in which the browser sees what has come in sight
  do await nextFrame();
  while (frame !== null || figures.some((figure) => figure.dirty && figure.visible));
}
