import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Browser, openBrowser } from "./browser.ts";
import { type Demo, startDemo } from "./demo.ts";
import { carry, contrasts, overhanging, watchProgress } from "./in-page.ts";
import { draw } from "./pictures.ts";

const textPlaces = [
  "h1",
  ".intro p",
  ".option-text",
  ".button.primary",
  ".dropzone-hint",
  ".figures dt",
  ".card-facts",
  ".card-reason",
  ".card-thumbnails a",
  ".foot p",
];

interface DroppedFile {
  readonly name: string;
  readonly content: Buffer;
}

describe.skipIf(process.env.TASKFERRY_SKIP_SERVERS === "1")("the page, in a real Chromium", () => {
  let demo: Demo;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    [demo, browser] = await Promise.all([startDemo(), openBrowser()]);
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await demo?.[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    complaints = [];
    page = await browser.context.newPage();
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(demo.url);
    await page.waitForSelector('#connection[data-state="open"]');
  });

  afterEach(async () => {
    await page.evaluate(() => fetch("/api/pictures", { method: "DELETE" }));
    await page.close();
    expect(complaints).toEqual([]);
  });

  /** Lets files fall on the page, as a hand does. */
  const drop = async (files: readonly DroppedFile[]): Promise<void> => {
    const sent = files.map(({ name, content }) => ({ name, base64: content.toString("base64") }));
    const dataTransfer = await page.evaluateHandle(carry, sent);
    for (const type of ["dragenter", "dragover", "drop"]) await page.dispatchEvent("#dropzone", type, { dataTransfer });
  };

  const card = (name: string) => page.locator(".card", { has: page.locator(`.card-name[title="${name}"]`) });
  const ended = (count: number) =>
    page.waitForFunction(
      (wanted) =>
        document.querySelectorAll('.card:is([data-status="succeeded"], [data-status="failed"])').length === wanted,
      count,
      { timeout: 60_000 },
    );

  test("dropped pictures: progress moves, thumbnails appear, a broken file is explained", {
    timeout: 90_000,
  }, async () => {
    await page.evaluate(watchProgress);
    await drop([
      { name: "one.jpg", content: await draw(2400, 1600).jpeg().toBuffer() },
      { name: "two.png", content: await draw(1200, 1800, "#2a9d8f").png().toBuffer() },
      { name: "three.webp", content: await draw(1600, 1200, "#e9c46a").webp().toBuffer() },
      { name: "letter.txt", content: Buffer.from("Dear Ada, this is no picture.") },
    ]);
    await ended(4);

    const seen = await page.evaluate(() => (window as unknown as { seen: Record<string, number[]> }).seen);
    const shown = ["one.jpg", "two.png", "three.webp"].map((name) => seen[`Progress of ${name}`] ?? []);
    for (const values of shown) expect(values).toEqual(values.toSorted((a, b) => a - b));
    // Only the newest value is told: a page that is kept waiting misses some of a picture, or all.
    const between = new Set(shown.flat().filter((value) => value > 0 && value < 100));
    expect(between.size, JSON.stringify(seen)).toBeGreaterThanOrEqual(2);

    await page.waitForFunction(() => document.querySelectorAll(".card-picture.loaded img").length === 3);
    const thumbnail = card("one.jpg").locator("img");
    expect(await thumbnail.evaluate((image: HTMLImageElement) => [image.naturalWidth, image.naturalHeight])).toEqual([
      480, 320,
    ]);
    expect(await card("one.jpg").locator(".card-thumbnails a").allTextContents()).toEqual([
      "160 × 107",
      "480 × 320",
      "1200 × 800",
    ]);
    expect(await card("two.png").locator(".palette li").count()).toBeGreaterThan(2);
    expect(await card("two.png").locator(".card-checksum code").textContent()).toMatch(/^[0-9a-f]{64}$/);

    expect(await card("letter.txt").getAttribute("data-status")).toBe("failed");
    expect(await card("letter.txt").locator(".card-reason").textContent()).toMatch(
      /This file is no picture that can be read/,
    );
    expect(await page.textContent("#summary")).toMatch(/^3 of 4 done · 1 failed/);
    expect(await page.textContent("#announcements")).toMatch(/Finished. 3 pictures are done, 1 failed/);
  });

  test("the meter stays low while the worker works, and not while the web process does", {
    timeout: 90_000,
  }, async () => {
    const heavy = await draw(1200, 800).jpeg().toBuffer();
    const files = Array.from({ length: 3 }, (_, index) => ({ name: `${index}.jpg`, content: heavy }));
    await drop(files);
    await ended(3);
    await page.check('input[value="inline"]');
    await drop(files);
    await ended(6);
    expect(await page.locator(".card-reason:visible").allTextContents()).toEqual([]);
    const bar = async (mode: string) => {
      const { milliseconds, samples } = await page.$eval(`.bar[data-mode="${mode}"]`, (one) => ({
        ...(one as HTMLElement).dataset,
      }));
      return { p99: Number(milliseconds), samples: Number(samples) };
    };
    const [queue, inline] = [await bar("queue"), await bar("inline")];
    expect(queue.samples).toBeGreaterThan(3);
    expect(inline.samples).toBeGreaterThan(3);
    // On a quiet machine it is thirty times and more.
    expect(inline.p99, `queue ${queue.p99} ms, inline ${inline.p99} ms`).toBeGreaterThan(3 * queue.p99);
    expect(await page.textContent("#verdict")).toMatch(/Inside the request, the slowest of a hundred answers took \d/);
    expect(await page.locator("#line").getAttribute("d")).toMatch(/^M[\d.]+ [\d.]+L/);
  });

  test("files can be chosen, samples used, the page reloaded, and what is finished removed", async () => {
    await page.setInputFiles("#files", [
      { name: "chosen.png", mimeType: "image/png", buffer: await draw(90, 60).png().toBuffer() },
    ]);
    await ended(1);
    await page.reload();
    await ended(1);
    await page.waitForFunction(() => document.querySelectorAll(".card-picture.loaded").length === 1);
    await page.click("#samples");
    await page.waitForFunction(() => document.querySelectorAll(".card").length === 3);
    await ended(3);
    expect(await page.locator('.card[data-status="failed"]').count()).toBe(0);
    await page.click("#clear");
    await page.waitForFunction(() => document.querySelectorAll(".card").length === 0);
    expect(await page.isHidden("#gallery")).toBe(true);
  });

  test("everything can be reached with the keyboard alone, and shows where one is", async () => {
    const reached: string[] = [];
    for (let step = 0; step < 3; step += 1) {
      await page.keyboard.press("Tab");
      reached.push(
        await page.evaluate(
          () => (document.activeElement as HTMLInputElement).id || (document.activeElement as HTMLInputElement).name,
        ),
      );
    }
    expect(reached).toEqual(["files", "samples", "mode"]);
    expect(
      await page.evaluate(() => getComputedStyle(document.activeElement?.closest("label") as Element).outlineStyle),
    ).toBe("solid");
    await page.keyboard.press("ArrowDown");
    expect(await page.isChecked('input[value="inline"]')).toBe(true);
  });

  test.each([
    [360, "light"],
    [360, "dark"],
    [1280, "light"],
    [1280, "dark"],
  ] as const)(
    "%i pixels wide, %s: nothing sticks out, and text stands out from what is behind it",
    async (width, colorScheme) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 800 });
      await drop([
        { name: `${"a-very-long-name".repeat(6)}.png`, content: await draw(200, 150).png().toBuffer() },
        { name: "letter.txt", content: Buffer.from("no picture") },
      ]);
      await ended(2);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      expect(await page.evaluate(overhanging)).toEqual([]);
      expect(await page.$eval(".progress span", (bar) => getComputedStyle(bar).transitionDuration)).toBe("0s");
      const found = await page.evaluate(contrasts, textPlaces);
      expect(found.filter(({ contrast }) => contrast < 4.5)).toEqual([]);
    },
  );
});
