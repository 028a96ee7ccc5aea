// Larger strokes, as nst.strokes has them in Python: what was painted small is enlarged, and gets
// the detail in brightness that the photo lost when it was shrunk.
import { LUMINANCE } from './pixels.js';

const REACH = 3; // of Lanczos' filter, in pixels of the small picture

/**
 * Planes of a small painted picture, (3, h, w) in [0, 1], as planes of the photo's size.
 *
 * `small` and `photo` are {rgba, width, height}: what was painted, and the photo.
 */
export function enlarged(planes, small, photo) {
  const across = taps(photo.width, small.width);
  const down = taps(photo.height, small.height);
  const large = (values) => rows(columns(values, small, across), photo.width, down);
  const sharp = brightness(photo.rgba);
  const blurred = large(brightness(small.rgba));
  const detail = sharp.map((value, k) => value - Math.min(1, Math.max(0, blurred[k])));
  const out = new Float32Array(3 * detail.length);
  const count = small.width * small.height;
  for (let channel = 0; channel < 3; channel++) {
    const painted = large(planes.subarray(channel * count, (channel + 1) * count));
    const start = channel * detail.length;
    for (let k = 0; k < detail.length; k++) {
      out[start + k] = Math.min(1, Math.max(0, painted[k])) + detail[k];
    }
  }
  return out;
}

function brightness(rgba) {
  const out = new Float32Array(rgba.length / 4);
  for (let k = 0; k < out.length; k++) {
    for (let channel = 0; channel < 3; channel++) {
      out[k] += (LUMINANCE[channel] * rgba[4 * k + channel]) / 255;
    }
  }
  return out;
}

/** For each of `length` pixels, the first of `count` that it is made of, and their weights. */
function taps(length, count) {
  return Array.from({ length }, (_, pixel) => {
    const place = ((pixel + 0.5) * count) / length;
    const first = Math.max(0, Math.floor(place - REACH + 0.5));
    const end = Math.min(count, Math.floor(place + REACH + 0.5));
    const weights = Float32Array.from({ length: end - first }, (_, k) =>
      lanczos(first + k + 0.5 - place),
    );
    const sum = weights.reduce((a, b) => a + b);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

function lanczos(x) {
  const sinc = (y) => (y === 0 ? 1 : Math.sin(Math.PI * y) / (Math.PI * y));
  return Math.abs(x) < REACH ? sinc(x) * sinc(x / REACH) : 0;
}

/** (h, w) to (h, W). */
function columns(values, { width, height }, across) {
  const out = new Float32Array(height * across.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < across.length; x++) {
      const { first, weights } = across[x];
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * values[y * width + first + k];
      out[y * across.length + x] = sum;
    }
  }
  return out;
}

/** (h, W) to (H, W). */
function rows(values, width, down) {
  const out = new Float32Array(down.length * width);
  for (let y = 0; y < down.length; y++) {
    const { first, weights } = down[y];
    for (let k = 0; k < weights.length; k++) {
      const start = (first + k) * width;
      for (let x = 0; x < width; x++) out[y * width + x] += weights[k] * values[start + x];
    }
  }
  return out;
}
