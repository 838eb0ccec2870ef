// Compact JWS, typed claims, trust and its walk, the descriptor, the catalogue.

import { createHash, webcrypto } from 'node:crypto';
import { flattenedVerify, importJWK } from 'jose';
import {
  BUNDLE, CATALOGUE, DESCRIPTOR, SMALL, TRUST, coded, codedLater, readB64, readJSON, refuse,
} from './strict.mjs';
import { hasSmallOrder, isPoint } from './points.mjs';
import { setupKeyId } from './typed.mjs';

// Node 18 has no global of this name, which the library reads.
globalThis.crypto ??= webcrypto;

export { BUNDLE };
export const DAY = 86400;
const LAST_DAY = 65535;
export const LONGEST = 2 ** 31 - 1; // the longest span
export const DAY_ZERO = 20454; // 2026-01-01 in days since 1970-01-01
const dayOf = (instant) => Math.floor(instant / DAY) - DAY_ZERO;

// ---- claims -------------------------------------------------------------------------------

// Names for people (2.5.1): what they do not hold, and what they do not begin or end with.
const planes = Array.from({ length: 12 }, (_, n) => (n + 1).toString(16).toUpperCase());
const HIDDEN = [
  '0000-001F 007F-009F',
  '00AD 0600-0605 061C 06DD 070F 0890-0891 08E2 180E 200B-200F 202A-202E 2060-206F FEFF FFF0-FFFB',
  '110BD 110CD 13430-1343F 1BCA0-1BCA3 1D173-1D17A 2028-2029 D800-DFFF E000-F8FF FDD0-FDEF FFFE-FFFF',
  ...planes.map((plane) => `${plane}FFFE-${plane}FFFF`),
  'DFFFE-10FFFF 034F 115F-1160 17B4-17B5 180B-180D 180F 2800 3164 FE00-FE0F FFA0 1D159',
].join(' ');
const SPACES = '0020 00A0 1680 2000-200A 202F 205F 3000';
const inside = (codes) => codes.replace(/[0-9A-F]+/g, '\\u{$&}').replaceAll(' ', '');
const NAME = `[^${inside(HIDDEN)}${inside(SPACES)}](?:[^${inside(HIDDEN)}]{0,198}[^${inside(HIDDEN)}${inside(SPACES)}])?`;

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const DNS = `${LABEL}(?:\\.${LABEL})*`;

export const GRAMMAR = {
  compact: /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/,
  suffix: new RegExp(`^${DNS}$`),
  siteHost: new RegExp(`^(?:${DNS}|[0-9a-f.]*:[0-9a-f:.]*)$`),
  any: /^[^]+$/,
  shown: new RegExp(`^${NAME}$`, 'u'),
  orEmpty: new RegExp(`^(?:${NAME})?$`, 'u'),
  over: /^(refuse|report)$/,
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
  commitment: /^[a-z][0-9a-f]{16}$/,
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
  if (number(map, 'v', 1) !== 1) refuse('a higher v: update this program', 'licence/version');
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
  return { parts, signature, header: readJSON(header, SMALL), payload: readJSON(payload, limits) };
}

// Shape and header of an object that is not part of a bundle.
export function readObject(compact, limits, typ) {
  const jws = coded('licence/malformed', () => readCompact(compact, limits));
  coded('licence/header', () => headerRules(jws, typ));
  return jws;
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
  if (raw.length !== 32 || !isPoint(raw)) refuse('not the 32 bytes of an Ed25519 key');
  const thumbprint = createHash('sha256')
    .update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url');
  return { x, raw, kid: thumbprint };
}

