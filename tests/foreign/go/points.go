package main

// Which 32 bytes are an Ed25519 public key, and which R no signature has (2.4.1, 2.4.2).

import "math/big"

var (
	prime, _ = new(big.Int).SetString("57896044618658097711785492504343953926634992332820282019728792003956564819949", 10)
	one      = big.NewInt(1)
	curveD   = func() *big.Int {
		d := new(big.Int).ModInverse(big.NewInt(121666), prime)
		d.Mul(d, big.NewInt(-121665))
		return d.Mod(d, prime)
	}()
	smallOrder = func() map[string]bool {
		eighth := littleEndian([]byte("\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0" +
			"\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05"))
		return map[string]bool{
			"0": true, "1": true, new(big.Int).Sub(prime, one).String(): true,
			eighth.String(): true, new(big.Int).Sub(prime, eighth).String(): true,
		}
	}()
)

// littleEndian reads 32 bytes without their highest bit.
func littleEndian(raw []byte) *big.Int {
	turned := make([]byte, len(raw))
	for i, b := range raw {
		turned[len(raw)-1-i] = b
	}
	turned[0] &= 0x7f
	return new(big.Int).SetBytes(turned)
}

func hasSmallOrder(raw []byte) bool {
	y := littleEndian(raw)
	return smallOrder[y.Mod(y, prime).String()]
}

// isPoint decodes as RFC 8032, 5.1.3, does; x is 0 only where the order is small.
func isPoint(raw []byte) bool {
	y := littleEndian(raw)
	if y.Cmp(prime) >= 0 || hasSmallOrder(raw) {
		return false
	}
	square := new(big.Int).Mul(y, y)
	u := new(big.Int).Sub(square, one)
	v := new(big.Int).Mul(curveD, square)
	v.Add(v, one)
	return big.Jacobi(u.Mul(u, v).Mod(u, prime), prime) == 1
}
