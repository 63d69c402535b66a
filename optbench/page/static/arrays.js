// Facts and arrays of the page. Every array is a typed view of one block of bytes; one of several
// axes has them in `shape`.

const KINDS = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u1: Uint8Array };

async function unpacked(id) {
  const text = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// Every {"$array": [kind, first byte, shape]} in the facts as the array that it stands for.
function withArrays(value, buffer) {
  if (value === null || typeof value !== "object") return value;
  if ("$array" in value) {
    const [kind, start, shape] = value.$array;
    const length = shape.reduce((product, size) => product * size, 1);
    const array =
      kind === "b4" ? assembled(buffer, start, length) : new KINDS[kind](buffer, start, length);
    array.shape = shape;
    return array;
  }
  if (Array.isArray(value)) return value.map((item) => withArrays(item, buffer));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withArrays(item, buffer)]),
  );
}

// Numbers of four bytes, of which all first ones come first, then all second ones, ...
function assembled(buffer, start, length) {
  const bytes = new Uint8Array(4 * length);
  const parts = new Uint8Array(buffer, start, 4 * length);
  for (let part = 0; part < 4; part++) {
    for (let index = 0; index < length; index++) {
      bytes[4 * index + part] = parts[part * length + index];
    }
  }
  return new Float32Array(bytes.buffer);
}

// The part of an array at some indices of its leading axes: a view, or a number.
function at(array, ...indices) {
  const { shape } = array;
  let size = shape.reduce((product, length) => product * length, 1);
  let start = 0;
  indices.forEach((index, axis) => {
    size /= shape[axis];
    start += index * size;
  });
  if (indices.length === shape.length) return array[start];
  const part = array.subarray(start, start + size);
  part.shape = shape.slice(indices.length);
  return part;
}

const range = (length) => Array.from({ length }, (_, index) => index);
