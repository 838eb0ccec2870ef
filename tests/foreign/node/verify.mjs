// A verifier of Muster's signed objects that shares no code with Muster.
//
//   node verify.mjs FILE.json
//
// reads a vector file of tests/vectors, judges every case and prints one line of JSON for each:
// its name, "ok" or "refused", the step that refuses (or null), and for trust and catalogues the
// version. The exit status is 0 when every case could be judged, whatever the judgement.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Refused, SMALL, codedLater, readB64, readJSON, refuse } from './strict.mjs';
import {
  BUNDLE, DAY, DAY_ZERO, GRAMMAR, LONGEST, checkSignature, follow, headerRules, keyId, keyInRole, list, number,
  optionalNumber, readCatalogue, readCompact, readDescriptor, readKey, readObject, record, revokedAt,
  signedInRole, sortedTexts, text, texts, version1, walk,
} from './trust.mjs';
import { confirmation, typed } from './typed.mjs';

const SKEW = 4 * 3600;
const must = (holds, why, code) => holds || refuse(why, code);

// ---- pieces that several steps share ------------------------------------------------------

function open(job, names) {
  const map = readJSON(job.data, BUNDLE);
  version1(map);
  for (const name of names) job[name] = readCompact(text(map, name, 'any'), SMALL);
  if (names.length > 1) job.signer = readKey(map.get('signer'));
}

async function grantSigned(job, kinds) {
  headerRules(job.grant, 'muster-grant+jwt');
  await signedInRole(job.world.trust, job.grant, 'grant');
  must(job.grant.payload.get('iss') === job.world.trust.issuer, 'the grant of another publisher');
  must(kinds.includes(record(job.grant.payload.get('muster')).get('kind')), 'a grant of the wrong kind');
}

const KINDS = { host: 0n, mak: 1n, evaluation: 3n, retail: 4n };

function hostBinding(publisher, [kind, group, serial], host) {
  const packed = ((kind << 34n) | (group << 24n) | serial).toString(16).padStart(10, '0');
  return createHash('sha256').update(`muster-host-v1${publisher}`)
    .update(Buffer.from(packed, 'hex')).update(host.raw).digest('hex').slice(0, 25);
}

async function hostSigned(job, main) {
  const muster = record(job.grant.payload.get('muster'));
  const bound = hostBinding(job.world.trust.issuer, keyId(muster), job.signer);
  must(muster.get('binding') === bound, 'the grant is bound to another host');
  must(main.header.get('kid') === job.signer.kid, 'kid is not the signer');
  must(main.payload.get('iss') === job.signer.kid, 'iss is not the signer');
  await checkSignature(main, job.signer);
}

// Both versions come before all claims.
function versions(...objects) {
  for (const { payload } of objects) version1(record(payload.get('muster')));
}

function readGrantClaims(job) {
  const { payload } = job.grant;
  const muster = record(payload.get('muster'));
  job.jti = text(payload, 'jti', 'random16');
  const kind = text(muster, 'kind', 'kind');
  must(keyId(muster)[0] === KINDS[kind], 'a key of another kind');
  job.g = {
    iss: text(payload, 'iss', 'publisher'),
    aud: text(payload, 'aud', 'audience'),
    iat: number(payload, 'iat'),
    exp: optionalNumber(payload, 'exp'),
    binding: text(muster, 'binding', 'binding'),
    covers: sortedTexts(muster, 'covers', 'name'),
  };
  must(kind !== 'evaluation' || job.g.exp !== undefined, 'an evaluation without an end');
  must(job.g.covers.length > 0, 'covers nothing');
  must(job.g.aud.startsWith(`${job.g.iss}/`), 'aud of another publisher');
  if (kind === 'host') {
    text(muster, 'hw', 'hardware');
    job.g.maxLease = number(muster, 'max_lease', 1, LONGEST);
  } else {
    must(!muster.has('hw') && !muster.has('max_lease'), 'hw and max_lease belong to hosts');
  }
}

// Claims that leases and notices share.
function readMainClaims(job, main) {
  const { payload } = main;
  const muster = record(payload.get('muster'));
  text(payload, 'iss', 'kid');
  text(payload, 'jti', 'random16');
  job.m = {
    sub: text(payload, 'sub', 'uuid'),
    aud: text(payload, 'aud', 'audience'),
    iat: number(payload, 'iat'),
    nonce: text(muster, 'nonce', 'random16'),
  };
  return muster;
}

