// Grain, as in nst.grain in Python, with other random numbers: smooth noise where a photo hardly
// changes, so that strokes there differ.
import { LUMINANCE } from './pixels.js';

const PATCH = 4; // side in pixels of the noise's patches
const DETAIL = 4; // mean deviation from the neighbourhood at which half of the noise is left

/**
 * RGBA bytes with grain: the same for the same photo.
 *
 * `amount` is the standard deviation of the noise where the photo is flat, of a range of 1.
 */
export function grained(rgba, width, height, amount) {
  const busy = changes(rgba, width, height);
  const noise = new Float32Array(busy.values.length);
  const random = normals(1);
  for (let k = 0; k < noise.length; k++) {
    noise[k] = (random() * 255 * amount) / (1 + (busy.values[k] / DETAIL) ** 2);
  }
  const columns = cubic(width, busy.width);
  const rows = cubic(height, busy.height);
  const out = new Uint8ClampedArray(rgba); // rounds, and clips to 0 to 255
  const line = new Float32Array(busy.width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < busy.width; x++) {
      line[x] = 0;
      for (const [row, weight] of rows[y]) line[x] += weight * noise[row * busy.width + x];
    }
    for (let x = 0; x < width; x++) {
      let change = 0;
      for (const [column, weight] of columns[x]) change += weight * line[column];
      const at = 4 * (y * width + x);
      for (let channel = 0; channel < 3; channel++) out[at + channel] = rgba[at + channel] + change;
    }
  }
  return out;
}

/** How much a photo changes about each patch: {values, width, height}. */
function changes(rgba, width, height) {
  const grey = new Float32Array(width * height);
  for (let k = 0; k < grey.length; k++) {
    for (let channel = 0; channel < 3; channel++) {
      grey[k] += LUMINANCE[channel] * rgba[4 * k + channel];
    }
  }
  const mean = blurred(grey, width, height, PATCH);
  const small = { width: Math.ceil(width / PATCH), height: Math.ceil(height / PATCH) };
  const sums = new Float32Array(small.width * small.height);
  const counts = new Float32Array(sums.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = Math.floor(y / PATCH) * small.width + Math.floor(x / PATCH);
      sums[at] += Math.abs(grey[y * width + x] - mean[y * width + x]);
      counts[at] += 1;
    }
  }
  const deviations = sums.map((sum, k) => sum / counts[k]);
  return { ...small, values: blurred(deviations, small.width, small.height, 1) };
}

/** Means over squares of 2 · radius + 1; what lies outside repeats the border. */
function blurred(values, width, height, radius) {
  const across = means(values, width, height, 1, width, radius);
  return means(across, height, width, width, 1, radius);
}

function means(values, length, lines, step, stride, radius) {
  const out = new Float32Array(values.length);
  const inside = (k) => Math.min(length - 1, Math.max(0, k));
  for (let line = 0; line < lines; line++) {
    const value = (k) => values[line * stride + inside(k) * step];
    let sum = 0;
    for (let k = -radius; k <= radius; k++) sum += value(k);
    for (let k = 0; k < length; k++) {
      out[line * stride + k * step] = sum / (2 * radius + 1);
      sum += value(k + radius + 1) - value(k - radius);
    }
  }
  return out;
}

/** For each of `length` pixels, the patches about it and their weights (Catmull and Rom 1974). */
function cubic(length, patches) {
  return Array.from({ length }, (_, pixel) => {
    const place = (pixel + 0.5) / PATCH - 0.5;
    const first = Math.floor(place) - 1;
    return [0, 1, 2, 3].map((k) => {
      const t = Math.abs(place - (first + k));
      const weight =
        t < 1 ? 1.5 * t ** 3 - 2.5 * t ** 2 + 1 : -0.5 * t ** 3 + 2.5 * t ** 2 - 4 * t + 2;
      return [Math.min(patches - 1, Math.max(0, first + k)), weight];
    });
  });
}

/** Normally distributed numbers from a seed (Box and Muller 1958; mulberry32). */
function normals(seed) {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
