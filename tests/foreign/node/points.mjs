// Which 32 bytes are an Ed25519 public key, and which R no signature has (2.4.1, 2.4.2).

const P = 2n ** 255n - 19n;
const mod = (n) => ((n % P) + P) % P;

function power(base, exponent) {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b)) {
    if (e & 1n) result = mod(result * b);
  }
  return result;
}

const D = mod(-121665n * power(121666n, P - 2n));
const EIGHTH = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
const SMALL = new Set([0n, 1n, P - 1n, EIGHTH, P - EIGHTH]);

// The 255 low bits, little-endian.
function yOf(raw) {
  return BigInt(`0x${Buffer.from(raw).reverse().toString('hex')}`) & (2n ** 255n - 1n);
}

export const hasSmallOrder = (raw) => SMALL.has(yOf(raw) % P);

// As RFC 8032, 5.1.3, decodes; x is 0 only where the order is small.
export function isPoint(raw) {
  const y = yOf(raw);
  if (y >= P || SMALL.has(y)) return false;
  return power((y * y - 1n) * (D * y * y + 1n), (P - 1n) / 2n) === 1n;
}
