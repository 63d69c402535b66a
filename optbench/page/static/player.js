// A player over costs: play, pause, step to the next recorded point, or drag. The slider is
// logarithmic in cost, as the recorded points are.

const PLAY_SECONDS = 12; // from the first cost to the last, at speed 1
const SLIDER_STEPS = 1000;
const SPEEDS = [0.25, 0.5, 1, 2, 4];
const CALM_SECONDS = 0.5; // between two pictures where the reader wants no motion

// Its bar is made here. `costs()` are those at which something happens, ascending; `show(cost)` is told while the player
// moves, and `rest()` when it starts or stops moving, for the picture to be drawn anew.
function makePlayer({ costs, show, rest }) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const state = { cost: null, speed: 1, playing: false, moving: false, last: 0, request: 0 };
  const ends = () => [costs()[0], costs().at(-1)];
  const cost = () => {
    const [low, high] = ends();
    return state.cost === null ? high : Math.min(Math.max(state.cost, low), high);
  };
  const move = (to, moving) => {
    state.cost = to >= ends()[1] ? null : to;
    const changed = moving !== state.moving;
    state.moving = moving;
    parts.label(cost(), ends());
    if (moving && !changed) show(cost());
    else rest();
  };
  const stop = () => {
    cancelAnimationFrame(state.request);
    state.playing = false;
    parts.playing(false);
  };
  const pause = () => {
    stop();
    move(cost(), false);
  };
  const tick = (now) => {
    const seconds = (now - state.last) / 1000;
    if (!calm.matches || seconds >= CALM_SECONDS) {
      const [low, high] = ends();
      const to = cost() * (high / low) ** ((seconds * state.speed) / PLAY_SECONDS);
      state.last = now;
      if (to >= high || !(low < high)) {
        stop();
        move(high, false);
        return;
      }
      move(to, true);
    }
    state.request = requestAnimationFrame(tick);
  };
  const play = () => {
    if (state.playing) return pause();
    state.playing = true;
    parts.playing(true);
    move(state.cost === null ? ends()[0] : cost(), true);
    state.last = performance.now();
    state.request = requestAnimationFrame(tick);
  };
  const step = (way) => () => {
    stop();
    const now = cost();
    const all = way > 0 ? costs().filter((c) => c > now) : costs().filter((c) => c < now);
    move(way > 0 ? (all[0] ?? now) : (all.at(-1) ?? now), false);
  };
  const drag = (moving) => (position) => {
    stop();
    const [low, high] = ends();
    move(position >= SLIDER_STEPS ? high : low * (high / low) ** (position / SLIDER_STEPS), moving);
  };
  const speed = (value) => (state.speed = Number(value));
  const parts = playerParts({ play, step, drag, speed });
  return {
    bar: parts.bar,
    cost,
    moving: () => state.moving,
    refresh: () => parts.label(cost(), ends()),
  };
}

function playerParts({ play, step, drag, speed }) {
  const button = (text, label, click) =>
    element("button", { type: "button", click, "aria-label": label }, text);
  const start = button("▶ Play", "Play the paths", play);
  const slider = element("input", {
    type: "range",
    min: 0,
    max: SLIDER_STEPS,
    step: 1,
    "aria-label": "Cost in gradient-equivalents",
    input: () => drag(true)(Number(slider.value)),
    change: () => drag(false)(Number(slider.value)),
  });
  const output = element("output");
  const bar = element(
    "div",
    { class: "bar player" },
    start,
    button("|◀", "Back to the point before", step(-1)),
    button("▶|", "On to the next point", step(1)),
    element("label", {}, "Cost", slider, output),
    menu("Speed", SPEEDS.map((value) => [value, `${value}×`]), 1, speed),
  );
  return {
    bar,
    playing: (is) => {
      start.textContent = is ? "❚❚ Pause" : "▶ Play";
      start.setAttribute("aria-label", is ? "Pause" : "Play the paths");
    },
    label: (cost, [low, high]) => {
      const share = low < high ? Math.log(cost / low) / Math.log(high / low) : 1;
      slider.value = Math.round(SLIDER_STEPS * share);
      output.textContent = `${number(cost)} of ${number(high)}`;
      slider.setAttribute("aria-valuetext", `cost ${output.textContent} gradient-equivalents`);
    },
  };
}
