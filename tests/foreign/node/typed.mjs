// What people type: digit groups, IDs and product keys (1.4.4, 1.9 to 1.11).

import { refuse } from './strict.mjs';

// The table of 1.4.4.
const PASSED = [
  '0009-000D 0020 0085 00A0 1680 2000-200A 2028-2029 202F 205F 3000',
  '0021-0024 0027-002F 003A-003C 003E-0040 005B 005D-0060 007B-007E',
  '00A6 00AB 00AF 00B4 00B7 00BB 058A 05BE 060C 061B 066B-066C 06D4 1806 2010-2027 2030-205E 2212',
  '2500-257F 25A0-25FF 2E3A-2E3B 3001-3003 3008-301F 30FB FE10-FE19 FE30-FE6B FF01-FF0F FF1A-FF20',
  'FF3B-FF40 FF5B-FF65 FFFD',
  '00AD 034F 061C 180B-180E 200B-200F 202A-202E 2060-206F FE00-FE0F FEFF',
].join(' ').split(' ').map((range) => range.split('-').map((code) => parseInt(code, 16)));

const passed = (c) => PASSED.some(([low, high = low]) => low <= c.codePointAt(0) && c.codePointAt(0) <= high);
const endsLine = (c) => /[\n\v\f\r\x85\u2028\u2029]/.test(c);

const DAMM = [
  '0317598642', '7092154863', '4206871359', '1750983426', '6123045978',
  '3674209581', '5869720134', '8945362017', '9438617205', '2581436790',
];

const rightAt = (group, place) => [...group].reduce((i, digit) => DAMM[i][digit], String(place % 10)) === '0';

const inGroup = (code, place) => refuse(`group ${place + 1}`, code, place + 1);

const sixes = (digits) => digits.match(/[0-9]{6}/g) ?? [];
const firstWrong = (groups) => groups.findIndex((group, place) => !rightAt(group, place));

function digitsOf(text) {
  const characters = [...text];
  if (characters.length > 4000) refuse('far too long', 'digits/length');
  let digits = '';
  let fresh = true; // nothing but what is passed over in this line so far
  characters.forEach((c, i) => {
    if (passed(c)) {
      fresh ||= endsLine(c);
      return;
    }
    const letter = fresh && /^[A-Ia-i]$/.test(c) && i + 1 < characters.length && passed(characters[i + 1]);
    fresh = false;
    if (letter && 'ABCDEFGHI'[digits.length / 24] === c.toUpperCase()) return;
    const behind = letter ? characters.slice(i + 1).filter((one) => !passed(one)).slice(0, 6).join('') : '';
    if (digits.length % 24 ? /^[0-9]/.test(behind)
      : /^[0-9]{6}$/.test(behind) && rightAt(behind, 4 * 'ABCDEFGHI'.indexOf(c.toUpperCase()))) {
      const groups = sixes(digits);
      const wrong = firstWrong(groups);
      inGroup('digits/group', wrong < 0 ? groups.length : wrong);
    }
    if (!/^[0-9]$/.test(c)) inGroup('digits/symbol', Math.floor(digits.length / 6));
    digits += c;
  });
  return digits;
}

function groupsOf(text, expected) {
  const digits = digitsOf(text);
  const groups = sixes(digits);
  const wrong = firstWrong(groups.slice(0, Math.max(...expected)));
  const count = digits.length / 6;
  if (expected.includes(count)) return wrong < 0 ? groups : inGroup('digits/group', wrong);
  if (wrong >= 0) {
    const later = [1, 2, 3].some((further) => rightAt(groups[wrong], wrong + further));
    const rest = groups.slice(wrong + 1);
    const earlier = rest.length > 0 && rest.every((group, i) => rightAt(group, wrong + i));
    if (later || earlier) inGroup('digits/group', wrong);
  }
  return refuse(`${digits.length} digits`, 'digits/length');
}

const numberOf = (groups) => BigInt(groups.map((group) => group.slice(0, 5)).join(''));

// Takes fields off a number, the lowest first.
class Bits {
  constructor(number) { this.rest = number; }

  take(width) {
    const low = this.rest & (2n ** BigInt(width) - 1n);
    this.rest >>= BigInt(width);
    return low;
  }
}

