// From a file to pixels, with plain words for what cannot be done.

const MEGAPIXELS = 60; // more than phones take, less than what makes a tab run out of memory

/** The picture of a file as an ImageBitmap, upright. */
export async function read(file) {
  if (file.type && !file.type.startsWith('image/')) {
    throw new Error(`${file.name || 'This'} is no picture. Choose a JPEG, PNG or WebP file.`);
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { premultiplyAlpha: 'none' });
  } catch {
    const name = file.name || 'This picture';
    throw new Error(`${name} cannot be read: it is damaged, or of a kind this browser lacks.`);
  }
  const found = (bitmap.width * bitmap.height) / 1e6;
  if (found > MEGAPIXELS) {
    bitmap.close();
    throw new Error(
      `The picture has ${found.toFixed(0)} megapixels, and this page takes up to ${MEGAPIXELS}: ` +
        'make it smaller first.',
    );
  }
  return bitmap;
}

/** Draws a picture or a video's frame at a size, and gives its RGBA bytes. */
export function pixelsOf(source, width, height, canvas) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d', { willReadFrequently: true, colorSpace: 'srgb' });
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}
