package main

// Trust objects, the walk from the anchor, the product descriptor and the catalogue.

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
)

type trustKey struct {
	key   publicKey
	role  string
	index int64
	until *int64 // a day: what it signed up to that day stays good; nil: in use
}

type trust struct {
	object  *compact
	issuer  string
	label   string
	version int64
	roots   [2]publicKey
	keys    map[string]trustKey // by thumbprint
}

func publisherID(root publicKey) string {
	sum := sha256.Sum256(append([]byte("muster-publisher-v1"), root...))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:16]
}

// readTrust reads claims and laws; who signed is asked elsewhere.
func readTrust(c *compact) (t *trust, err error) {
	defer func() { err = as("trust/claims", err) }()
	top := read(c.payload, "payload", &err)
	m := top.object("muster")
	if v := m.between("v", 1, firstUnsafe-1); err == nil && v != 1 {
		return nil, refuse("licence/version", "trust of a higher v")
	}
	t = &trust{object: c, keys: map[string]trustKey{}}
	t.issuer = top.text("iss", publisherRE)
	top.number("iat")
	t.version = m.number("version")
	t.label = m.text("label", labelRE)
	m.text("name", shownRE)
	roots := m.list("roots")
	if err != nil || len(roots) != 2 || t.version < 1 {
		return nil, fmt.Errorf("trust claims: %v", err)
	}
	for i, root := range roots {
		if t.roots[i], err = readJWK(root); err != nil {
			return nil, err
		}
	}
	if string(t.roots[0]) == string(t.roots[1]) {
		return nil, errors.New("working and reserve root are one key")
	}
	indices := map[int64]bool{}
	for _, item := range m.list("keys") {
		r := read(item, "key", &err)
		k := trustKey{role: r.text("role", nameRE), until: r.optional("until"), index: -1}
		if k.until != nil {
			r.between("until", 0, lastDay)
		}
		if err != nil {
			return nil, err
		}
		if k.key, err = readJWK(r.members["jwk"]); err != nil {
			return nil, err
		}
		kid := k.key.thumbprint()
		if _, twice := t.keys[kid]; twice || kid == t.roots[0].thumbprint() || kid == t.roots[1].thumbprint() {
			return nil, errors.New("one key, one role; no root is a working key")
		}
		if k.role == "grant" {
			if k.index = r.between("index", 0, 255); err != nil || indices[k.index] {
				return nil, errors.New("a grant key has an index of its own, 0 to 255")
			}
			indices[k.index] = true
		} else if r.has("index") {
			return nil, errors.New("only grant keys have an index")
		}
		t.keys[kid] = k
	}
	return t, err
}

// anchorTrust takes a trust object that a caller already trusts. Version 1 names its publisher.
func anchorTrust(text string) (*trust, error) {
	c, err := readObject(text, trustLimit, "muster-trust+jwt")
	if err != nil {
		return nil, err
	}
	t, err := readTrust(c)
	if err != nil {
		return nil, err
	}
	roots := t.roots[:]
	if t.version == 1 {
		roots = roots[:1]
	}
	if _, err := c.signedByRoot(roots); err != nil {
		return nil, err
	}
	if t.version == 1 && t.issuer != publisherID(t.roots[0]) {
		return nil, refuse("trust/publisher", "iss is not of its first root")
	}
	return t, nil
}

// signedByRoot gives the place of the root that signed.
func (c *compact) signedByRoot(roots []publicKey) (int, error) {
	for i, root := range roots {
		if c.kid() == root.thumbprint() {
			if !c.signedBy(root) {
				return 0, refuse("trust/signature", "bad signature")
			}
			return i, nil
		}
	}
	return 0, refuse("trust/root", "not signed by a root")
}

// follow takes one step up.
func (t *trust) follow(text string) (*trust, error) {
	c, err := readObject(text, trustLimit, "muster-trust+jwt")
	if err != nil {
		return nil, err
	}
	root, err := c.signedByRoot(t.roots[:])
	if err != nil {
		return nil, err
	}
	next, err := readTrust(c)
	if err != nil {
		return nil, err
	}
	working := root == 0
	switch {
	case next.issuer != t.issuer || next.label != t.label:
		return nil, refuse("trust/publisher", "iss and label never change")
	case working && next.version != t.version+1:
		return nil, refuse("trust/step", "the working root signs the next version only")
	case next.version <= t.version:
		return nil, refuse("trust/step", "not a higher version")
	case working && (string(next.roots[0]) != string(t.roots[0]) || string(next.roots[1]) != string(t.roots[1])):
		return nil, refuse("trust/roots", "only the reserve root changes roots")
	}
	return next, nil
}

// walk follows a line from its anchor, at most 64 steps; the version held may stand in the line.
func walk(anchor string, line []string) (*trust, error) {
	t, err := anchorTrust(anchor)
	for steps := 0; err == nil && len(line) > 0 && steps < 64; line = line[1:] {
		if line[0] != t.object.text {
			t, err = t.follow(line[0])
			steps++
		}
	}
	return t, err
}

// signer finds the key of a role that may have signed at an instant, and checks the signature.
func (t *trust) signer(c *compact, role string) error {
	iat, is := c.payload["iat"].(int64)
	if !is || !t.maySign(c.kid(), role, iat) {
		return fmt.Errorf("kid is no %s key of this trust that signs on this day", role)
	}
	key := t.keys[c.kid()]
	if !c.signedBy(key.key) {
		return errors.New("bad signature")
	}
	return nil
}

// maySign says whether a kid has a role and signs on the day of an instant.
func (t *trust) maySign(kid, role string, iat int64) bool {
	key, known := t.keys[kid]
	return known && key.role == role && (key.until == nil || dayOf(iat) <= *key.until)
}

