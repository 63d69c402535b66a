// The recorded paths of one problem: which lanes are drawn, and how far each is at a cost.
//
// A view has the points of all its lanes in one row: lane number i, of `lanes[i]` = [place among
// the view's optimizers, start, setting, status], ends before point `ends[i]`.

function laneOf(view, place, start, setting) {
  const [count] = view.lanes.shape;
  for (let row = 0; row < count; row++) {
    const lane = at(view.lanes, row);
    if (lane[0] === place && lane[1] === start && lane[2] === setting) {
      return { row, first: row ? view.ends[row - 1] : 0, end: view.ends[row], status: lane[3] };
    }
  }
  return null;
}

// The settings of an optimizer that its first start was recorded at, by learning rate.
function settingsOf(view, place) {
  const entry = view.optimizers[place];
  const key = rateIndex(entry);
  const found = range(entry.settings.shape[0]).filter((h) => laneOf(view, place, 0, h));
  return key < 0 ? found : found.sort((a, b) => at(entry.settings, a, key) - at(entry.settings, b, key));
}

const rateIndex = (entry) => entry.names.indexOf("learning_rate");

function settingText(entry, setting) {
  const values = entry.names.map(
    (name, key) => `${name.replaceAll("_", " ")} ${number(at(entry.settings, setting, key))}`,
  );
  return values.join(", ") || "nothing to set";
}

function originText(entry, setting) {
  if (!entry.names.length) return "";
  const trials = entry.trials || entry.settings.shape[0];
  const origin = setting < trials ? `trial ${setting + 1} of ${trials}` : "published default";
  return setting === entry.tuned ? `tuned: ${origin}` : origin;
}

function settingAndOrigin(entry, setting) {
  const origin = originText(entry, setting);
  return settingText(entry, setting) + (origin && ` (${origin})`);
}

// The setting of an optimizer nearest to a learning rate; the tuned one where it has none.
function nearestSetting(view, place, rate) {
  const entry = view.optimizers[place];
  const key = rateIndex(entry);
  const known = key < 0 ? [] : settingsOf(view, place);
  const away = (h) => Math.abs(Math.log(at(entry.settings, h, key) / rate));
  return known.length ? known.reduce((a, b) => (away(b) < away(a) ? b : a)) : entry.tuned;
}

// One lane as it is drawn.
function pathOf(view, place, start, setting) {
  const lane = laneOf(view, place, start, setting);
  if (!lane) return null;
  const entry = view.optimizers[place];
  const part = (array) => Array.from(array.subarray(lane.first, lane.end));
  const points = view.points.subarray(2 * lane.first, 2 * lane.end);
  const merits = part(view.merits);
  return {
    entry,
    setting,
    seed: view.seeds[start],
    optimizer: entry.optimizer,
    status: view.statuses[lane.status],
    x: merits.map((_, i) => points[2 * i]),
    y: merits.map((_, i) => points[2 * i + 1]),
    steps: part(view.index).map((index) => entry.steps[index]),
    costs: part(view.costs),
    merits,
    values: view.values ? part(view.values) : merits.map((merit) => merit + view.reference),
    offPlane: view.offPlane ? part(view.offPlane) : null,
  };
}

// How many points of a path are reached within a cost.
function reached(path, cost) {
  let low = 0;
  let high = path.costs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (path.costs[middle] <= cost) low = middle + 1;
    else high = middle;
  }
  return low;
}

// All costs at which some path has a point, ascending.
const costsOf = (paths) =>
  [...new Set(paths.flatMap((path) => path.costs))].sort((a, b) => a - b);

// The paths of the optimizers that are switched on, at the settings and from the start chosen.
function chosenPaths(view, tuning) {
  return view.optimizers.flatMap((entry, place) => {
    if (!selection.optimizers.includes(entry.optimizer)) return [];
    const path = pathOf(view, place, tuning.start, chosenSetting(view, place, tuning));
    return path ? [path] : [];
  });
}
