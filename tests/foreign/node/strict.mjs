// The strict readers in front of the JOSE library: JSON and base64url.
// Written from docs/spec (signed objects), not from the Python code.
// Objects become Maps, so that a member called __proto__ is a member like any other.

export const SMALL = { bytes: 8192, levels: 4, members: 64, items: 16 };
export const BUNDLE = { bytes: 16384, levels: 4, members: 64, items: 16 };
export const TRUST = { bytes: 32768, levels: 6, members: 512, items: 256 };
export const DESCRIPTOR = { bytes: 65536, levels: 6, members: 4096, items: 1024 };
export const CATALOGUE = { bytes: 4194304, levels: 8, members: 262144, items: 65536 };

export class Refused extends Error {}

// `code` is the error as docs/spec names it, `group` the group of digits that it names.
export function refuse(why, code, group) {
  throw Object.assign(new Refused(why), { code, group });
}

// Does something whose refusals have this code, unless they have one of their own.
export function coded(code, work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refused) error.code ??= code;
    throw error;
  }
}

export async function codedLater(code, work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Refused) error.code ??= code;
    throw error;
  }
}

const PLAIN = /([{}[\],:])|(true|false|null)|(0|[1-9][0-9]*)(?![0-9.eE])/y;
const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt])|)/g;
const SHORT = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

// The place of the closing quote of a string that starts at `start`.
function stringEnd(text, start) {
  for (let at = start + 1; at < text.length; at += 1) {
    const c = text.charCodeAt(at);
    if (c === 0x22) return at;
    if (c === 0x5c) at += 1;
    else if (c < 0x20) refuse('control character');
  }
  return refuse('string without an end');
}

function unescape(raw) {
  const text = raw.replace(ESCAPE, (_, hex, short) => {
    if (hex) return String.fromCharCode(parseInt(hex, 16));
    return short ? (SHORT[short] ?? short) : refuse('unknown escape');
  });
  // In Unicode mode a pair is one character, so Cs finds surrogates without a partner.
  return /\p{Cs}/u.test(text) ? refuse('lone surrogate') : text;
}

class Scanner {
  constructor(text, limits) {
    Object.assign(this, { text, limits, at: 0, members: 0 });
  }

  // One token: { mark }, { word }, { string } or { number }.
  next() {
    while (' \t\r\n'.includes(this.text[this.at] ?? '!')) this.at += 1;
    if (this.text[this.at] === '"') {
      const end = stringEnd(this.text, this.at);
      const string = unescape(this.text.slice(this.at + 1, end));
      this.at = end + 1;
      return { string };
    }
    PLAIN.lastIndex = this.at;
    const [, mark, word, digits] = PLAIN.exec(this.text) ?? refuse(`no token at ${this.at}`);
    this.at = PLAIN.lastIndex;
    if (mark) return { mark };
    if (word) return { word };
    const number = Number(digits);
    return Number.isSafeInteger(number) ? { number } : refuse('number of 2^53 or more');
  }

  value(token, level) {
    if (token.string !== undefined) return token.string;
    if (token.number !== undefined) return token.number;
    if (token.word) return { true: true, false: false, null: null }[token.word];
    if (level > this.limits.levels) refuse('too deep');
    if (token.mark === '{') return this.object(level);
    if (token.mark === '[') return this.array(level);
    return refuse('no value');
  }

  object(level) {
    const found = new Map();
    let token = this.next();
    if (token.mark === '}') return found;
    for (;;) {
      if (token.string === undefined) refuse('no member name');
      if (found.has(token.string)) refuse('duplicate member');
      this.members += 1;
      if (this.members > this.limits.members) refuse('too many members');
      if (this.next().mark !== ':') refuse('no colon');
      found.set(token.string, this.value(this.next(), level + 1));
      const { mark } = this.next();
      if (mark === '}') return found;
      if (mark !== ',') refuse('no comma');
      token = this.next();
    }
  }

  array(level) {
    const found = [];
    let token = this.next();
    if (token.mark === ']') return found;
    for (;;) {
      if (found.length === this.limits.items) refuse('too many items');
      found.push(this.value(token, level + 1));
      const { mark } = this.next();
      if (mark === ']') return found;
      if (mark !== ',') refuse('no comma');
      token = this.next();
    }
  }
}

// Exactly one JSON object: UTF-8 without BOM, no duplicate names, integers 0 to 2^53-1 only.
export function readJSON(bytes, limits) {
  if (bytes.length > limits.bytes) refuse('too long');
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    refuse('not UTF-8');
  }
  const scanner = new Scanner(text, limits);
  const first = scanner.next();
  if (first.mark !== '{') refuse('not an object');
  const value = scanner.value(first, 1);
  if (!/^[ \t\r\n]*$/.test(text.slice(scanner.at))) refuse('something follows the object');
  return value;
}

// Canonical, unpadded base64url: writing the bytes again gives the same text.
export function readB64(text) {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : refuse('not canonical base64url');
}