type product struct {
	id, group string
	setup     string // the printed setup key, or empty
	need      int64
	modes     []string
}

type descriptor struct {
	trust   *trust
	product product
	groups  []string
}

const (
	lastDay = 1<<16 - 1
	longest = 1<<31 - 1
)

func readProduct(r reader) product {
	r.text("name", shownRE)
	r.text("edition", orEmpty)
	r.text("application", nameRE)
	r.text("channel", channelRE)
	key := r.text("setup_key", setupKeyRE)
	if *r.err == nil && key != "" && !isSetupKey(key) {
		r.fail("setup_key")
	}
	modes := r.texts("identity", modeRE, false)
	if len(modes) == 0 {
		r.fail("identity")
	}
	if len(r.texts("features", nameRE, false)) > 256 {
		r.fail("features")
	}
	spans := r.object("spans")
	for name, least := range map[string]int64{
		"lease": 1, "renew_after": 1, "retry_after": 1, "initial_grace": 0, "tolerance_grace": 0,
	} {
		spans.between(name, least, longest)
	}
	return product{r.text("id", nameRE), r.text("group", nameRE), key, r.between("need", 1, longest), modes}
}

func readGroup(r reader) string {
	id := r.text("id", nameRE)
	r.between("number", 0, 1023)
	if covers := r.texts("covers", nameRE, true); len(covers) > 16 || !contains(covers, id) {
		r.fail("covers")
	}
	r.between("max_lease", 1, longest)
	r.text("terms", termsRE)
	return id
}

func readDescriptor(text string) (*descriptor, error) {
	value, err := readJSON([]byte(text), descLimit)
	if err != nil {
		return nil, err
	}
	r := read(value, "descriptor", &err)
	if r.number("v") != 1 {
		return nil, errors.New("descriptor of a higher v")
	}
	d := &descriptor{product: readProduct(r.object("product"))}
	for _, item := range r.list("groups") {
		d.groups = append(d.groups, readGroup(read(item, "group", &err)))
	}
	anchor := r.text("trust", anyText)
	if err != nil {
		return nil, err
	}
	d.trust, err = anchorTrust(anchor)
	return d, err
}

type catalogue struct {
	version     int64
	revocations map[string]int64 // "jti x" or "key x" to the day
	kid         string
	iat         int64
}

func readCatalogue(text string, t *trust) (cat *catalogue, err error) {
	c, err := readObject(text, catLimit, "muster-catalogue+jwt")
	if err != nil {
		return nil, err
	}
	if err = t.signer(c, "catalogue"); err != nil {
		return nil, as("catalogue/signer", err)
	}
	defer func() { err = as("catalogue/claims", err) }()
	top := read(c.payload, "payload", &err)
	m := top.object("muster")
	if v := m.between("v", 1, firstUnsafe-1); err == nil && v != 1 {
		return nil, refuse("licence/version", "catalogue of a higher v")
	}
	if issuer := top.text("iss", publisherRE); err == nil && issuer != t.issuer {
		return nil, refuse("catalogue/publisher", "catalogue of another publisher")
	}
	cat = &catalogue{m.between("version", 1, firstUnsafe-1), map[string]int64{}, c.kid(), top.number("iat")}
	seen := map[string]bool{}
	once := func(what string, value any) {
		key := fmt.Sprint(what, " ", value)
		if seen[key] {
			m.fail(key + " twice")
		}
		seen[key] = true
	}
	for _, item := range m.list("groups") {
		r := read(item, "group", &err)
		once("group", readGroup(r))
		once("number", r.number("number"))
	}
	for _, item := range m.list("applications") {
		r := read(item, "application", &err)
		once("application", r.text("id", nameRE))
		r.text("name", shownRE)
	}
	for _, item := range m.list("products") {
		r := read(item, "product", &err)
		p := readProduct(r)
		once("product", p.id)
		if *r.err == nil && p.setup != "" {
			once("setup key", setupKeyID(p.setup))
		}
		if !seen["group "+p.group] || !seen["application "+r.text("application", nameRE)] {
			r.fail("group or application")
		}
	}
	for _, item := range m.list("conversions") {
		r := read(item, "conversion", &err)
		r.text("source", nameRE)
		r.text("target", nameRE)
		r.text("rule", ruleRE)
		r.text("way", orEmpty)
		if r.has("until") {
			r.number("until")
		}
	}
	for _, item := range m.list("revocations") {
		r := read(item, "revocation", &err)
		what := ""
		if r.has("jti") {
			what = "jti " + r.text("jti", b64of16RE)
		} else {
			key := r.text("key", keyIDRE)
			if _, bad := packKeyID(key); bad != nil {
				r.fail("key")
			}
			what = "key " + key
		}
		if r.has("jti") && r.has("key") {
			r.fail("exactly one of jti and key")
		}
		at := r.between("at", 0, lastDay)
		if old, twice := cat.revocations[what]; !twice || at < old {
			cat.revocations[what] = at
		}
	}
	return cat, err
}

// revoked gives the first day from which a grant or the product that it is for is revoked.
func (c *catalogue) revoked(grant *compact, p product) (int64, bool) {
	if c == nil {
		return 0, false
	}
	m, _ := grant.payload["muster"].(object)
	day, found := int64(0), false
	names := []string{fmt.Sprint("jti ", grant.payload["jti"]), fmt.Sprint("key ", m["key"])}
	if p.setup != "" {
		names = append(names, "key "+setupKeyID(p.setup))
	}
	for _, what := range names {
		if at, is := c.revocations[what]; is && (!found || at < day) {
			day, found = at, true
		}
	}
	return day, found
}
