// What thresholds make of scores: confident_regions.py, confusion.py and segmentation.py on the arrays of explored.py.
// Scores are code / 255 and thresholds are compared as 32-bit floats, as there.

const NEUTRAL = 255;
const SCORES = Float32Array.from({ length: 256 }, (_, code) => code / 255);

/** Undo `explored.packed`: base64, zlib, differences along each row. */
async function unpacked(text, width) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const values = new Uint8Array(await new Response(stream).arrayBuffer());
  for (let at = 0; at < values.length; at++) if (at % width) values[at] += values[at - 1];
  return values;
}

/** The largest code of each pixel, and the label of its class; of equal ones the first. */
function strongest(codes, labels, pixels) {
  const highest = new Uint8Array(pixels);
  const best = new Uint8Array(pixels).fill(labels[0] ?? 0);
  for (let at = 0; at < pixels; at++) highest[at] = codes.length ? codes[at] : 0;
  for (let k = 1; k < labels.length; k++) {
    for (let at = 0; at < pixels; at++) {
      const code = codes[k * pixels + at];
      if (code > highest[at]) {
        highest[at] = code;
        best[at] = labels[k];
      }
    }
  }
  return { highest, best, hasClasses: labels.length > 0 };
}

/** Labels by the code of the largest score: its class, or what `otherwise` says of the score. */
function decided({ highest, best, hasClasses }, isForeground, otherwise) {
  const found = new Uint8Array(highest.length);
  if (!hasClasses) return found;
  const foreground = Uint8Array.from(SCORES, (score) => isForeground(score));
  const other = Uint8Array.from(SCORES, otherwise);
  for (let at = 0; at < found.length; at++) found[at] = foreground[highest[at]] ? best[at] : other[highest[at]];
  return found;
}

function regionsOf(scores, bgThreshold, fgThreshold) {
  const [bg, fg] = [Math.fround(bgThreshold), Math.fround(fgThreshold)];
  return decided(
    scores,
    (score) => score >= fg,
    (score) => (score > bg ? NEUTRAL : 0),
  );
}

function maskOf(scores, backgroundScore) {
  const limit = Math.fround(backgroundScore);
  return decided(
    scores,
    (score) => score > limit,
    () => 0,
  );
}

/** Pixels of each label; and the mean IoU over the classes in truth or prediction, neutral and unlabelled pixels out. */
function valuesOf(labelMap, truth) {
  const pixels = new Map();
  for (const label of labelMap) pixels.set(label, (pixels.get(label) ?? 0) + 1);
  const found = { pixels: Object.fromEntries([...pixels].sort((a, b) => a[0] - b[0])), mean_iou: null };
  if (!truth) return found;
  const [hit, union] = [new Float64Array(256), new Float64Array(256)];
  for (let at = 0; at < labelMap.length; at++) {
    const [is, said] = [truth[at], labelMap[at]];
    if (is === NEUTRAL || said === NEUTRAL) continue;
    union[is]++;
    if (is === said) hit[is]++;
    else union[said]++;
  }
  const ious = [...union.keys()].filter((k) => union[k] > 0).map((k) => hit[k] / union[k]);
  if (ious.length) found.mean_iou = ious.reduce((sum, iou) => sum + iou, 0) / ious.length;
  return found;
}
