// The picture of a player while it moves: the elements that Plotly has drawn are changed in place,
// as drawing them anew takes longer than a frame.

const OUTSIDE = 1e5; // pixels: no browser draws further

const pixel = (value) => Math.min(Math.max(value, -OUTSIDE), OUTSIDE).toFixed(1);

// Show every path up to a cost, in a plot that has all of their points.
function scrub(plot, paths, cost) {
  const { xaxis, yaxis, xaxis2, yaxis2 } = plot._fullLayout;
  const on = (path, index, across, up, [x, y]) =>
    `${pixel(across.d2p(path[x][index]))},${pixel(up.d2p(path[y][index]))}`;
  const heads = plot.querySelectorAll(".traceheads .point");
  const others = plot.querySelectorAll(".tracecurve-heads .point");
  paths.forEach((path, row) => {
    const count = reached(path, cost);
    const group = plot.querySelector(`.tracepath-${row}`);
    const places = range(count).map((index) => on(path, index, xaxis, yaxis, ["x", "y"]));
    group.querySelectorAll(".js-line").forEach((line) => {
      line.setAttribute("d", places.length ? `M${places.join("L")}` : "M0,0");
    });
    group.querySelectorAll(".point").forEach((point, index) => {
      point.style.visibility = index < count ? "" : "hidden";
    });
    moveTo(heads[row], places.at(-1));
    moveTo(others[row], count && on(path, count - 1, xaxis2, yaxis2, ["costs", "heights"]));
  });
  const line = plot.querySelector('.shapelayer path[data-index="0"]');
  const x = pixel(xaxis2._offset + xaxis2.d2p(cost));
  line?.setAttribute("d", `M${x},${yaxis2._offset}V${yaxis2._offset + yaxis2._length}`);
}

function moveTo(marker, place) {
  if (!marker) return;
  marker.style.visibility = place ? "" : "hidden";
  if (place) marker.setAttribute("transform", `translate(${place})`);
}

// What the marker of each path stands at, in a table below the picture.
function pathReadout(facts) {
  const head = element("tr");
  const body = element("tbody");
  const note = element("p", { class: "note" });
  const rows = new Map();
  const rowOf = (optimizer) => {
    if (!rows.has(optimizer)) {
      const known = facts.optimizers[optimizer];
      const name = element("th", { scope: "row" }, swatch(known), " ", breakable(known.label));
      const cells = range(5).map((column) => element("td", { class: column > 0 && "short" }));
      rows.set(optimizer, { cells, row: element("tr", {}, name, ...cells) });
    }
    return rows.get(optimizer);
  };
  return {
    box: element(
      "div",
      {},
      note,
      element("div", { class: "scroll readout" }, element("table", {}, element("thead", {}, head), body)),
    ),
    refresh: (view, paths) => {
      note.textContent = view ? noteOf(view) : "";
      const names = ["optimizer", "setting", "step", "cost", view && MERITS[view.merit], "ends"];
      head.replaceChildren(
        ...(paths.length ? names : []).map((name) => element("th", { scope: "col" }, name)),
      );
      body.replaceChildren(
        ...paths.map((path) => {
          const { row, cells } = rowOf(path.optimizer);
          cells[0].textContent = settingAndOrigin(path.entry, path.setting);
          cells[4].textContent = path.status;
          return row;
        }),
      );
    },
    show: (paths, cost) => {
      for (const path of paths) {
        const index = reached(path, cost) - 1;
        const { cells } = rowOf(path.optimizer);
        const at = (values) => (index < 0 ? "–" : number(values[index]));
        [path.steps, path.costs, path.merits].forEach((values, column) => {
          cells[1 + column].textContent = at(values);
        });
      }
    },
  };
}

const MERITS = {
  suboptimality: "f − f*",
  "gradient norm": "|grad f|",
  escape: "f − f at the saddle",
};

function noteOf({ plane }) {
  if (!plane) return "";
  const [first, second = 0] = plane.explained;
  const far = plane.leftOut.length
    ? ` Not counted for it, as they ran far away or broke off: ${plane.leftOut.join(", ")}.`
    : "";
  return (
    `A plane through the paths, which holds ${number(100 * (first + second))} % of their variance. ` +
    "The contours are f on the plane; a path lies off it, where f is something else: its hover " +
    `tells f on the path, and how far off that is, of the way to the center.${far}`
  );
}
