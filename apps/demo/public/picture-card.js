import { bytes, duration } from "./format.js";

const template = document.querySelector("#card");
const notes = {
  waiting: { queue: "Waiting for the worker", inline: "Waiting for the web process" },
  working: "Working",
};

/** A picture's place in the gallery. `show` brings it up to date. */
export function createCard(picture) {
  const element = template.content.firstElementChild.cloneNode(true);
  const find = (name) => element.querySelector(`.${name}`);
  element.querySelector(".card-name").textContent = picture.name;
  element.querySelector(".card-name").title = picture.name;
  const show = (next) => {
    element.dataset.status = next.status;
    element.dataset.mode = next.mode;
    if (next.id) element.dataset.id = next.id;
    find("card-facts").textContent = factsOf(next);
    showProgress(find("progress"), find("card-note"), next);
    find("card-reason").textContent = next.reason ?? "";
    find("card-times").textContent = timesOf(next);
    if (next.result && !element.dataset.complete) {
      element.dataset.complete = "yes";
      showResult(element, next);
    }
  };
  show(picture);
  return { element, show };
}

function showProgress(bar, note, { name, status, mode, progress, note: said }) {
  const percent = Math.round(progress * 100);
  bar.firstElementChild.style.transform = `scaleX(${progress})`;
  bar.setAttribute("aria-valuenow", percent);
  bar.setAttribute("aria-label", `Progress of ${name}`);
  const text =
    status === "uploading"
      ? "Uploading"
      : status === "waiting"
        ? notes.waiting[mode]
        : `${said || notes.working} · ${percent} %`;
  note.textContent = text;
  bar.setAttribute("aria-valuetext", text);
}

function factsOf({ bytes: size, result }) {
  if (!result) return bytes(size);
  return `${result.width} × ${result.height} · ${result.format.toUpperCase()} · ${bytes(size)}`;
}

function timesOf({ mode, status, waited, worked }) {
  if (worked === undefined) return "";
  const where = mode === "queue" ? "worker" : "web process";
  if (status === "failed") return `Given up by the ${where} after ${duration(worked)}`;
  return `Waited ${duration(waited)} · ${where} took ${duration(worked)}`;
}

function showResult(element, { id, name, result }) {
  const link = (size) => `/api/pictures/${id}/thumbnails/${size}`;
  const picture = element.querySelector(".card-picture");
  const middle = result.thumbnails.find(({ size }) => size === 480);
  const image = new Image(middle.width, middle.height);
  image.addEventListener("load", () => picture.classList.add("loaded"), { once: true });
  image.alt = `Thumbnail of ${name}`;
  image.decoding = "async";
  image.src = link(480);
  picture.append(image);

  element.querySelector(".palette").replaceChildren(...result.palette.map(swatch));
  element.querySelector(".card-thumbnails").replaceChildren(
    ...result.thumbnails.map(({ size, width, height, bytes: length }) => {
      const anchor = document.createElement("a");
      anchor.href = link(size);
      anchor.target = "_blank";
      anchor.textContent = `${width} × ${height}`;
      anchor.title = `${bytes(length)}, WebP`;
      return anchor;
    }),
  );
  const code = element.querySelector(".card-checksum code");
  code.textContent = result.checksum;
  code.title = result.checksum;
}

function swatch({ colour, share }) {
  const item = document.createElement("li");
  item.style.backgroundColor = colour;
  item.style.flexGrow = Math.max(0.06, share);
  const text = `${colour}, ${Math.round(share * 100)} %`;
  item.title = text;
  const unseen = document.createElement("span");
  unseen.className = "unseen";
  unseen.textContent = text;
  item.append(unseen);
  return item;
}
