const width = 600;
const height = 180;
const span = 30_000;
/** The scale is logarithmic: from half a millisecond at the bottom to three seconds at the top. */
const [lowest, highest] = [Math.log10(0.5), Math.log10(3000)];
const marks = [
  [1, "1 ms"],
  [10, "10 ms"],
  [100, "100 ms"],
  [1000, "1 s"],
];

/** Draws samples `{ at, latency, mode }` of the last 30 seconds into the page's chart. */
export function createSparkline(root) {
  const [line, area, bands] = ["line", "area", "bands"].map((id) => root.querySelector(`#${id}`));
  drawMarks(root.querySelector("#grid"), root.querySelector("#labels"));
  return {
    draw(samples, now) {
      const recent = samples.filter(({ at }) => at > now - span);
      const points = recent.map(({ at, latency }) => `${across(at, now)} ${up(latency)}`);
      line.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
      const [first, last] = [recent[0], recent.at(-1)];
      area.setAttribute(
        "d",
        points.length > 1
          ? `M${across(first.at, now)} ${height}L${points.join("L")}L${across(last.at, now)} ${height}Z`
          : "",
      );
      bands.replaceChildren(...stretches(recent).map((stretch) => band(stretch, now)));
    },
  };
}

function drawMarks(grid, labels) {
  for (const [milliseconds, label] of marks) {
    const y = up(milliseconds);
    grid.append(shape("line", { x1: 0, x2: width, y1: y, y2: y }));
    const text = document.createElement("span");
    text.textContent = label;
    text.style.top = `${(y / height) * 100}%`;
    labels.append(text);
  }
}

/** Stretches of time in which pictures were worked on in the same way. */
function stretches(samples) {
  const found = [];
  for (const { at, latency, mode } of samples) {
    const last = found.at(-1);
    if (last !== undefined && last.mode === mode) last.to = at;
    else found.push({ mode, from: last?.to ?? at - latency, to: at });
  }
  return found.filter(({ mode }) => mode !== undefined);
}

function band({ mode, from, to }, now) {
  const x = across(from, now);
  return shape("rect", { class: `band ${mode}`, x, y: 0, width: Math.max(2, across(to, now) - x), height });
}

function shape(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function across(at, now) {
  return Math.round((1 - (now - at) / span) * width * 10) / 10;
}

function up(latency) {
  const part = (Math.log10(Math.max(latency, 0.5)) - lowest) / (highest - lowest);
  return Math.round((1 - Math.min(1, part)) * height * 10) / 10;
}
