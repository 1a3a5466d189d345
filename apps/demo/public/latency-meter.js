import { duration } from "./format.js";
import { createSparkline } from "./sparkline.js";

const interval = 100;
const window10 = 10_000;
const kept = 60_000;
const keptOfMode = 20_000;

/**
 * Asks the cheap endpoint all the time and shows how long the server took.
 *
 * @param busyWith - answers in which mode pictures are worked on at this moment: "queue", "inline" or undefined.
 */
export function startLatencyMeter(busyWith) {
  const root = document.querySelector("#meter");
  const sparkline = createSparkline(root);
  const places = Object.fromEntries(["now", "p50", "p99"].map((id) => [id, root.querySelector(`#${id}`)]));
  const samples = [];
  const ofMode = { queue: [], inline: [] };
  const asked = new Map();

  const add = (latency, mode) => {
    const at = performance.now();
    samples.push({ at, latency, mode });
    while (samples[0].at < at - kept) samples.shift();
    if (mode !== undefined) {
      ofMode[mode].push(latency);
      if (ofMode[mode].length > keptOfMode) ofMode[mode].shift();
    }
    show(at);
  };
  const show = (at) => {
    const recent = samples.filter((sample) => sample.at > at - window10).map(({ latency }) => latency);
    places.now.textContent = duration(recent.at(-1));
    root.dataset.level = levelOf(recent.at(-1));
    places.p50.textContent = duration(percentile(recent, 50));
    places.p99.textContent = duration(percentile(recent, 99));
    sparkline.draw(samples, at);
    showComparison(root, ofMode);
  };

  // The browser's own account of the request: it leaves out whatever this page was busy with.
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (!asked.has(entry.name)) continue;
      const mode = asked.get(entry.name);
      asked.delete(entry.name);
      add(entry.responseStart - entry.requestStart, mode ?? busyWith());
    }
    performance.clearResourceTimings();
  }).observe({ type: "resource" });

  let count = 0;
  const ask = async () => {
    count += 1;
    const url = new URL(`/api/ping?${count}`, location.href).href;
    asked.set(url, busyWith());
    const begun = performance.now();
    try {
      await (await fetch(url, { cache: "no-store" })).arrayBuffer();
    } catch {
      // Without a server there is nothing to measure: the page says so elsewhere.
      asked.delete(url);
    }
    setTimeout(ask, Math.max(0, interval - (performance.now() - begun)));
  };
  void ask();
}

/** The two modes side by side, on the same logarithmic scale as the chart. */
function showComparison(root, ofMode) {
  const p99 = Object.fromEntries(Object.entries(ofMode).map(([mode, list]) => [mode, percentile(list, 99)]));
  for (const [mode, value] of Object.entries(p99)) {
    const bar = root.querySelector(`.bar[data-mode="${mode}"]`);
    bar.querySelector("output").textContent = duration(value);
    bar.dataset.milliseconds = Number.isFinite(value) ? value.toFixed(2) : "";
    bar.dataset.samples = ofMode[mode].length;
    bar.dataset.level = levelOf(value);
    const part = Math.min(1, Math.max(0.02, Math.log10(value / 0.5) / Math.log10(3000 / 0.5)));
    bar.querySelector(".bar-fill").style.transform = `scaleX(${Number.isFinite(part) ? part : 0})`;
  }
  const times = p99.inline / p99.queue;
  if (!Number.isFinite(times)) return;
  root.querySelector("#verdict").textContent =
    times >= 1.5
      ? `Inside the request, the slowest of a hundred answers took ${times >= 10 ? Math.round(times) : times.toFixed(1)} times as long.`
      : "No great difference yet: give it some larger pictures.";
}

function levelOf(latency) {
  return latency < 50 ? "calm" : latency < 200 ? "warm" : "hot";
}

/** The smallest latency that at least `percent` per cent are not above. */
function percentile(latencies, percent) {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}
