package main

// Terms of a host's grant (2.7).

import "errors"

type termsCase struct {
	Name   string   `json:"name"`
	Anchor string   `json:"anchor"`
	Line   []string `json:"line"`
	Grant  string   `json:"grant"`
	Held   *string  `json:"held"`
	Terms  string   `json:"terms"`
}

type terms struct {
	object        *compact
	iss, aud, sub string
	iat, version  int64
}

// readTermsClaims reads the claims; who signed them is asked elsewhere.
func readTermsClaims(c *compact) (t terms, err error) {
	top := read(c.payload, "terms", &err)
	m := top.object("muster")
	v := m.between("v", 1, firstUnsafe-1)
	if err == nil && v != 1 {
		return t, refuse("licence/version", "terms of a higher v")
	}
	t = terms{
		object: c, iss: top.text("iss", publisherRE), aud: top.text("aud", audienceRE),
		sub: top.text("sub", b64of16RE), iat: top.number("iat"), version: m.between("version", 1, firstUnsafe-1),
	}
	m.number("limit")
	if m.has("max_lease") {
		m.between("max_lease", daySeconds, longest)
	}
	m.text("over", overRE)
	m.text("customer", orEmpty)
	m.text("agreement", orEmpty)
	if err == nil && t.aud[:16] != t.iss {
		m.fail("aud")
	}
	return t, as("terms/claims", err)
}

// acceptTerms takes terms for the host's own grant that are newer than those held.
func acceptTerms(held *string, text string, t *trust, grant *compact) (int64, error) {
	own, err := grantClaimsOf(grant)
	if err != nil {
		return 0, err
	}
	highest := int64(0)
	if held != nil {
		c, err := readCompact(*held, small)
		if err != nil {
			return 0, err
		}
		h, err := readTermsClaims(c)
		if err != nil {
			return 0, err
		}
		if h.sub == own.jti && t.maySign(c.kid(), "grant", h.iat) {
			if *held == text {
				return h.version, nil
			}
			highest = h.version
		}
	}
	c, err := readObject(text, small, "muster-terms+jwt")
	if err != nil {
		return 0, err
	}
	if err = as("terms/signer", t.signer(c, "grant")); err != nil {
		return 0, err
	}
	found, err := readTermsClaims(c)
	switch {
	case err != nil:
		return 0, err
	case found.iss != own.iss || found.aud != own.aud || found.sub != own.jti:
		return 0, refuse("terms/grant", "terms of another grant")
	case found.version <= highest:
		return 0, refuse("terms/older", "not above the version held")
	}
	return found.version, nil
}

// readTerms walks to the trust, reads the host's grant and then its terms.
func readTerms(c termsCase) (int64, error) {
	t, err := walk(c.Anchor, c.Line)
	if err != nil {
		return 0, err
	}
	grant, err := readObject(c.Grant, small, "muster-grant+jwt")
	if err == nil {
		err = t.signer(grant, "grant")
	}
	if err == nil && grant.payload["iss"] != t.issuer {
		err = errors.New("the grant of another publisher")
	}
	if err != nil {
		return 0, as("licence/grant", err)
	}
	return acceptTerms(c.Held, c.Terms, t, grant)
}