export async function checkSignature(jws, key) {
  const [header, payload, signature] = jws.parts;
  if (hasSmallOrder(jws.signature.subarray(0, 32))) refuse('R of small order');
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

// Claims and laws; who signed is asked elsewhere.
function readTrust(jws) {
  return coded('trust/claims', () => {
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
    return {
      jws,
      roots,
      keys,
      version: number(muster, 'version', 1),
      issuer: text(payload, 'iss', 'publisher'),
      label: text(muster, 'label', 'label'),
    };
  });
}

// The root that signed.
async function signedByRoot(jws, roots) {
  const kid = jws.header.get('kid');
  const root = roots.find((r) => r.kid === kid) ?? refuse('not signed by a root', 'trust/root');
  await codedLater('trust/signature', () => checkSignature(jws, root));
  return root;
}

export async function anchor(compact) {
  const jws = readObject(compact, TRUST, 'muster-trust+jwt');
  const trust = readTrust(jws);
  const first = trust.version === 1;
  await signedByRoot(jws, first ? trust.roots.slice(0, 1) : trust.roots);
  if (first && publisherId(trust.roots[0]) !== trust.issuer) {
    refuse('version 1 names another publisher', 'trust/publisher');
  }
  return trust;
}

export async function follow(trust, compact) {
  const jws = readObject(compact, TRUST, 'muster-trust+jwt');
  const working = await signedByRoot(jws, trust.roots) === trust.roots[0];
  const next = readTrust(jws);
  if (next.issuer !== trust.issuer || next.label !== trust.label) {
    refuse('iss and label never change', 'trust/publisher');
  }
  if (working ? next.version !== trust.version + 1 : next.version <= trust.version) {
    refuse('the version does not follow', 'trust/step');
  }
  if (working && next.roots.some((root, i) => root.kid !== trust.roots[i].kid)) {
    refuse('roots changed by the working root', 'trust/roots');
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

// The key that has a role in this trust and signs on the day of an instant.
export function keyInRole(trust, kid, role, instant) {
  const key = trust.keys.find((k) => k.kid === kid && k.role === role);
  if (!key) refuse(`kid is no ${role} key of this trust`);
  if (key.until !== undefined && dayOf(instant) > key.until) refuse('the key was retired before');
  return key;
}

export async function signedInRole(trust, jws, role) {
  const instant = number(jws.payload, 'iat');
  await checkSignature(jws, keyInRole(trust, jws.header.get('kid'), role, instant));
}

// ---- descriptor and catalogue -------------------------------------------------------------

function readProduct(map) {
  text(map, 'name', 'shown');
  text(map, 'edition', 'orEmpty');
  const setup = text(map, 'setup_key', 'setupKey');
  if (setup !== '' && !setupKeyId(setup).startsWith('2-')) refuse('not a setup key');
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
    setup,
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
  const jws = readObject(compact, CATALOGUE, 'muster-catalogue+jwt');
  await codedLater('catalogue/signer', () => signedInRole(trust, jws, 'catalogue'));
  return coded('catalogue/claims', () => catalogueClaims(jws, trust));
}

function catalogueClaims(jws, trust) {
  const muster = record(jws.payload.get('muster'));
  version1(muster);
  if (text(jws.payload, 'iss', 'publisher') !== trust.issuer) {
    refuse('of another publisher', 'catalogue/publisher');
  }
  const each = (name) => list(muster, name).map(record);
  const groups = each('groups').map(readGroup);
  const applications = each('applications').map((a) => [text(a, 'id', 'name'), text(a, 'name', 'shown')][0]);
  const products = each('products').map(readProduct);
  each('conversions').forEach((c) => {
    ['source', 'target'].forEach((name) => text(c, name, 'name'));
    text(c, 'rule', 'rule');
    text(c, 'way', 'orEmpty');
    optionalNumber(c, 'until');
  });
  distinct(groups.map((group) => group.id));
  distinct(groups.map((group) => group.number));
  distinct(applications);
  distinct(products.map((product) => product.id));
  distinct(products.filter((product) => product.setup).map((product) => setupKeyId(product.setup)));
  const listed = products.every((product) => applications.includes(product.application)
    && groups.some((group) => group.id === product.group));
  if (!listed) refuse('a group or application is not listed');
  const revocations = each('revocations').map((r) => {
    if (r.has('jti') && r.has('key')) refuse('a revocation names one of jti and key');
    const at = number(r, 'at', 0, LAST_DAY);
    return r.has('jti') ? { jti: text(r, 'jti', 'random16'), at } : { key: keyId(r).join('-'), at };
  });
  return {
    version: number(muster, 'version', 1),
    revocations,
    kid: jws.header.get('kid'),
    iat: number(jws.payload, 'iat'),
  };
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