const hex = (number, digits) => number.toString(16).padStart(digits, '0');

export function confirmation({ text }) {
  const bits = new Bits(numberOf(groupsOf(text, [33])));
  if (bits.rest >= 2n ** 541n) refuse('too large', 'id/range');
  const s = Buffer.from(hex(bits.take(253), 64), 'hex').reverse().toString('hex');
  const r = hex(bits.take(256), 64);
  const [term, day, index] = [6, 16, 8].map((width) => Number(bits.take(width)));
  if (bits.rest !== 0n) refuse('another version', 'id/version');
  return { index, day, term, signature: r + s };
}

function installation({ text }) {
  const groups = groupsOf(text, [12, 15]);
  const host = groups.length === 15;
  const bits = new Bits(numberOf(groups));
  if (bits.rest >= 2n ** (host ? 244n : 196n)) refuse('too large', 'id/range');
  const proof = Number(bits.take(48));
  const hw = host ? hex(bits.take(48), 12) : null;
  const binding = hex(bits.take(100), 25);
  const [serial, group, kind, residue] = [24, 10, 3, 8].map((width) => Number(bits.take(width)));
  if (bits.rest !== 0n) refuse('another version', 'id/version');
  if (kind > 4) refuse('a reserved kind', 'key/kind');
  if (host !== (kind === 0)) refuse('hosts and only hosts have a hardware id', 'id/shape');
  return { residue, key_id: `${kind}-${group}-${serial}`, binding, hw, proof };
}

const ALPHABET = 'BCDFGHJKMPQRTVWXY2346789';
const LOGS = { 1: 0, 2: 1, 4: 2, 3: 3, 6: 4, 7: 5, 5: 6 }; // of x in GF(8), x^3 = x + 1
const POWERS = [1, 2, 4, 3, 6, 7, 5];

function checkHolds(values) {
  let octal = 0;
  let ternary = 0;
  [...values].reverse().forEach((value, place) => {
    const high = Math.floor(value / 3);
    if (high > 0) octal ^= POWERS[(LOGS[high] + place) % 7];
    ternary += (value % 3) * (place % 2 ? 2 : 1);
  });
  return octal === 0 && ternary % 3 === 0;
}

function productKey({ text }) {
  if ([...text].length > 1000) refuse('far too long', 'key/length');
  const values = [];
  for (const c of text) {
    if (passed(c)) continue;
    const value = /^[a-zA-Z0-9]$/.test(c) ? ALPHABET.indexOf(c.toUpperCase()) : -1;
    if (value < 0) inGroup('key/symbol', Math.floor(values.length / 5));
    values.push(value);
  }
  if (values.length !== 25) refuse(`${values.length} symbols`, 'key/length');
  if (!checkHolds(values)) refuse('the check symbol', 'key/check');
  const number = (from, to) => values.slice(from, to).reduce((sum, value) => sum * 24n + BigInt(value), 0n);
  const head = new Bits(number(0, 7));
  if (head.rest >= 2n ** 31n || number(7, 19) >= 2n ** 55n) refuse('too large', 'key/range');
  const group = head.take(10);
  head.take(16);
  const kind = head.take(3);
  if (head.rest !== 0n) refuse('another version', 'key/version');
  if (kind > 4n) refuse('a reserved kind', 'key/kind');
  const printed = values.map((value) => ALPHABET[value]).join('').match(/.{5}/g).join('-');
  return { text: printed, key_id: `${kind}-${group}-${number(19, 24)}` };
}

// The key id of a product key that is no typed text but stands in a catalogue.
export function setupKeyId(printed) {
  try {
    return productKey({ text: printed }).key_id;
  } catch (error) {
    return refuse(error.message);
  }
}

const READERS = {
  groups: ({ text, expected }) => groupsOf(text, expected).join('-'),
  confirmation,
  installation,
  'product-key': productKey,
};

// Reads one case and compares what it says with the value of the vector.
export function typed(test) {
  const found = READERS[test.kind](test);
  const entries = (value) => JSON.stringify(typeof value === 'string' ? value : Object.entries(value).sort());
  if (entries(found) !== entries(test.value)) refuse(JSON.stringify(found), 'differs');
}
