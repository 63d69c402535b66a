// What stands below the convergence figure: notes, a table, the numbers of a file, a command.

function curveNotes(data, facts, view, isEscape) {
  const notes = [];
  const { starts } = data.problems[selection.problem];
  const shown = selection.optimizers.map((index) => [
    facts.optimizers[index].label,
    curveLine(data, index, view),
  ]);
  if (view.quantity === "distance") {
    const kept = shown.map(([, line]) => line.curves?.distance?.starts || 0);
    notes.push(`Points were kept of ${Math.max(...kept, 0)} of ${starts} starts.`);
  }
  if (starts === 1) notes.push("One start: no range.");
  if (isEscape) notes.push("Below -1 the saddle has been left.");
  if (view.across === "log" && view.axis !== "cost") notes.push("The start, step 0, is left out.");
  for (const [label, line] of shown) if (line.lost) notes.push(`${label}: ${line.lost}.`);
  if (view.axis === "seconds") {
    const untimed = shown.filter(([, line]) => line.curves && !curvePlace(data, line, "seconds"));
    if (untimed.length) notes.push(`Not timed: ${untimed.map(([label]) => label).join(", ")}.`);
  }
  return notes;
}

const CURVE_COLUMNS = [
  "optimizer",
  "setting",
  "final merit",
  "hardest target",
  "cost to it",
  "regime",
  "rate [interval]",
  "theory",
  "ratio",
  "misses",
];

function curveTable({ data, facts, view }) {
  const problem = data.problems[selection.problem];
  const head = CURVE_COLUMNS.map((name) => element("th", { scope: "col" }, name));
  const rows = selection.optimizers.map((index) => {
    const { label } = facts.optimizers[index];
    const name = element("th", { scope: "row" }, breakable(label));
    const line = curveLine(data, index, view);
    const wide = (columns, text) => element("td", { class: "words", colspan: String(columns) }, text);
    const cells = line.why
      ? [wide(CURVE_COLUMNS.length - 1, line.why)]
      : curveCells(data, line).map((cell) =>
          Array.isArray(cell) ? wide(...cell) : element("td", {}, cell),
        );
    return element("tr", {}, name, ...cells);
  });
  const { label } = facts.problems[selection.problem];
  const where = view.setting === "tuned" ? "the tuned setting" : "published defaults";
  const caption = `${label}: medians over ${problem.starts} starts at ${where}; rates as \`optbench rates\` tells them.`;
  return element(
    "table",
    { class: "numbers", id: "convergence-table" },
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows),
  );
}

function curveCells(data, line) {
  const told = (name) => curveNumber(data, line, name);
  const hardest = told("hardest");
  const rate = line.rate
    ? [line.rate.regime, `${line.rate.rate} [${line.rate.interval}]`]
    : [[2, `no rate: ${line.no_rate}`]];
  const misses = Object.entries(line.failures).map(([kind, count]) => `${count} ${kind}`);
  return [
    [1, [line.setting, line.track && `@${line.track}`].filter(Boolean).join(" ")],
    number(told("final")),
    Number.isNaN(hardest) ? "none" : hardest < 0 ? "escape" : power(hardest),
    number(told("hardest_cost")),
    ...rate,
    line.theory === null ? "unknown" : line.theory,
    line.rate ? line.rate.ratio : "–",
    [1, misses.join(", ") || "none"],
  ];
}

function curveNumbers({ data, facts, view }) {
  const rows = selection.optimizers.flatMap((index) => {
    const curve = curveOf(data, index, view);
    const line = curveLine(data, index, view);
    if (!curve) return [];
    return curve.x.map((x, k) => [
      facts.problems[selection.problem].label,
      facts.optimizers[index].label,
      line.setting,
      x,
      curve.median[k],
      curve.low[k],
      curve.high[k],
    ]);
  });
  const columns = ["problem", "optimizer", "setting", view.axis, "median", "best", "worst"];
  return { columns, rows };
}

function curveCommand({ facts, view }) {
  if (view.setting !== "tuned" || view.quantity !== "merit" || view.axis !== "cost") return null;
  const { label } = facts.problems[selection.problem];
  return plotCommand(facts, "convergence", { problem: [label], optimizer: namedOptimizers(facts) });
}
