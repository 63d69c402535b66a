// How the optimizers that are shown stand: score, successes, and ratio to the reference.

const SCORED_UP_TO = 4; // times the cost of the best

// Score, successes and ratio to the reference of the optimizers of the profile, best score first.
function standingsTable(costs) {
  const field = costs.field();
  if (nothingCompared(costs, field)) return { columns: [], rows: [] };
  const { optimizers } = costs.facts;
  const values = costs.costs(field);
  const ratios = profiles.ratiosToBest(values);
  const scores = profiles.profileScore(values, SCORED_UP_TO);
  const grid = costs.all(selection.unit, selection.target);
  const reference = field.problems.map((p) => profiles.asCost(grid[p][selection.reference]));
  const rows = field.optimizers.map((o, s) => {
    const own = profiles.referenceRatio(profiles.column(values, s), reference);
    const first = profiles.column(ratios, s).filter((ratio) => ratio === 1).length;
    return [optimizers[o].label, scores[s], own.solved, first, own.ratio, own.used];
  });
  return {
    columns: [
      "optimizer",
      "score",
      "solved",
      "cheapest on",
      `cost over ${optimizers[selection.reference].label}`,
      "both solve",
    ],
    rows: rows.sort((a, b) => b[1] - a[1]),
    total: field.problems.length,
  };
}

// The standings as a table of the page.
function standings(costs) {
  const { columns, rows, total } = standingsTable(costs);
  if (!rows.length) return [];
  const heads = columns.map((name) => element("th", { scope: "col" }, breakable(name)));
  const body = rows.map(([label, score, solved, first, ratio, used]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, breakable(label)),
      ...[
        score.toFixed(3),
        `${solved} of ${total}`,
        first,
        ratio === null ? "–" : `${number(ratio)}×`,
        used,
      ].map((value) => element("td", {}, String(value))),
    ),
  );
  const told =
    `Score: mean over problems of the part of [1, ${SCORED_UP_TO}] that lies beyond the ratio to ` +
    "the best shown (AlgoPerf, Dahl et al., 2023), 1 at best. Cost: geometric mean over the " +
    "problems that both solve; it says nothing of the others.";
  return [
    element("p", { class: "note", id: "standings" }, told),
    element("div", { class: "scroll tall", tabindex: "0" }, element(
      "table",
      { "aria-describedby": "standings" },
      element("thead", {}, element("tr", {}, ...heads)),
      element("tbody", {}, ...body),
    )),
  ];
}