function readLeaseClaims(job) {
  const muster = readMainClaims(job, job.lease);
  for (const name of ['renew_after', 'retry_after']) number(muster, name, 1, LONGEST);
  for (const name of ['need', 'catalogue', 'trust']) number(muster, name);
  Object.assign(job.m, {
    nbf: number(job.lease.payload, 'nbf'),
    exp: number(job.lease.payload, 'exp'),
    group: text(muster, 'group', 'name'),
    identity: text(muster, 'identity', 'mode'),
    count: number(muster, 'count'),
    fingerprint: sortedTexts(muster, 'fingerprint', 'commitment'),
  });
}

function covered({ g, world }) {
  must(g.covers.includes(world.descriptor.product.group), "the grant does not cover the product's group");
}

function audience({ m, world }) {
  must(m.aud === `${world.trust.issuer}/${world.descriptor.product.id}`, 'for another product');
}

function machine({ m, want }) {
  must(m.sub === want.cmid, 'of another machine');
  must(m.nonce === want.nonce, 'of another request');
}

// Section 1.6.3: whether two fingerprints are of one machine.
function oneMachine(stored, now) {
  const verdicts = new Map();
  for (const letter of 'abcdefghijklmnopqrstuvwxyz') {
    const [there, here] = [stored, now].map((all) => all.filter((one) => one[0] === letter));
    if (!there.length || !here.length) continue;
    const agrees = there.some((one) => here.includes(one));
    if (letter === 'u' && !agrees) return false;
    const voice = letter === 'b' ? 'p' : letter;
    verdicts.set(voice, verdicts.get(voice) || agrees);
  }
  const agreeing = [...verdicts.values()].filter((agrees) => agrees).length;
  return agreeing > 0 && agreeing >= verdicts.size - agreeing;
}

function clock({ m, want }, fresh) {
  must(m.iat <= want.now + SKEW, 'from the future');
  must(!fresh || m.iat >= want.now - SKEW, 'not a fresh answer');
  must(want.now >= want.clock_mark - SKEW, 'the clock stands behind its mark');
}

const judged = ({ want }) => Math.max(want.now, want.clock_mark);

// ---- the numbered steps -------------------------------------------------------------------

const LEASE = {
  1: (job) => open(job, ['lease', 'grant']),
  2: (job) => [headerRules(job.lease, 'muster-lease+jwt'), headerRules(job.grant)],
  3: (job) => grantSigned(job, ['host']),
  4: (job) => hostSigned(job, job.lease),
  5: (job) => [versions(job.lease, job.grant), readLeaseClaims(job), readGrantClaims(job)],
  6: (job) => {
    audience(job);
    must(job.m.group === job.world.descriptor.product.group, 'not the group of the product');
    covered(job);
  },
  7: (job) => {
    machine(job);
    must(job.world.descriptor.product.modes.includes(job.m.identity), 'a mode that the product does not allow');
    must(job.m.identity === job.want.identity, 'another identity mode');
  },
  8: ({ m, g }) => {
    must(m.nbf === m.iat, 'nbf is not iat');
    must(g.iat - DAY <= m.iat, 'older than its grant');
    must(m.exp - m.iat <= g.maxLease, 'longer than the key group allows');
    must(g.exp === undefined || m.exp <= g.exp, 'ends after its grant');
  },
  9: (job) => clock(job, job.want.fresh),
  10: ({ m, world }) => must(m.count >= world.descriptor.product.need, 'count below need'),
  11: ({ m, want }) => {
    if (m.fingerprint.length === 0 && want.identity === 'explicit') return;
    must(oneMachine(m.fingerprint, want.fingerprint), 'another machine');
  },
  12: (job) => {
    const day = revokedAt(job.world.catalogue, job.grant, job.world.descriptor.product);
    const at = day === undefined ? Infinity : (DAY_ZERO + day) * DAY;
    must(job.m.iat <= at, 'leased after the revocation', 'licence/revoked');
    must(judged(job) < job.m.exp || at + 30 * DAY < job.m.exp, 'expired');
    must(judged(job) < at + 30 * DAY, 'ended by a revocation', 'licence/revoked');
  },
};

