// A figure saved as a picture. Alone it has a key of its lines, which on the page the list of
// optimizers is.

const KEY_LINE = 22; // pixels
const KEY_LETTER = 8; // of a label, at most
const KEY_SAMPLE = 50; // of a line, its marker and the room around

// The optimizers that are switched on, as the key of a picture names them.
const shownOptimizers = (facts) => () =>
  selection.optimizers.map((index) => facts.optimizers[index]);

async function savePicture(spec, plot, format) {
  if (!plot.data) return; // it says why there is nothing to draw
  const { width, height } = plot.getBoundingClientRect();
  const named = spec.legend ? spec.legend() : [];
  const { figure, added } = named.length ? withKey(plot, named, width) : { figure: plot, added: 0 };
  const size = { width, height: height + added, scale: format === "png" ? 2 : 1 };
  download(`${spec.id}.${format}`, await Plotly.toImage(figure, { format, ...size }));
}

// What is drawn, below a key in rows of equal columns, and the pixels that the key adds.
function withKey({ data, layout }, optimizers, width) {
  const entrywidth = KEY_LETTER * Math.max(...optimizers.map(({ label }) => label.length));
  const columns = Math.max(1, Math.floor(width / (entrywidth + KEY_SAMPLE)));
  const added = KEY_LINE * (Math.ceil(optimizers.length / columns) + 1);
  const lines = optimizers.map((optimizer) => ({
    type: "scatter",
    mode: "lines+markers",
    name: plain(optimizer.label),
    x: [null],
    y: [null],
    showlegend: true,
    ...lookOf(optimizer),
  }));
  const legend = {
    orientation: "h",
    xref: "container",
    yref: "container",
    x: 0,
    y: 1,
    xanchor: "left",
    yanchor: "top",
    entrywidth,
    entrywidthmode: "pixels",
  };
  const margin = { ...layout.margin, t: layout.margin.t + added };
  return {
    figure: {
      data: [...data.map((trace) => ({ ...trace, showlegend: false })), ...lines],
      layout: { ...layout, margin, showlegend: true, legend },
    },
    added,
  };
}
