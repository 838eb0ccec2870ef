package main

// Site files (chapter 15).

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	siteFile   = limits{256 << 10, 4, 512, 64}
	sitePlain  = limits{64 << 10, 4, 512, 64}
	compactRE  = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
	dnsLabel   = `[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?`
	dnsName    = dnsLabel + `(?:\.` + dnsLabel + `)*`
	suffixRE   = regexp.MustCompile(`^` + dnsName + `$`)
	siteHostRE = regexp.MustCompile(`^(?:` + dnsName + `|[0-9a-f.]*:[0-9a-f:.]*)$`)
)

const tenYears = 3650 * daySeconds

type siteCase struct {
	Name      string   `json:"name"`
	Anchor    string   `json:"anchor"`
	Line      []string `json:"line"`
	Catalogue *string  `json:"catalogue"`
	Now       int64    `json:"now"`
	File      string   `json:"file"`
}

type sitePart struct {
	publisher, site, grant string
	signer                 publicKey
	trust                  []string
}

func readSiteFile(data []byte) (parts []sitePart, err error) {
	value, err := readJSON(data, siteFile)
	if err != nil {
		return nil, err
	}
	top := read(value, "file", &err)
	if v := top.between("v", 1, firstUnsafe-1); err == nil && v != 1 {
		return nil, refuse("licence/version", "a site file of a higher v")
	}
	if kind, _ := value["file"].(string); kind != "muster-site" {
		top.fail("file")
	}
	items := top.list("sites")
	if len(items) < 1 || len(items) > 16 {
		top.fail("sites")
	}
	seen := map[string]bool{}
	for _, item := range items {
		r := read(item, "part", &err)
		p := sitePart{
			publisher: r.text("publisher", publisherRE),
			site:      r.text("site", compactRE),
			grant:     r.text("grant", compactRE),
		}
		for _, step := range r.list("trust") {
			text, is := step.(string)
			if !is || !compactRE.MatchString(text) {
				r.fail("trust")
			}
			p.trust = append(p.trust, text)
		}
		if len(p.trust) > 16 || seen[p.publisher] {
			r.fail("trust or publisher")
		}
		if err != nil {
			return nil, err
		}
		if p.signer, err = readJWK(r.members["signer"]); err != nil {
			return nil, err
		}
		seen[p.publisher] = true
		parts = append(parts, p)
	}
	return parts, err
}

func readSite(c *compact) (iat, exp int64, aud string, hosts []string, err error) {
	top := read(c.payload, "site", &err)
	m := top.object("muster")
	top.text("iss", kidRE)
	iat, exp, aud = top.number("iat"), top.number("exp"), top.text("aud", publisherRE)
	items := m.list("hosts")
	if len(items) < 1 || len(items) > 16 {
		m.fail("hosts")
	}
	seen := map[string]bool{}
	for _, item := range items {
		r := read(item, "host", &err)
		name, port := r.text("host", siteHostRE), r.between("port", 1, 65535)
		r.between("priority", 0, 65535)
		r.between("weight", 0, 65535)
		tls, is := r.members["tls"].(bool)
		if strings.Contains(name, ":") {
			name = "[" + name + "]"
		}
		shown := fmt.Sprintf("%s:%d", name, port)
		if !is || seen[shown] || len(strings.Trim(name, "[]")) > 253 {
			r.fail("host")
		}
		seen[shown] = true
		if tls {
			shown += " tls"
		}
		hosts = append(hosts, shown)
	}
	suffixes := m.texts("suffixes", suffixRE, false)
	if len(suffixes) > 32 {
		m.fail("suffixes")
	}
	for _, suffix := range suffixes {
		if len(suffix) > 253 {
			m.fail("suffixes")
		}
	}
	certificates := m.texts("ca", anyText, false)
	if len(certificates) > 16 {
		m.fail("ca")
	}
	for _, text := range certificates {
		data, bad := base64.RawURLEncoding.Strict().DecodeString(text)
		if bad != nil || len(data) == 0 || len(data) > 4096 || base64.RawURLEncoding.EncodeToString(data) != text {
			m.fail("ca")
		}
	}
	return iat, exp, aud, hosts, err
}

// siteHosts walks to the trust, reads the file and judges the part of the publisher: its hosts, or
// the step that refuses.
func siteHosts(c siteCase) ([]string, int, error) {
	t, err := walk(c.Anchor, c.Line)
	if err != nil {
		return nil, -1, err
	}
	var cat *catalogue
	if c.Catalogue != nil {
		if cat, err = readCatalogue(*c.Catalogue, t); err != nil {
			return nil, -1, err
		}
	}
	parts, err := readSiteFile([]byte(c.File))
	if err != nil {
		return nil, 0, as("licence/malformed", err)
	}
	for _, p := range parts {
		if p.publisher == t.issuer {
			return judgeSite(p, t, cat, c.Now)
		}
	}
	return []string{}, 0, nil
}

func judgeSite(p sitePart, t *trust, cat *catalogue, now int64) ([]string, int, error) {
	for _, text := range p.trust {
		if next, err := t.follow(text); err == nil {
			t = next
		}
	}
	e := &evidence{world: world{trust: t, catalogue: cat}, signer: p.signer}
	var iat, exp int64
	var aud string
	var hosts []string
	steps := []struct {
		code  string
		check func() error
	}{
		{"malformed", func() (err error) {
			if e.main, err = readCompact(p.site, sitePlain); err == nil {
				e.grant, err = readCompact(p.grant, small)
			}
			return err
		}},
		{"header", func() error { return e.headers("muster-site+jwt") }},
		{"grant", func() error { return e.grantSigned("host") }},
		{"signer", e.hostSigned},
		{"claims", func() error {
			return e.claims(func() (err error) {
				iat, exp, aud, hosts, err = readSite(e.main)
				return err
			})
		}},
		{"audience", func() error {
			if aud != t.issuer {
				return errors.New("for another publisher")
			}
			return nil
		}},
		{"dates", func() error {
			if e.g.iat-daySeconds > iat || iat >= exp || exp > iat+tenYears || e.g.exp != nil && exp > *e.g.exp {
				return errors.New("dates outside those of the grant")
			}
			return nil
		}},
		{"expired", func() error {
			if _, is := cat.revoked(e.grant, product{}); is && t.maySign(cat.kid, "catalogue", cat.iat) {
				return refuse("licence/revoked", "revoked")
			}
			if now >= exp {
				return errors.New("ended")
			}
			return nil
		}},
	}
	for i, s := range steps {
		if err := s.check(); err != nil {
			return nil, i + 1, as("licence/"+s.code, err)
		}
	}
	return hosts, 0, nil
}