const ACTIVATION = {
  1: (job) => open(job, ['grant']),
  2: (job) => headerRules(job.grant),
  3: async (job) => {
    await grantSigned(job, ['mak', 'evaluation', 'retail']);
    must(revokedAt(job.world.catalogue, job.grant, job.world.descriptor.product) === undefined, 'revoked', 'licence/revoked');
  },
  4: (job) => [versions(job.grant), readGrantClaims(job)],
  5: (job) => {
    const groups = job.world.descriptor.groups.map((group) => `${job.world.trust.issuer}/${group}`);
    must(groups.includes(job.g.aud), 'not for a key group of this product');
    covered(job);
  },
  6: ({ g, want }) => must(g.binding === want.binding, 'bound to another machine'),
  7: (job) => {
    if (job.g.exp === undefined) return;
    must(job.g.iat - DAY <= judged(job), 'clock', 'licence/clock');
    must(judged(job) < job.g.exp, 'expired');
  },
};

const NOTICE = {
  1: (job) => open(job, ['notice', 'grant']),
  2: (job) => [headerRules(job.notice, 'muster-notice+jwt'), headerRules(job.grant)],
  3: LEASE[3],
  4: (job) => hostSigned(job, job.notice),
  5: (job) => [
    versions(job.notice, job.grant), text(readMainClaims(job, job.notice), 'code', 'code'), readGrantClaims(job),
  ],
  6: (job) => [audience(job), covered(job)],
  7: machine,
  8: (job) => clock(job, true),
  9: ({ m, g }) => must(g.exp === undefined || m.iat <= g.exp, 'made after the grant ended'),
};

// What a step refuses with unless it says otherwise.
const CODES = {
  lease: 'malformed header grant signer claims audience machine dates clock count fingerprint expired',
  activation: 'malformed header grant claims audience machine expired',
  notice: 'malformed header grant signer claims audience machine clock dates',
};

// ---- terms (2.7) --------------------------------------------------------------------------

function termsClaims(jws) {
  const muster = record(jws.payload.get('muster'));
  version1(muster);
  const found = {
    iss: text(jws.payload, 'iss', 'publisher'),
    aud: text(jws.payload, 'aud', 'audience'),
    sub: text(jws.payload, 'sub', 'random16'),
    iat: number(jws.payload, 'iat'),
    version: number(muster, 'version', 1),
  };
  number(muster, 'limit');
  optionalNumber(muster, 'max_lease', DAY, LONGEST);
  text(muster, 'over', 'over');
  for (const name of ['customer', 'agreement']) text(muster, name, 'orEmpty');
  must(found.aud.startsWith(`${found.iss}/`), 'aud of another publisher');
  return found;
}

// The version of the terms held that still count for this grant, or 0.
function heldVersion(held, trust, jti) {
  if (held === null) return 0;
  const jws = readCompact(held, SMALL);
  const found = termsClaims(jws);
  if (found.sub !== jti) return 0;
  try {
    keyInRole(trust, jws.header.get('kid'), 'grant', found.iat);
  } catch {
    return 0;
  }
  return found.version;
}

async function acceptTerms(test, trust) {
  const job = { world: { trust }, grant: readObject(test.grant, SMALL, 'muster-grant+jwt') };
  await grantSigned(job, ['host']);
  readGrantClaims(job);
  const highest = heldVersion(test.held, trust, job.jti);
  if (highest > 0 && test.held === test.terms) return highest;
  const jws = readObject(test.terms, SMALL, 'muster-terms+jwt');
  await codedLater('terms/signer', () => signedInRole(trust, jws, 'grant'));
  const found = await codedLater('terms/claims', () => termsClaims(jws));
  const own = found.iss === job.g.iss && found.aud === job.g.aud && found.sub === job.jti;
  must(own, 'terms of another grant', 'terms/grant');
  must(found.version > highest, 'not above the version held', 'terms/older');
  return found.version;
}

// ---- site files (15) ------------------------------------------------------------------------

const SITE_FILE = { bytes: 262144, levels: 4, members: 512, items: 64 };
const SITE = { bytes: 65536, levels: 4, members: 512, items: 64 };
const TEN_YEARS = 3650 * DAY;

function upTo(most, items) {
  must(items.length <= most, 'too many items');
  return items;
}

function sitePart(map) {
  const trust = upTo(16, list(map, 'trust'));
  must(trust.every((step) => typeof step === 'string' && GRAMMAR.compact.test(step)), 'trust');
  return {
    publisher: text(map, 'publisher', 'publisher'),
    site: text(map, 'site', 'compact'),
    grant: text(map, 'grant', 'compact'),
    signer: readKey(map.get('signer')),
    trust,
  };
}

function siteFile(data) {
  const map = readJSON(data, SITE_FILE);
  version1(map);
  must(map.get('file') === 'muster-site', 'another kind of file');
  const parts = upTo(16, list(map, 'sites')).map((item) => sitePart(record(item)));
  must(parts.length > 0, 'no parts');
  must(new Set(parts.map((part) => part.publisher)).size === parts.length, 'a publisher stands twice');
  return parts;
}

