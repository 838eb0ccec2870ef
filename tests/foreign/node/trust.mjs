// Compact JWS, typed claims, trust and its walk, the descriptor, the catalogue.

import { createHash } from 'node:crypto';
import { flattenedVerify, importJWK } from 'jose';
import {
  BUNDLE, CATALOGUE, DESCRIPTOR, SMALL, TRUST, readB64, readJSON, refuse,
} from './strict.mjs';

export { BUNDLE };
export const DAY = 86400;
const LAST_DAY = 65535;
export const LONGEST = 2 ** 31 - 1; // the longest span
export const DAY_ZERO = 20454; // 2026-01-01 in days since 1970-01-01
const dayOf = (instant) => Math.floor(instant / DAY) - DAY_ZERO;

// ---- claims -------------------------------------------------------------------------------

export const GRAMMAR = {
  any: /^[^]+$/,
  // Names for people: no control characters, none that turn the direction of writing.
  shown: /^[^\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{1,200}$/u,
  orEmpty: /^[^\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{0,200}$/u,
  setupKey: /^([B-DF-HJKMP-RTV-Y2-46-9]{5}(-[B-DF-HJKMP-RTV-Y2-46-9]{5}){4})?$/,
  rule: /^(allowed|unsupported|refused)$/,
  publisher: /^[a-z2-7]{16}$/,
  label: /^[a-z0-9-]{1,20}$/,
  name: /^[a-z0-9.-]{1,64}$/,
  audience: /^[a-z2-7]{16}\/[a-z0-9.-]{1,64}$/,
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  random16: /^[A-Za-z0-9_-]{21}[AQgw]$/,
  kid: /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/,
  binding: /^[0-9a-f]{25}$/,
  hardware: /^[0-9a-f]{12}$/,
  commitment: /^[0-9a-f]{16}$/,
  keyId: /^(0|[1-9][0-9]*)-(0|[1-9][0-9]*)-(0|[1-9][0-9]*)$/,
  code: /^[a-z0-9-]{1,32}\/[a-z0-9-]{1,32}$/,
  mode: /^(machine|device|node|explicit)$/,
  terms: /^(required|none)$/,
  channel: /^(volume|evaluation|retail)$/,
  kind: /^(host|mak|evaluation|retail)$/,
};

function distinct(values) {
  if (new Set(values).size !== values.length) refuse('something stands twice');
}

export function record(value) {
  return value instanceof Map ? value : refuse('not an object');
}

export function text(map, name, grammar) {
  const value = map.get(name);
  const fits = typeof value === 'string' && GRAMMAR[grammar].test(value);
  return fits ? value : refuse(`${name} is missing or wrong`);
}

export function number(map, name, least = 0, most = Number.MAX_SAFE_INTEGER) {
  const value = map.get(name);
  const fits = typeof value === 'number' && least <= value && value <= most;
  return fits ? value : refuse(`${name} is missing or wrong`);
}

export function optionalNumber(map, name, least, most) {
  return map.has(name) ? number(map, name, least, most) : undefined;
}

export function list(map, name) {
  const value = map.get(name);
  return Array.isArray(value) ? value : refuse(`${name} is missing or wrong`);
}

export function texts(map, name, grammar) {
  const values = list(map, name);
  const fits = values.every((v) => typeof v === 'string' && GRAMMAR[grammar].test(v));
  if (!fits) refuse(`${name} holds something wrong`);
  distinct(values);
  return values;
}

export function sortedTexts(map, name, grammar) {
  const values = texts(map, name, grammar);
  const rising = values.every((v, i) => i === 0 || values[i - 1] < v);
  return rising ? values : refuse(`${name} is not sorted`);
}

// Kind, group and serial of the member `key`, each within its bits.
export function keyId(map) {
  const [kind, group, serial] = text(map, 'key', 'keyId').split('-').map(BigInt);
  const fits = kind < 5n && group < 1024n && serial < 1n << 24n;
  return fits ? [kind, group, serial] : refuse('key id out of range');
}

export function version1(map) {
  if (number(map, 'v') !== 1) refuse('a higher v: update this program');
}

// ---- compact JWS --------------------------------------------------------------------------

// Sizes, shape and strict JSON; nothing is checked yet.
export function readCompact(compact, limits) {
  if (compact.length > 2 * limits.bytes) refuse('compact text too long');
  const parts = compact.split('.');
  if (parts.length !== 3) refuse('a compact JWS has three parts');
  const [header, payload, signature] = parts.map(readB64);
  if (signature.length !== 64) refuse('the signature has not 64 bytes');
  if (header[0] !== 0x7b || header.at(-1) !== 0x7d) refuse('white space around the header');
  return { parts, header: readJSON(header, SMALL), payload: readJSON(payload, limits) };
}

export function headerRules(jws, typ) {
  const { header } = jws;
  const exact = header.size === 3 && ['alg', 'kid', 'typ'].every((n) => typeof header.get(n) === 'string');
  if (!exact) refuse('header is not exactly alg, kid, typ');
  text(header, 'kid', 'kid');
  if (!['EdDSA', 'Ed25519'].includes(header.get('alg'))) refuse('alg is not EdDSA');
  if (typ !== undefined && header.get('typ') !== typ) refuse(`typ is not ${typ}`);
}

export function readKey(value) {
  const jwk = record(value);
  const x = jwk.get('x');
  const exact = jwk.size === 3 && jwk.get('kty') === 'OKP' && jwk.get('crv') === 'Ed25519';
  if (!exact || typeof x !== 'string') refuse('not an Ed25519 JWK of crv, kty, x');
  const raw = readB64(x);
  if (raw.length !== 32) refuse('an Ed25519 key has 32 bytes');
  const thumbprint = createHash('sha256')
    .update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url');
  return { x, raw, kid: thumbprint };
}

export async function checkSignature(jws, key) {
  const [header, payload, signature] = jws.parts;
  try {
    const jwk = await importJWK({ kty: 'OKP', crv: 'Ed25519', x: key.x }, 'Ed25519');
    await flattenedVerify({ protected: header, payload, signature }, jwk, {
      algorithms: ['EdDSA', 'Ed25519'],
    });
  } catch {
    refuse('bad signature');
  }
}

// ---- trust --------------------------------------------------------------------------------

function publisherId(root) {
  const hash = createHash('sha256').update('muster-publisher-v1').update(root.raw).digest();
  const bits = [...hash.subarray(0, 10)].map((b) => b.toString(2).padStart(8, '0')).join('');
  return bits.match(/.{5}/g).map((five) => 'abcdefghijklmnopqrstuvwxyz234567'[parseInt(five, 2)]).join('');
}

function readTrustKey(map) {
  const key = { ...readKey(map.get('jwk')), role: text(map, 'role', 'name') };
  key.until = optionalNumber(map, 'until', 0, LAST_DAY);
  if (key.role === 'grant') key.index = number(map, 'index', 0, 255);
  else if (map.has('index')) refuse('only grant keys have an index');
  return key;
}

function readTrust(compact) {
  const jws = readCompact(compact, TRUST);
  headerRules(jws, 'muster-trust+jwt');
  const { payload } = jws;
  const muster = record(payload.get('muster'));
  version1(muster);
  number(payload, 'iat');
  text(muster, 'name', 'shown');
  const roots = list(muster, 'roots').map(readKey);
  const keys = list(muster, 'keys').map((k) => readTrustKey(record(k)));
  if (roots.length !== 2) refuse('a working and a reserve root');
  distinct([...roots, ...keys].map((k) => k.kid)); // one key, one role
  distinct(keys.filter((k) => k.role === 'grant').map((k) => k.index));
  const version = number(muster, 'version');
  if (version < 1) refuse('versions start at 1');
  return {
    jws, roots, keys, version, issuer: text(payload, 'iss', 'publisher'), label: text(muster, 'label', 'label'),
  };
}

export async function anchor(compact) {
  const trust = readTrust(compact);
  const kid = trust.jws.header.get('kid');
  const own = trust.roots.find((root) => root.kid === kid) ?? refuse('not signed by a root of its own');
  await checkSignature(trust.jws, own);
  if (trust.version === 1 && (own !== trust.roots[0] || publisherId(own) !== trust.issuer)) {
    refuse('version 1 names another publisher');
  }
  return trust;
}

export async function follow(trust, compact) {
  const next = readTrust(compact);
  const [working, reserve] = trust.roots;
  const kid = next.jws.header.get('kid');
  if (next.issuer !== trust.issuer || next.label !== trust.label) refuse('iss and label never change');
  if (kid === working.kid) {
    await checkSignature(next.jws, working);
    if (next.version !== trust.version + 1) refuse('the working root signs the next version only');
    if (next.roots.some((root, i) => root.kid !== trust.roots[i].kid)) refuse('roots changed by the working root');
  } else if (kid === reserve.kid) {
    await checkSignature(next.jws, reserve);
    if (next.version <= trust.version) refuse('not a higher version');
  } else {
    refuse('not signed by a root');
  }
  return next;
}

// At most 64 steps; the version held may stand in the line.
export async function walk(first, line) {
  let trust = await anchor(first);
  let steps = 0;
  for (const compact of line) {
    if (steps === 64) break;
    if (compact === trust.jws.parts.join('.')) continue;
    trust = await follow(trust, compact);
    steps += 1;
  }
  return trust;
}

// The object is signed by a key that had this role when it was signed.
export async function signedInRole(trust, jws, role) {
  const key = trust.keys.find((k) => k.kid === jws.header.get('kid') && k.role === role);
  if (!key) refuse(`kid is no ${role} key of this trust`);
  const day = dayOf(number(jws.payload, 'iat'));
  if (key.until !== undefined && day > key.until) refuse('the key was retired before this was signed');
  await checkSignature(jws, key);
}

// ---- descriptor and catalogue -------------------------------------------------------------

// A product key in its printed form, or none: check symbol, version 0, kind 2.
function isSetupKey(printed) {
  if (printed === '') return true;
  const values = [...printed.replaceAll('-', '')].map((c) => 'BCDFGHJKMPQRTVWXY2346789'.indexOf(c));
  const logs = { 1: 0, 2: 1, 4: 2, 3: 3, 6: 4, 7: 5, 5: 6 }; // of x in GF(8), x^3 = x + 1
  const powers = [1, 2, 4, 3, 6, 7, 5];
  let octal = 0;
  let ternary = 0;
  [...values].reverse().forEach((value, place) => {
    const high = Math.floor(value / 3);
    if (high > 0) octal ^= powers[(logs[high] + place) % 7];
    ternary += (value % 3) * (place % 2 ? 2 : 1);
  });
  const head = values.slice(0, 7).reduce((sum, value) => sum * 24 + value, 0);
  return octal === 0 && ternary % 3 === 0 && Math.floor(head / 2 ** 26) === 2;
}

// The key id of a setup key in its printed form: kind, group and serial.
function setupKeyId(printed) {
  const values = [...printed.replaceAll('-', '')].map((c) => 'BCDFGHJKMPQRTVWXY2346789'.indexOf(c));
  const value = (from, to) => values.slice(from, to).reduce((sum, digit) => sum * 24 + digit, 0);
  return `2-${value(0, 7) % 1024}-${value(19, 24)}`;
}

function readProduct(map) {
  text(map, 'name', 'shown');
  text(map, 'edition', 'orEmpty');
  if (!isSetupKey(text(map, 'setup_key', 'setupKey'))) refuse('not a setup key');
  text(map, 'channel', 'channel');
  const modes = texts(map, 'identity', 'mode');
  if (modes.length === 0) refuse('no identity mode');
  if (texts(map, 'features', 'name').length > 256) refuse('too many features');
  const spans = record(map.get('spans'));
  for (const name of ['lease', 'renew_after', 'retry_after']) number(spans, name, 1, LONGEST);
  for (const name of ['initial_grace', 'tolerance_grace']) number(spans, name, 0, LONGEST);
  return {
    id: text(map, 'id', 'name'),
    application: text(map, 'application', 'name'),
    group: text(map, 'group', 'name'),
    need: number(map, 'need', 1, LONGEST),
    modes,
    setup: text(map, 'setup_key', 'setupKey'),
  };
}

function readGroup(map) {
  const group = { id: text(map, 'id', 'name'), number: number(map, 'number', 0, 1023) };
  const covers = sortedTexts(map, 'covers', 'name');
  if (covers.length > 16 || !covers.includes(group.id)) refuse('covers');
  number(map, 'max_lease', 1, LONGEST);
  text(map, 'terms', 'terms');
  return group;
}

export async function readDescriptor(source) {
  const map = readJSON(Buffer.from(source, 'utf8'), DESCRIPTOR);
  version1(map);
  return {
    trust: await anchor(text(map, 'trust', 'any')),
    product: readProduct(record(map.get('product'))),
    groups: list(map, 'groups').map((g) => readGroup(record(g)).id),
  };
}

export async function readCatalogue(compact, trust) {
  const jws = readCompact(compact, CATALOGUE);
  headerRules(jws, 'muster-catalogue+jwt');
  await signedInRole(trust, jws, 'catalogue');
  if (text(jws.payload, 'iss', 'publisher') !== trust.issuer) refuse('of another publisher');
  number(jws.payload, 'iat');
  const muster = record(jws.payload.get('muster'));
  version1(muster);
  const each = (name) => list(muster, name).map(record);
  const groups = each('groups').map(readGroup);
  const applications = each('applications').map((a) => [text(a, 'id', 'name'), text(a, 'name', 'shown')][0]);
  const products = each('products').map(readProduct);
  each('conversions').forEach((c) => {
    ['source', 'target'].forEach((name) => text(c, name, 'name'));
    text(c, 'rule', 'rule');
    text(c, 'way', 'orEmpty');
  });
  distinct(groups.map((group) => group.id));
  distinct(groups.map((group) => group.number));
  distinct(applications);
  distinct(products.map((product) => product.id));
  const listed = products.every((product) => applications.includes(product.application)
    && groups.some((group) => group.id === product.group));
  if (!listed) refuse('a group or application is not listed');
  const revocations = each('revocations').map((r) => {
    if (r.has('jti') && r.has('key')) refuse('a revocation names one of jti and key');
    const at = number(r, 'at', 0, LAST_DAY);
    return r.has('jti') ? { jti: text(r, 'jti', 'random16'), at } : { key: keyId(r).join('-'), at };
  });
  return { version: number(muster, 'version', 1), revocations };
}

// The first day from which a grant or the product that it is for is revoked, or undefined.
export function revokedAt(catalogue, grant, product) {
  const jti = grant.payload.get('jti');
  const key = record(grant.payload.get('muster')).get('key');
  const setup = product.setup === '' ? undefined : setupKeyId(product.setup);
  const days = (catalogue?.revocations ?? [])
    .filter((r) => (r.jti !== undefined ? r.jti === jti : r.key === key || r.key === setup)).map((r) => r.at);
  return days.length ? Math.min(...days) : undefined;
}
