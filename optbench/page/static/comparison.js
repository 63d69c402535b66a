// Comparison over problems: profiles, distributions of runtimes, a map of costs, how runs end.

SECTIONS.push([
  "comparison",
  "Comparison",
  (host, data, facts) => {
    const costs = comparedCosts(data, facts);
    host.append(comparisonMenus(costs), comparisonNote(costs));
    addProfile(host, costs);
    addFigure(host, pairwiseFigure(costs));
    addFigure(host, heatmapFigure(costs));
    addFigure(host, dataProfileFigure(costs));
    addFigure(host, runtimeFigure(costs));
    addFigure(host, endingsFigure(costs));
  },
]);

function comparisonNote({ data }) {
  const target = power(data.targets[data.target]);
  return element(
    "p",
    { class: "note" },
    `Costs are medians over seeds; a target is a fraction of the distance at the start. Every ` +
      `setting is the one that tuning chose for ${target}, also where another target is looked at.`,
  );
}

function addProfile(host, costs) {
  const profile = performanceFigure(costs);
  const box = element("div", { role: "region", "aria-label": "Standings of those shown" });
  const drawn = () => box.replaceChildren(...standings(costs));
  const figure = addFigure(host, {
    ...profile,
    depends: [...profile.depends, "reference"],
    drawn,
    standings: () => standingsTable(costs),
  });
  figure.plot.after(box);
}