function siteHost(map) {
  const name = text(map, 'host', 'siteHost');
  must(name.length <= 253, 'a name too long');
  const port = number(map, 'port', 1, 65535);
  for (const member of ['priority', 'weight']) number(map, member, 0, 65535);
  must(typeof map.get('tls') === 'boolean', 'tls is missing or wrong');
  return [`${name.includes(':') ? `[${name}]` : name}:${port}`, map.get('tls') ? ' tls' : ''];
}

function siteClaims({ payload }) {
  const muster = record(payload.get('muster'));
  text(payload, 'iss', 'kid');
  const hosts = upTo(16, list(muster, 'hosts')).map((item) => siteHost(record(item)));
  must(hosts.length > 0, 'no hosts');
  must(new Set(hosts.map(([shown]) => shown)).size === hosts.length, 'a host stands twice');
  must(upTo(32, texts(muster, 'suffixes', 'suffix')).every((name) => name.length <= 253), 'a suffix too long');
  upTo(16, texts(muster, 'ca', 'any')).forEach((der) => must(readB64(der).length <= 4096, 'a certificate too long'));
  return {
    aud: text(payload, 'aud', 'publisher'),
    iat: number(payload, 'iat'),
    exp: number(payload, 'exp'),
    hosts: hosts.map((shown) => shown.join('')),
  };
}

const SITE_STEPS = [
  ['malformed', (job) => {
    job.site = readCompact(job.part.site, SITE);
    job.grant = readCompact(job.part.grant, SMALL);
    job.signer = job.part.signer;
  }],
  ['header', (job) => [headerRules(job.site, 'muster-site+jwt'), headerRules(job.grant)]],
  ['grant', (job) => grantSigned(job, ['host'])],
  ['signer', (job) => hostSigned(job, job.site)],
  ['claims', (job) => {
    versions(job.site, job.grant);
    job.s = siteClaims(job.site);
    readGrantClaims(job);
  }],
  ['audience', ({ s, world }) => must(s.aud === world.trust.issuer, 'for another publisher')],
  ['dates', ({ s, g }) => {
    must(g.iat - DAY <= s.iat, 'older than its grant');
    must(s.iat < s.exp && s.exp <= s.iat + TEN_YEARS, 'no time, or too long');
    must(g.exp === undefined || s.exp <= g.exp, 'ends after its grant');
  }],
  ['expired', (job) => {
    const { catalogue, trust } = job.world;
    const revoked = catalogue && revokedAt(catalogue, job.grant, { setup: '' }) !== undefined;
    must(!revoked || !speaks(catalogue, trust), 'revoked', 'licence/revoked');
    must(job.now < job.s.exp, 'ended');
  }],
];

// Whether trust stands behind the key of a catalogue.
function speaks({ kid, iat }, trust) {
  try {
    keyInRole(trust, kid, 'catalogue', iat);
    return true;
  } catch {
    return false;
  }
}

async function judgeSite(test) {
  let trust = await walk(test.anchor, test.line);
  const catalogue = test.catalogue === null ? undefined : await readCatalogue(test.catalogue, trust);
  let parts;
  const unread = await refusal(() => { parts = siteFile(Buffer.from(test.file, 'utf8')); });
  if (unread) return { ...answer(unread), step: 0, code: unread.code ?? 'licence/malformed' };
  const part = parts.find(({ publisher }) => publisher === trust.issuer);
  if (!part) return { ...answer(), hosts: [] };
  for (const compact of part.trust) {
    await refusal(async () => { trust = await follow(trust, compact); });
  }
  const job = { part, now: test.now, world: { trust, catalogue } };
  for (const [place, [code, check]] of SITE_STEPS.entries()) {
    const no = await refusal(() => check(job));
    if (no) return { ...answer(no), step: place + 1, code: no.code ?? `licence/${code}` };
  }
  return { ...answer(), hosts: job.s.hosts };
}

// ---- from digits to a grant (4.4) -----------------------------------------------------------

