// The lists of problems and optimizers: a search that narrows, and a switch for each.

function addFilters(facts) {
  const host = document.getElementById("filters");
  host.append(
    filter("Optimizers", "optimizers", facts.optimizers, {
      words: (optimizer) => [optimizer.label, optimizer.family],
      mark: swatch,
      first: (optimizer) => optimizer.shown,
    }),
    filter("Problems", "problems", facts.problems, {
      words: (problem) => [problem.label, problem.family, problem.kind, `dim=${problem.dim}`],
      mark: () => "",
      first: () => true,
    }),
  );
}

function filter(title, key, items, { words, mark, first }) {
  const haystacks = items.map((item) => words(item).join(" ").toLowerCase());
  const boxes = items.map((item) => element("input", { type: "checkbox", checked: first(item) }));
  const rows = items.map((item, index) =>
    element("li", {}, element("label", {}, boxes[index], mark(item), breakable(item.label))),
  );
  const count = element("output", { "aria-live": "polite" });
  const search = element("input", {
    type: "search",
    placeholder: "search",
    "aria-label": `Search ${title.toLowerCase()}`,
  });
  const matches = () => {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return haystacks.map((hay) => asked.every((word) => hay.includes(word)));
  };
  const apply = () => {
    const found = matches();
    rows.forEach((row, index) => (row.hidden = !found[index]));
    const chosen = range(items.length).filter((index) => found[index] && boxes[index].checked);
    count.textContent = `${chosen.length} of ${items.length}`;
    choose({ [key]: chosen });
  };
  const all = (checked) => () => {
    const found = matches();
    boxes.forEach((box, index) => found[index] && (box.checked = checked));
    apply();
  };
  search.addEventListener("input", apply);
  boxes.forEach((box) => box.addEventListener("change", apply));
  const button = (text, checked) =>
    element(
      "button",
      { type: "button", click: all(checked), "aria-label": `${text} ${title.toLowerCase()}` },
      text,
    );
  apply();
  return element(
    "fieldset",
    { "data-filter": key },
    element("legend", {}, title),
    search,
    element("div", { class: "bar" }, button("All", true), button("None", false), count),
    element("ul", {}, ...rows),
  );
}

// A menu of the problems, of which one is looked at alone; all of these follow each other.
function problemMenu(facts) {
  const options = facts.problems.map((problem, index) => [index, problem.label]);
  const label = menu("problem", options, selection.problem, (value) =>
    choose({ problem: Number(value) }),
  );
  const select = label.querySelector("select");
  onChoice((changed) => changed.has("problem") && (select.value = String(selection.problem)));
  return label;
}

// A piece of an optimizer's line, which is the legend of all figures.
function swatch(optimizer) {
  const { drawing, paint } = pieceOfLine(optimizer);
  swatches.push(paint);
  return drawing;
}

// A piece of a line, with its marker if it has one, and what paints it in the theme of the moment.
function pieceOfLine(look) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  const line = document.createElementNS(space, "path");
  drawing.setAttribute("width", "34");
  drawing.setAttribute("height", "12");
  drawing.setAttribute("aria-hidden", "true");
  line.setAttribute("d", "M1 6H33");
  line.setAttribute("fill", "none");
  line.setAttribute("stroke-width", look.width || "2.2");
  if (look.dash !== "solid") line.setAttribute("stroke-dasharray", look.dash);
  const marker = document.createElementNS(space, "path");
  marker.setAttribute("d", MARKERS[look.symbol] || "");
  marker.setAttribute("transform", "translate(17 6)");
  if (look.dash !== null) drawing.append(line);
  drawing.append(marker);
  const paint = () => {
    line.setAttribute("stroke", colorOf(look));
    marker.setAttribute("fill", colorOf(look));
  };
  paint();
  return { drawing, paint };
}

const swatches = [];
const MARKERS = {
  circle: "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z",
  square: "M-4 -4H4V4H-4Z",
  "triangle-up": "M0 -5L4.5 4H-4.5Z",
  "triangle-down": "M0 5L4.5 -4H-4.5Z",
  "triangle-left": "M-5 0L4 4.5V-4.5Z",
  "triangle-right": "M5 0L-4 4.5V-4.5Z",
  diamond: "M0 -5L5 0L0 5L-5 0Z",
  cross: "M-1.6 -5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5V-1.6H-1.6Z",
  x: "M-4 -2.3L-2.3 -4L0 -1.7L2.3 -4L4 -2.3L1.7 0L4 2.3L2.3 4L0 1.7L-2.3 4L-4 2.3L-1.7 0Z",
};
