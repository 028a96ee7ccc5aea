// The way from pixels to the network and back: the same numbers as nst.styliser in Python.

export const LUMINANCE = [0.299, 0.587, 0.114]; // Rec. 601, as in nst.colour

/** RGBA bytes, (H, W, 4), as planes of float32 in [0, 1], (3, H, W). */
export function toPlanes(rgba, count) {
  const planes = new Float32Array(3 * count);
  for (let k = 0; k < count; k++) {
    for (let channel = 0; channel < 3; channel++) {
      planes[channel * count + k] = rgba[4 * k + channel] / 255;
    }
  }
  return planes;
}

/** The network's planes as RGBA bytes, with the photo's opacity, strength and maybe its colours. */
export function finish(rgba, planes, { strength, keepColour }) {
  const count = rgba.length / 4;
  const out = new Uint8ClampedArray(rgba.length);
  const photo = [0, 0, 0];
  const painted = [0, 0, 0];
  for (let k = 0; k < count; k++) {
    for (let channel = 0; channel < 3; channel++) {
      photo[channel] = rgba[4 * k + channel] / 255;
      painted[channel] = planes[channel * count + k];
    }
    if (keepColour) {
      // A change of Y alone adds the same to R, G and B: nst.colour.keep_luminance.
      let change = 0;
      for (let channel = 0; channel < 3; channel++) {
        change += LUMINANCE[channel] * (painted[channel] - photo[channel]);
      }
      for (let channel = 0; channel < 3; channel++) {
        painted[channel] = Math.min(1, Math.max(0, photo[channel] + change));
      }
    }
    for (let channel = 0; channel < 3; channel++) {
      const mixed = photo[channel] + strength * (painted[channel] - photo[channel]);
      out[4 * k + channel] = Math.floor(Math.min(1, Math.max(0, mixed)) * 255 + 0.5);
    }
    out[4 * k + 3] = rgba[4 * k + 3];
  }
  return out;
}

/** Width and height of a picture whose long side is at most `side`; it is never enlarged. */
export function fitted(width, height, side) {
  const factor = Math.min(1, side / Math.max(width, height));
  return [Math.max(1, Math.round(width * factor)), Math.max(1, Math.round(height * factor))];
}