// Members sorted, no spaces: over printable ASCII and integers that is JCS.
function jcs(value) {
  if (Array.isArray(value)) return `[${value.map(jcs).join(',')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${jcs(value[name])}`).join(',')}}`;
}

const b64 = (data) => Buffer.from(data).toString('base64url');

function grantParts(kind, publisher, test, { day, term }, kid) {
  const { key_id: key, binding, hw, group } = test;
  const jti = createHash('sha256').update(`muster-jti-v1/${publisher}/${key}/${binding}`).digest().subarray(0, 16);
  const iat = (DAY_ZERO + day) * DAY;
  const host = kind === 'host' ? { hw, max_lease: group.max_lease } : {};
  const muster = { v: 1, kind, key, binding, covers: group.covers, ...host };
  const end = term > 0 ? { exp: iat + term * 30 * DAY } : {};
  const payload = { aud: `${publisher}/${group.id}`, iat, iss: publisher, jti: b64(jti), muster, ...end };
  return [jcs({ alg: 'EdDSA', kid, typ: 'muster-grant+jwt' }), jcs(payload)].map(b64);
}

async function confirm(test, trust) {
  const found = confirmation(test);
  const key = trust.keys.find((k) => k.role === 'grant' && k.index === found.index);
  must(key && (key.until === undefined || found.day <= key.until), 'no such grant key', 'confirmation/key');
  const kind = Object.keys(KINDS).find((name) => KINDS[name] === BigInt(test.key_id[0]));
  const parts = [
    ...grantParts(kind, trust.issuer, test, found, key.kid), Buffer.from(found.signature, 'hex').toString('base64url'),
  ];
  const wrong = 'confirmation/signature';
  must(kind !== 'evaluation' || found.term > 0, 'no evaluation is for ever', wrong);
  await codedLater(wrong, () => checkSignature(readCompact(parts.join('.'), SMALL), key));
  must(parts.join('.') === test.grant, 'another grant', 'differs');
}

// ---- the command --------------------------------------------------------------------------

// Gives the error of a refusal, or undefined; anything else is a bug and passes on.
async function refusal(work) {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
}

async function judgeLicence(test, worlds) {
  const job = {
    want: test.expected,
    world: worlds[test.world] ?? refuse(`no world ${test.world}`),
    data: test.bundle_b64 === undefined ? Buffer.from(test.bundle, 'utf8') : Buffer.from(test.bundle_b64, 'base64'),
  };
  const steps = { lease: LEASE, activation: ACTIVATION, notice: NOTICE }[test.kind];
  for (const [step, check] of Object.entries(steps)) {
    const no = await refusal(() => check(job));
    if (no) {
      const code = no.code ?? `licence/${CODES[test.kind].split(' ')[step - 1]}`;
      return { result: 'refused', step: Number(step), code, why: no.message };
    }
  }
  return { result: 'ok', step: null };
}

async function judgeLine(test, format) {
  let version;
  const no = await refusal(async () => {
    const trust = await walk(test.anchor, test.line);
    if (format === 'confirmations') await confirm(test, trust);
    else if (format === 'terms') version = await acceptTerms(test, trust);
    else version = (format === 'trust' ? trust : await readCatalogue(test.catalogue, trust)).version;
  });
  return { ...answer(no), version };
}

function answer(no) {
  return { result: no ? 'refused' : 'ok', step: null, code: no?.code, group: no?.group, why: no?.message };
}

// Files whose cases stand alone.
const ALONE = {
  typed,
  keys: ({ jwk }) => readKey(asMap(jwk)),
  names: (test) => must(GRAMMAR.shown.test(test.text), 'no name for people'),
};

// As the strict reader gives it.
function asMap(value) {
  const plain = typeof value !== 'object' || value === null || Array.isArray(value);
  return plain ? value : new Map(Object.entries(value));
}

const file = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const worlds = {};
for (const [name, source] of Object.entries(file.worlds ?? {})) {
  const descriptor = await readDescriptor(source.descriptor);
  let { trust } = descriptor;
  for (const compact of source.trust) trust = await follow(trust, compact);
  const catalogue = source.catalogue === null ? undefined : await readCatalogue(source.catalogue, trust);
  worlds[name] = { descriptor, trust, catalogue };
}
const judges = {
  licences: (test) => judgeLicence(test, worlds),
  sites: judgeSite,
  ...Object.fromEntries(['trust', 'catalogues', 'terms', 'confirmations'].map((f) => [f, (test) => judgeLine(test, f)])),
  ...Object.fromEntries(Object.entries(ALONE).map(([f, judge]) => [f, async (test) => answer(await refusal(() => judge(test)))])),
};
if (!Object.hasOwn(judges, file.format)) throw new Error(`unknown format ${file.format}`);
for (const test of file.cases) {
  console.log(JSON.stringify({ name: test.name, ...await judges[file.format](test) }));
}
