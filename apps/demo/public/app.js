import { createGallery } from "./gallery.js";
import { startLatencyMeter } from "./latency-meter.js";
import { createUploads } from "./uploads.js";

const find = (id) => document.querySelector(`#${id}`);
const gallery = createGallery();
const uploads = createUploads(gallery);
let samples = [];

listenToServer();
listenToPeople();
startLatencyMeter(gallery.busyWith);

function listenToServer() {
  const source = new EventSource("/api/events");
  source.addEventListener("state", ({ data }) => {
    const state = JSON.parse(data);
    samples = state.samples;
    find("samples").disabled = samples.length === 0;
    showConnection("open", `Connected · tasks go over ${state.broker}`);
    gallery.replace(state.pictures);
  });
  source.addEventListener("picture", ({ data }) => gallery.update(JSON.parse(data)));
  source.addEventListener("removed", ({ data }) => gallery.remove(JSON.parse(data)));
  source.addEventListener("error", () => showConnection("lost", "The server is away; trying again"));
}

function showConnection(state, text) {
  const place = find("connection");
  place.dataset.state = state;
  place.textContent = text;
}

function listenToPeople() {
  find("files").addEventListener("change", ({ target }) => {
    addFiles([...target.files]);
    target.value = "";
  });
  find("samples").addEventListener("click", () => addSamples());
  find("clear").addEventListener("click", async () => {
    gallery.removeUnsent();
    await fetch("/api/pictures", { method: "DELETE" });
  });
  listenToDrops();
}

/** The whole page takes drops. Entering a child leaves its parent, so only the balance tells who is still there. */
function listenToDrops() {
  let inside = 0;
  const show = () => document.body.classList.toggle("dragging", inside > 0);
  const withFiles = (listener) => (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    listener(event);
    show();
  };
  addEventListener(
    "dragenter",
    withFiles(() => (inside += 1)),
  );
  addEventListener(
    "dragleave",
    withFiles(() => (inside -= 1)),
  );
  addEventListener(
    "dragover",
    withFiles((event) => (event.dataTransfer.dropEffect = "copy")),
  );
  addEventListener(
    "drop",
    withFiles((event) => {
      inside = 0;
      addFiles([...event.dataTransfer.files]);
    }),
  );
}

function addFiles(files) {
  const open = files.map((file) => ({ name: file.name, size: file.size, open: async () => file }));
  if (open.length > 0) uploads.add(open, chosenMode());
}

/** The samples go the same way as any file: the page gets them and uploads them. */
function addSamples() {
  const open = samples.map(({ name, bytes }) => ({
    name,
    size: bytes,
    open: async () => (await fetch(`/samples/${name}`)).blob(),
  }));
  uploads.add(open, chosenMode());
}

function chosenMode() {
  return document.querySelector("input[name=mode]:checked").value;
}
