import { backdrop, type Canvas, disc, ridge, type Scene, scatter } from "./svg.ts";

export const dunes: Scene = (canvas) => {
  const { width, height } = canvas;
  const colours = ["#e8a87c", "#d98a5f", "#c26a45", "#9c4a33", "#6d2f28"];
  return [
    backdrop(canvas, "#27446b", "#7f7a9c", "#f0b695", "#fbe3c2"),
    disc({ x: width * 0.68, y: height * 0.42, radius: height * 0.075 }, "#fff4d9"),
    ...colours.map((colour, index) => ridge(canvas, { colour, level: 0.55 + index * 0.1, swing: 0.05, hills: 1.6 })),
  ].join("");
};

export const harbour: Scene = (canvas) => {
  const { width, height, between } = canvas;
  const unit = width / 100;
  const glints = scatter(260, () => {
    const y = between(0.64, 0.99) * height;
    return `<rect x="${between(0, width).toFixed(0)}" y="${y.toFixed(0)}" width="${(between(1, 6) * unit).toFixed(0)}" height="${(unit * 0.16).toFixed(1)}" fill="#fff3d6" fill-opacity="${between(0.08, 0.4).toFixed(2)}"/>`;
  });
  const windows = scatter(9, (index) =>
    disc({ x: unit * (33 + index * 4), y: height * 0.575, radius: unit * 0.7 }, "#ffe6a7"),
  );
  return [
    backdrop(canvas, "#0f3d57", "#2f7f8f", "#f4b183", "#f7d9a8"),
    disc({ x: width * 0.24, y: height * 0.47, radius: unit * 5 }, "#fff1cf"),
    ridge(canvas, { colour: "#24566a", level: 0.56, swing: 0.03, hills: 3 }),
    `<rect y="${height * 0.62}" width="${width}" height="${height * 0.38}" fill="#174b5f"/>`,
    glints,
    `<path fill="#f6f1e7" d="M${unit * 26} ${height * 0.6} h${unit * 50} l${-unit * 5} ${-height * 0.055} h${-unit * 38} z"/>`,
    `<rect x="${unit * 38}" y="${height * 0.49}" width="${unit * 26}" height="${height * 0.06}" fill="#fdfaf3"/>`,
    `<rect x="${unit * 50}" y="${height * 0.41}" width="${unit * 5}" height="${height * 0.085}" fill="#d9503f"/>`,
    `<path fill="#b53a2f" d="M${unit * 22} ${height * 0.6} h${unit * 57} l${-unit * 5} ${height * 0.075} h${-unit * 46} z"/>`,
    windows,
  ].join("");
};

export const mountains: Scene = (canvas) => {
  const colours = ["#9db4c9", "#7590ad", "#4f6d8f", "#34506f", "#1f3650", "#122236"];
  return [
    backdrop(canvas, "#b9d4ea", "#e9f0f4", "#f8ead9"),
    ...colours.map((colour, index) =>
      ridge(canvas, { colour, level: 0.38 + index * 0.11, swing: 0.08, hills: 2 + index, roughness: 0.5 }),
    ),
  ].join("");
};

export const city: Scene = (canvas) => {
  const { width, height, between } = canvas;
  const tower = (x: number, shade: string, tallest: number): string => {
    const broad = width * between(0.05, 0.1);
    const top = height * (1 - between(0.2, tallest));
    const lights = scatter(60, () => {
      const [left, y] = [x + between(0.08, 0.82) * broad, between(top + broad * 0.1, height)];
      return `<rect x="${left.toFixed(0)}" y="${y.toFixed(0)}" width="${(broad * 0.08).toFixed(0)}" height="${(broad * 0.12).toFixed(0)}" fill="${between(0, 1) > 0.3 ? "#ffd27a" : "#9fd8ff"}" fill-opacity="${between(0.3, 1).toFixed(2)}"/>`;
    });
    return `<rect x="${x.toFixed(0)}" y="${top.toFixed(0)}" width="${broad.toFixed(0)}" height="${height}" fill="${shade}"/>${lights}`;
  };
  return [
    backdrop(canvas, "#0b1026", "#2b1f4e", "#7a3b69", "#e0795b"),
    scatter(220, () => star(canvas, 0.5)),
    disc({ x: width * 0.76, y: height * 0.16, radius: width * 0.06 }, "#fdf3d8"),
    scatter(16, (index) => tower((index / 16) * width, "#241a3f", 0.5)),
    scatter(14, (index) => tower((index / 14) * width - width * 0.03, "#130f26", 0.36)),
  ].join("");
};

