// Light and dark: colors of the page in figures, and the layout that all figures share.

// Okabe & Ito (2008) on white -> the same hue on black.
const ON_DARK = {
  "#0072B2": "#4C9BE8",
  "#D55E00": "#F07B3F",
  "#009E73": "#2FC79A",
  "#CC79A7": "#E39AC4",
  "#E69F00": "#F2B33D",
  "#56B4E9": "#9AD7FF",
  "#000000": "#F2F2F2",
};
const FONT_SIZE = 14;
const MOST_DECADES = 8; // with a tick each

const isDark = () => document.documentElement.dataset.theme === "dark";
const ink = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const colorOf = (optimizer) => (isDark() && ON_DARK[optimizer.color]) || optimizer.color;

// Line and marker of an optimizer, as a trace of Plotly wants them.
function lookOf(optimizer) {
  const color = colorOf(optimizer);
  return {
    line: { color, dash: optimizer.dash, width: 2.2 },
    marker: { color, symbol: optimizer.symbol, size: 8, line: { color: ink("paper"), width: 1 } },
  };
}

const axis = (more = {}) => ({
  gridcolor: ink("grid"),
  linecolor: ink("muted"),
  zerolinecolor: ink("grid"),
  ticks: "outside",
  tickcolor: ink("muted"),
  automargin: true,
  exponentformat: "power",
  ...more,
  title: { standoff: 8, ...(typeof more.title === "string" ? { text: more.title } : more.title) },
});

// A logarithmic axis; over many decades not every one has a tick.
// Ticks at 1, 2 and 5 times powers of ten, written out.
function roundTicks(low, high) {
  const powers = range(Math.ceil(Math.log10(high / low)) + 2);
  const first = Math.floor(Math.log10(low));
  const tickvals = powers.flatMap((power) => [1, 2, 5].map((d) => d * 10 ** (first + power)));
  return { tickmode: "array", tickvals, ticktext: tickvals.map(number) };
}

function logAxis(more = {}) {
  const [low, high] = more.range || [0, 0];
  const dtick = Math.max(1, Math.ceil((high - low) / MOST_DECADES));
  return axis({ type: "log", dtick, ...more });
}

const translucent = (color, opacity) =>
  color + Math.round(255 * opacity).toString(16).padStart(2, "0");

function layoutOf({ xaxis, yaxis, ...more } = {}) {
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: FONT_SIZE, color: ink("ink") },
    paper_bgcolor: ink("paper"),
    plot_bgcolor: ink("paper"),
    margin: { l: 70, r: 18, t: 14, b: 56 },
    showlegend: false,
    hovermode: "closest",
    hoverlabel: { align: "left", namelength: -1 },
    xaxis: axis(xaxis),
    yaxis: axis(yaxis),
    ...more,
  };
}

function chooseTheme(name) {
  document.documentElement.dataset.theme = name;
  const button = document.getElementById("theme");
  button.textContent = name === "dark" ? "Light" : "Dark";
  button.setAttribute("aria-label", `Change to the ${name === "dark" ? "light" : "dark"} theme`);
}

function startTheme(changed) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = (name) => {
    chooseTheme(name);
    changed();
  };
  apply(system.matches ? "dark" : "light");
  system.addEventListener("change", () => apply(system.matches ? "dark" : "light"));
  document
    .getElementById("theme")
    .addEventListener("click", () => apply(isDark() ? "light" : "dark"));
  let before = null;
  addEventListener("beforeprint", () => {
    before = isDark() ? "dark" : "light";
    apply("light");
    document.querySelectorAll("details").forEach((box) => (box.open = true));
    drawAll();
  });
  addEventListener("afterprint", () => before && apply(before));
}
