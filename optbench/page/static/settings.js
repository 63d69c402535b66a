// What of the recorded paths is chosen: the problem, the settings, the start.
//
// `tuning.mode` is "tuned" (each optimizer at its tuned setting), "all" (all at the recorded
// learning rate nearest to one) or the index of an optimizer that alone leaves its tuned setting;
// `tuning.position` is the place of the slider among the choices there are.

function trajectoryControls(bar, { tuning, views, facts, again }) {
  const change = (key) => (value) => {
    tuning[key] = value;
    again();
  };
  const problem = picker("Problem", (value) => choose({ problem: Number(value) }));
  const mode = picker("Settings", (value) => {
    tuning.mode = /^\d+$/.test(value) ? Number(value) : value;
    tuning.position = null;
    again();
  });
  const rate = slideOver("Recorded setting, by learning rate", change("position"));
  const start = picker("Start", (value) => change("start")(Number(value)));
  const fit = element(
    "button",
    { type: "button", "aria-pressed": "false", click: () => change("fit")(!tuning.fit) },
    "Fit paths",
  );
  bar.append(problem.label, start.label, mode.label, rate.label, fit);
  const refresh = (view) => {
    problem.fill(
      facts.problems.map(({ label }, index) => {
        const drawn = views.some((one) => one.problem === index);
        return [index, drawn ? label : `${label} (no paths recorded)`];
      }),
      selection.problem,
    );
    for (const part of [mode.label, rate.label, start.label, fit]) part.hidden = !view;
    fit.setAttribute("aria-pressed", String(tuning.fit));
    if (view) refreshSettings(view, tuning, facts, { mode, rate, start });
  };
  return { refresh };
}

function refreshSettings(view, tuning, facts, { mode, rate, start }) {
  const modes = modesOf(view, facts);
  if (!modes.some(([value]) => value === tuning.mode)) tuning.mode = "tuned";
  mode.fill(modes, tuning.mode);
  const isTuned = tuning.mode === "tuned";
  if (!isTuned || tuning.start >= view.seeds.length) tuning.start = 0;
  start.fill(
    view.seeds.map((seed, index) => [index, `seed ${seed}`]),
    tuning.start,
  );
  start.disable(!isTuned, "Other settings were kept from the first start only");
  rate.label.hidden = isTuned;
  if (isTuned) return;
  const choices = choicesOf(view, tuning);
  tuning.position ??= choices.first;
  tuning.position = Math.min(tuning.position, choices.texts.length - 1);
  rate.show(choices.texts, tuning.position);
}

function modesOf(view, facts) {
  const several = shownPlaces(view).filter((place) => settingsOf(view, place).length > 1);
  const alone = several.map((place) => {
    const { optimizer } = view.optimizers[place];
    return [optimizer, `another setting of ${facts.optimizers[optimizer].label}`];
  });
  const all = alone.length && ratesOf(view).length > 1 ? [["all", "one learning rate for all"]] : [];
  return [["tuned", "each tuned"], ...all, ...alone];
}

const shownPlaces = (view) =>
  range(view.optimizers.length).filter((place) =>
    selection.optimizers.includes(view.optimizers[place].optimizer),
  );

// All learning rates that a shown optimizer was recorded at, ascending.
function ratesOf(view) {
  const rates = shownPlaces(view).flatMap((place) => {
    const key = rateIndex(view.optimizers[place]);
    if (key < 0) return [];
    return settingsOf(view, place).map((h) => at(view.optimizers[place].settings, h, key));
  });
  return [...new Set(rates)].sort((a, b) => a - b);
}

// What the slider stands for, position by position, and where it begins.
function choicesOf(view, tuning) {
  if (tuning.mode === "all") {
    const texts = ratesOf(view).map((rate) => `learning rate ${number(rate)}, or the nearest`);
    return { texts, first: texts.length >> 1 };
  }
  const place = view.optimizers.findIndex((entry) => entry.optimizer === tuning.mode);
  const entry = view.optimizers[place];
  const settings = settingsOf(view, place);
  const texts = settings.map((h) => settingAndOrigin(entry, h));
  return { texts, first: Math.max(0, settings.indexOf(entry.tuned)) };
}

// The setting at which an optimizer is drawn.
function chosenSetting(view, place, tuning) {
  const entry = view.optimizers[place];
  if (tuning.mode === "all") return nearestSetting(view, place, ratesOf(view)[tuning.position]);
  return tuning.mode === entry.optimizer ? settingsOf(view, place)[tuning.position] : entry.tuned;
}

// A menu whose options change.
function picker(title, chosen) {
  const select = element("select", { change: () => chosen(select.value) });
  return {
    label: element("label", {}, title, select),
    fill: (options, value) => {
      select.replaceChildren(
        ...options.map(([key, text]) =>
          element("option", { value: key, selected: String(key) === String(value) }, text),
        ),
      );
    },
    disable: (is, why) => {
      select.disabled = is;
      select.title = is ? why : "";
    },
  };
}

// A slider over a few choices, with what it stands for beside it.
function slideOver(title, chosen) {
  const input = element("input", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": title,
    input: () => chosen(Number(input.value)),
  });
  const output = element("output");
  return {
    label: element("label", { class: "wide" }, "Learning rate", input, output),
    show: (texts, position) => {
      input.max = texts.length - 1;
      input.value = position;
      output.textContent = texts[position];
      input.setAttribute("aria-valuetext", texts[position]);
    },
  };
}
