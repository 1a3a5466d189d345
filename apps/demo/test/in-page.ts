// What tests run inside the page: each function stands alone, because its text is what is sent there.

/** What a hand that drags files carries. */
export function carry(files: readonly { readonly name: string; readonly base64: string }[]): DataTransfer {
  const transfer = new DataTransfer();
  for (const { name, base64 } of files) {
    transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name));
  }
  return transfer;
}

/** From now on notes every value that a progress bar shows, under its label, in `window.seen`. */
export function watchProgress(): void {
  const seen: Record<string, number[]> = {};
  Object.assign(window, { seen });
  new MutationObserver((records) => {
    for (const { target } of records) {
      const bar = target as Element;
      const label = bar.getAttribute("aria-label") ?? "";
      seen[label] = [...(seen[label] ?? []), Number(bar.getAttribute("aria-valuenow"))];
    }
  }).observe(document.querySelector("#cards") as Element, { subtree: true, attributeFilter: ["aria-valuenow"] });
}

/** Whatever reaches beyond the right edge of its card or panel. */
export function overhanging(): readonly string[] {
  return [...document.querySelectorAll(".card, .card *, .panel *")]
    .filter((element) => element.checkVisibility() && !element.closest(".unseen, svg"))
    .filter((element) => {
      const edge = (element.closest(".card, .panel") as Element).getBoundingClientRect().right;
      return element.getBoundingClientRect().right > edge + 1;
    })
    .map(({ className }) => className);
}

/** How much the text of each place stands out from what is behind it, as WCAG counts it: 1 to 21. */
export function contrasts(places: readonly string[]): readonly { readonly place: string; readonly contrast: number }[] {
  const brightness = (colour: string): number => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d") as OffscreenCanvasRenderingContext2D;
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red = 0, green = 0, blue = 0] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element: Element | null): string => {
    if (element === null) return "white";
    const { backgroundColor } = getComputedStyle(element);
    return backgroundColor === "rgba(0, 0, 0, 0)" ? behind(element.parentElement) : backgroundColor;
  };
  return places.map((place) => {
    const element = document.querySelector(place) as Element;
    const both = [brightness(getComputedStyle(element).color), brightness(behind(element))];
    return { place, contrast: (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05) };
  });
}