export const aurora: Scene = (canvas) => {
  const { width, height, between } = canvas;
  const colours = ["#3ff2a6", "#27c7c0", "#8a6cff", "#5dffd0"];
  const fades = colours.map(
    (colour, index) =>
      `<linearGradient id="veil${index}" x2="0" y2="1"><stop offset="0" stop-color="${colour}" stop-opacity="0"/><stop offset="0.55" stop-color="${colour}" stop-opacity="0.16"/><stop offset="1" stop-color="${colour}" stop-opacity="0"/></linearGradient>`,
  );
  const veil = (index: number): string => {
    const along = between(0, 1);
    const [x, y] = [(along - 0.05) * width, height * (0.08 + 0.1 * Math.sin(along * 7) + between(0, 0.12))];
    const [broad, lean] = [between(0.02, 0.1) * width, between(-0.05, 0.05) * width];
    return `<path fill="url(#veil${index % colours.length})" d="M${x} ${y} q${lean} ${height * 0.3} ${-lean} ${height * 0.6} l${broad} 0 q${lean * 2} ${-height * 0.3} ${lean} ${-height * 0.6} z"/>`;
  };
  return [
    backdrop(canvas, "#050b1e", "#0a2038", "#123a4a", "#0d2a33"),
    `<defs>${fades.join("")}</defs>`,
    scatter(300, () => star(canvas, 0.7)),
    scatter(150, veil),
    ridge(canvas, { colour: "#071824", level: 0.84, swing: 0.05, hills: 5, roughness: 0.6 }),
  ].join("");
};

export const meadow: Scene = (canvas) => {
  const { width, height, between } = canvas;
  const petals = ["#e94f64", "#f7b32b", "#f6f1f0", "#7d5ba6", "#ef8354"];
  const flower = (index: number): string => {
    const [x, y] = [between(0, width), height * (0.5 + 0.5 * Math.sqrt(index / 240))];
    const radius = (width / 130) * (0.5 + (2.4 * index) / 240);
    const colour = petals[Math.floor(between(0, petals.length))] as string;
    const leaves = scatter(6, (leaf) => {
      const angle = (leaf / 6) * 2 * Math.PI;
      return disc({ x: x + Math.cos(angle) * radius, y: y + Math.sin(angle) * radius, radius: radius * 0.66 }, colour);
    });
    return `${leaves}${disc({ x, y, radius: radius * 0.6 }, "#5b3b1f")}`;
  };
  return [
    backdrop(canvas, "#8ecdf0", "#d9f0f7", "#c8e6a0", "#3f7d3a"),
    ridge(canvas, { colour: "#79b15a", level: 0.44, swing: 0.04, hills: 2 }),
    ridge(canvas, { colour: "#4d9150", level: 0.52, swing: 0.03, hills: 2 }),
    scatter(240, flower),
  ].join("");
};

export const waves: Scene = (canvas) =>
  [
    backdrop(canvas, "#fdf1dc", "#f9d7b5", "#f5b79a"),
    disc({ x: canvas.width * 0.8, y: canvas.height * 0.3, radius: canvas.height * 0.13 }, "#e4572e"),
    ...["#8fd3d1", "#5fb7bf", "#3a93a8", "#256f8c", "#184f6c", "#0f344c"].map((colour, index) =>
      ridge(canvas, { colour, level: 0.42 + index * 0.11, swing: 0.05, hills: 7 + index }),
    ),
  ].join("");

export const paper: Scene = (canvas) => {
  const { width, height, between } = canvas;
  const colours = ["#264653", "#2a9d8f", "#8ab17d", "#e9c46a", "#f4a261", "#e76f51", "#f6efe2"];
  return [
    backdrop(canvas, "#f6efe2", "#efe3cc"),
    scatter(26, () => {
      const radius = between(0.06, 0.3) * width;
      const [x, y] = [between(0, width), between(0, height)];
      const colour = colours[Math.floor(between(0, colours.length))] as string;
      return `${disc({ x: x + radius * 0.05, y: y + radius * 0.08, radius }, "#1b1a17", 0.12)}${disc({ x, y, radius }, colour)}`;
    }),
  ].join("");
};

/** On nothing: what it leaves out is transparent. */
export const lily: Scene = ({ width }) => {
  const middle = width / 2;
  const petal = (turn: number, length: number, colour: string): string =>
    `<path fill="${colour}" transform="rotate(${turn} ${middle} ${middle})" d="M${middle} ${middle} C${middle - length * 0.42} ${middle - length * 0.4} ${middle - length * 0.2} ${middle - length * 0.9} ${middle} ${middle - length} C${middle + length * 0.2} ${middle - length * 0.9} ${middle + length * 0.42} ${middle - length * 0.4} ${middle} ${middle}z"/>`;
  return [
    scatter(12, (index) => petal(index * 30, width * 0.48, index % 2 ? "#f2a7c3" : "#e681aa")),
    scatter(10, (index) => petal(index * 36 + 12, width * 0.34, index % 2 ? "#fbd3e2" : "#f5bdd3")),
    disc({ x: middle, y: middle, radius: width * 0.075 }, "#f2c14e"),
  ].join("");
};

/** One of a starry sky that reaches down to `horizon`, a part of the height. */
function star({ width, height, between }: Canvas, horizon: number): string {
  const place = { x: between(0, width), y: between(0, height * horizon) };
  return disc({ ...place, radius: between(0.4, 1.5) * (width / 1200) }, "#ffffff", 0.75);
}
