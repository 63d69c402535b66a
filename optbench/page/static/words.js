// Text: of numbers, of users, and of elements.

// A number with three digits; what is not known has a dash.
function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    return value.toExponential(2).replace(/\.?0*e/, "e").replace("e+", "e");
  }
  return String(Number(value.toPrecision(3)));
}

// A fraction as people write it: 1e-4.
const power = (value) => value.toExponential().replace("e+", "e").replace(/^(\d)\.0*e/, "$1e");

// Text of a user in a figure, where Plotly would take it for markup.
function plain(text) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  return String(text).replace(/[&<>]/g, (character) => names[character]);
}

// A label of which any part between brackets, commas and underscores may begin a line.
function breakable(text) {
  const pieces = String(text).match(/[^([,_/]*[([,_/]?/g).filter(Boolean);
  return element("span", {}, ...pieces.flatMap((piece) => [piece, element("wbr")]));
}

// A long label in lines, broken after brackets, commas and underscores, as plain text of a figure.
function wrapped(text, width) {
  const lines = [""];
  for (const piece of String(text).match(/[^([,_ ]*[([,_ ]?/g)) {
    if (lines.at(-1) && lines.at(-1).length + piece.length > width) lines.push("");
    lines[lines.length - 1] += piece;
  }
  return lines.map(plain).join("<br>");
}

// An element: its name, attributes (functions are listeners), children (texts stay texts).
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// A choice among options [value, text]; `chosen` is told the value.
function menu(title, options, value, chosen) {
  const select = element("select", { change: () => chosen(select.value) });
  for (const [key, text] of options) {
    select.append(element("option", { value: key, selected: String(key) === String(value) }, text));
  }
  return element("label", {}, title.charAt(0).toUpperCase() + title.slice(1), select);
}

// Gives the menu other options; returns the chosen value, or the first one where it is gone.
function filled(label, options, value) {
  const kept = options.some(([key]) => key === value) ? value : options[0][0];
  const select = label.querySelector("select");
  select.replaceChildren(
    ...options.map(([key, text]) => element("option", { value: key, selected: key === kept }, text)),
  );
  return kept;
}

// A choice of yes or no; `chosen` is told which.
function toggle(title, checked, chosen) {
  const box = element("input", { type: "checkbox", checked, change: () => chosen(box.checked) });
  return element("label", {}, box, title);
}

// A word as a shell takes it.
const shellWord = (text) =>
  /^[\w./@%+=:,-]+$/.test(text) ? String(text) : `'${String(text).replaceAll("'", `'\\''`)}'`;

// Labels of the optimizers that are shown; none where all are, of which no command names any.
function namedOptimizers(facts) {
  const isAll = selection.optimizers.length === facts.optimizers.length;
  return isAll ? [] : labelsAt(facts.optimizers, selection.optimizers);
}

const labelsAt = (items, indices) => indices.map((index) => items[index].label);

// Labels of the problems that are shown; none where all are.
function namedProblems(facts) {
  const isAll = selection.problems.length === facts.problems.length;
  return isAll ? [] : labelsAt(facts.problems, selection.problems);
}

// The command that draws a figure on paper; options: name -> values, each given once.
function plotCommand(facts, kind, options) {
  const words = ["optbench", "plot", facts.folder, "--figure", kind];
  for (const [name, values] of Object.entries(options)) {
    for (const value of values) words.push(`--${name}`, value);
  }
  return words.map(shellWord).join(" ");
}

function csv(columns, rows) {
  const quoted = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}

function download(name, url) {
  element("a", { href: url, download: name.replace(/[^\w.-]+/g, "_") }).click();
}
