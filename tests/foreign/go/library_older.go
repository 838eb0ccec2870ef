//go:build older

package main

// The library as Go 1.19 builds it: go build -tags older -modfile older.mod

import (
	"crypto/ed25519"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// This version does not know the name of RFC 9864 by itself.
func init() { jwa.RegisterSignatureAlgorithm("Ed25519") }

func libraryVerifies(text []byte, key ed25519.PublicKey) error {
	_, err := jws.Verify(text, jws.WithKey(jwa.EdDSA, key))
	return err
}
