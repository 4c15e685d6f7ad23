import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

type Rgb = [number, number, number];

const css = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const palette = css('./palette.css');
const tokens = css('../shared/tokens.css');

/** Return both colours of `--name: light-dark(#…, #…)`. */
function pair(text: string, name: string): [light: string, dark: string] {
  const [, light, dark] =
    new RegExp(`--${name}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(text) ?? [];
  if (!light || !dark) throw new Error(`no colours of ${name}`);
  return [light, dark];
}

const linear = (hex: string) =>
  [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as Rgb;

const times = (matrix: Rgb[], [r, g, b]: Rgb) =>
  matrix.map(([x, y, z]) => x * r + y * g + z * b) as Rgb;

const luminance = ([r, g, b]: Rgb) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

function contrast(a: string, b: string): number {
  const [x, y] = [luminance(linear(a)), luminance(linear(b))];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

/** Convert to OKLab, in which distances match perception. */
function lab(rgb: Rgb): Rgb {
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    rgb,
  ).map((value) => Math.cbrt(Math.max(0, value))) as Rgb;
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones,
  );
}

/** Colour blindness in linear RGB: Machado, Oliveira and Fernandes (2009), severity 1. */
const EYES: Record<string, Rgb[]> = {
  'all cones': [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/** Far above 0.02, the smallest visible difference in OKLab. */
const APART = 0.11;

describe.each([
  ['light', 0],
  ['dark', 1],
] as const)('on the %s theme', (_, scheme) => {
  const colours = Array.from({ length: 8 }, (__, place) => pair(palette, `genre-${place}`)[scheme]);

  it.each(colours)('%s is visible on the card and the page', (colour) => {
    expect(contrast(colour, pair(tokens, 'card')[scheme])).toBeGreaterThanOrEqual(3);
    expect(contrast(colour, pair(tokens, 'ground')[scheme])).toBeGreaterThanOrEqual(3);
  });

  it.each(Object.entries(EYES))('no two are similar with %s', (_eyes, matrix) => {
    const seen = colours.map((colour) =>
      lab(times(matrix, linear(colour)).map((value) => Math.min(1, Math.max(0, value))) as Rgb),
    );
    const distances = seen.flatMap((a, place) =>
      seen.slice(place + 1).map((b) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])),
    );
    expect(Math.min(...distances)).toBeGreaterThanOrEqual(APART);
  });

  it.each(['ink', 'quiet', 'accent', 'bad', 'good'])('text in %s is readable', (name) => {
    const colour = pair(tokens, name)[scheme];
    expect(contrast(colour, pair(tokens, 'card')[scheme])).toBeGreaterThanOrEqual(4.5);
    expect(contrast(colour, pair(tokens, 'ground')[scheme])).toBeGreaterThanOrEqual(4.5);
  });
});
