package main

// Compact JWS: the shape is read here, the signature is checked by the library's JWS call with
// the one option EdDSA.

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

type compact struct {
	text            string
	header, payload object
	signature       []byte
}

// readCompact reads sizes, shape and strict JSON of a compact JWS; nothing is checked yet.
func readCompact(text string, lim limits) (*compact, error) {
	if len(text) > 2*lim.bytes {
		return nil, errors.New("compact text too long")
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errors.New("a compact JWS has three parts")
	}
	var raw [3][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = readB64(part); err != nil {
			return nil, err
		}
	}
	if len(raw[2]) != ed25519.SignatureSize {
		return nil, errors.New("the signature has not 64 bytes")
	}
	if head := string(raw[0]); !strings.HasPrefix(head, "{") || !strings.HasSuffix(head, "}") {
		return nil, errors.New("white space around the header")
	}
	headerLimit := lim
	if headerLimit.bytes > small.bytes {
		headerLimit = small
	}
	header, err := readJSON(raw[0], headerLimit)
	if err != nil {
		return nil, err
	}
	payload, err := readJSON(raw[1], lim)
	if err != nil {
		return nil, err
	}
	return &compact{text, header, payload, raw[2]}, nil
}

// readObject reads the shape of a compact JWS and its header.
func readObject(text string, lim limits, typ string) (*compact, error) {
	c, err := readCompact(text, lim)
	if err != nil {
		return nil, as("licence/malformed", err)
	}
	if err = c.headerRules(); err == nil && c.typ() != typ {
		err = errors.New("typ is not " + typ)
	}
	return c, as("licence/header", err)
}

// headerRules: exactly alg, kid and typ, all text; alg one of the two names of Ed25519.
func (c *compact) headerRules() error {
	if len(c.header) != 3 {
		return errors.New("header is not exactly alg, kid, typ")
	}
	for _, name := range []string{"alg", "kid", "typ"} {
		if _, is := c.header[name].(string); !is {
			return errors.New("header lacks " + name)
		}
	}
	if !kidRE.MatchString(c.kid()) {
		return errors.New("kid is no thumbprint")
	}
	if alg := c.header["alg"]; alg != "EdDSA" && alg != "Ed25519" {
		return errors.New("alg is not EdDSA")
	}
	return nil
}

func (c *compact) kid() string { kid, _ := c.header["kid"].(string); return kid }
func (c *compact) typ() string { typ, _ := c.header["typ"].(string); return typ }

func (c *compact) signedBy(key publicKey) bool {
	if hasSmallOrder(c.signature[:32]) {
		return false
	}
	return libraryVerifies([]byte(c.text), ed25519.PublicKey(key)) == nil
}

// publicKey is the 32 bytes of an Ed25519 key.
type publicKey []byte

func (k publicKey) thumbprint() string {
	x := base64.RawURLEncoding.EncodeToString(k)
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// readJWK takes a JWK of exactly crv, kty, x.
func readJWK(value any) (publicKey, error) {
	jwk, _ := value.(object)
	x, _ := jwk["x"].(string)
	if len(jwk) != 3 || jwk["kty"] != "OKP" || jwk["crv"] != "Ed25519" {
		return nil, errors.New("not an Ed25519 JWK of crv, kty, x")
	}
	key, err := readB64(x)
	if err == nil && (len(key) != ed25519.PublicKeySize || !isPoint(key)) {
		err = errors.New("not the 32 bytes of an Ed25519 key")
	}
	return key, err
}
