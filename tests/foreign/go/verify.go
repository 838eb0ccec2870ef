package main

// The numbered steps of docs/spec (verification) for leases, activation grants and notices.

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

type expected struct {
	CMID        string   `json:"cmid"`
	Identity    string   `json:"identity"`
	Nonce       string   `json:"nonce"`
	Fingerprint []string `json:"fingerprint"`
	Binding     string   `json:"binding"`
	Now         int64    `json:"now"`
	ClockMark   int64    `json:"clock_mark"`
	Fresh       bool     `json:"fresh"`
}

type world struct {
	descriptor *descriptor
	trust      *trust
	catalogue  *catalogue
}

// evidence is one bundle in the course of its verification.
type evidence struct {
	world
	expected
	data   []byte
	main   *compact // lease or notice; nil for an activation grant
	grant  *compact
	signer publicKey
	l      leaseClaims
	g      grantClaims
}

// leaseClaims are those of a lease (all) or a notice (those that it shares).
type leaseClaims struct {
	iss, sub, aud, group, identity, nonce string
	iat, nbf, exp, count                  int64
	fingerprint                           []string
}

type grantClaims struct {
	iss, aud, kind, key, binding, jti string
	iat                               int64
	exp, maxLease                     *int64
	covers                            []string
}

type step struct {
	number int
	check  func(*evidence) error
}

var leaseSteps = []step{
	{1, func(e *evidence) error { return e.open("lease") }},
	{2, func(e *evidence) error { return e.headers("muster-lease+jwt") }},
	{3, func(e *evidence) error { return e.grantSigned("host") }},
	{4, (*evidence).hostSigned},
	{5, func(e *evidence) error { return e.claims(e.readLease) }},
	{6, func(e *evidence) error {
		if e.l.group != e.descriptor.product.group {
			return errors.New("not the product's own group")
		}
		return e.audience(e.l.aud)
	}},
	{7, func(e *evidence) error {
		if !holds(e.descriptor.product.modes, e.l.identity) {
			return errors.New("an identity mode that the product does not allow")
		}
		if e.l.identity != e.Identity {
			return errors.New("another identity mode")
		}
		return e.machine(e.l)
	}},
	{8, (*evidence).dates},
	{9, func(e *evidence) error { return e.clock(e.l.iat, e.Fresh) }},
	{10, func(e *evidence) error {
		if e.l.count < e.descriptor.product.need {
			return errors.New("count below need")
		}
		return nil
	}},
	{11, (*evidence).facts},
	{12, (*evidence).running},
}

var activationSteps = []step{
	{1, func(e *evidence) error { return e.open("") }},
	{2, func(e *evidence) error { return e.grant.headerRules() }},
	{3, func(e *evidence) error {
		if err := e.grantSigned("mak", "evaluation", "retail"); err != nil {
			return err
		}
		if _, is := e.catalogue.revoked(e.grant, e.descriptor.product); is {
			return refuse("licence/revoked", "revoked")
		}
		return nil
	}},
	{4, func(e *evidence) error { return joined(checkVersion(e.grant.payload), e.readGrant()) }},
	{5, func(e *evidence) error {
		for _, id := range e.descriptor.groups {
			if e.g.aud == e.trust.issuer+"/"+id {
				return e.covered()
			}
		}
		return errors.New("not for a key group of this product")
	}},
	{6, func(e *evidence) error {
		if e.g.binding != e.Binding {
			return errors.New("bound to another machine")
		}
		return nil
	}},
	{7, func(e *evidence) error {
		if e.g.exp == nil {
			return nil
		}
		now := latest(e.Now, e.ClockMark)
		if e.g.iat-daySeconds > now {
			return refuse("licence/clock", "the clock stands before the grant")
		}
		if now >= *e.g.exp {
			return errors.New("expired")
		}
		return nil
	}},
}

var noticeSteps = []step{
	{1, func(e *evidence) error { return e.open("notice") }},
	{2, func(e *evidence) error { return e.headers("muster-notice+jwt") }},
	{3, func(e *evidence) error { return e.grantSigned("host") }},
	{4, (*evidence).hostSigned},
	{5, func(e *evidence) error { return e.claims(e.readNotice) }},
	{6, func(e *evidence) error { return e.audience(e.l.aud) }},
	{7, func(e *evidence) error { return e.machine(e.l) }},
	{8, func(e *evidence) error { return e.clock(e.l.iat, true) }},
	{9, func(e *evidence) error {
		if e.g.exp != nil && e.l.iat > *e.g.exp {
			return errors.New("made after the grant ended")
		}
		return nil
	}},
}

// open is step 1: sizes, shape, strict reading of the bundle and of every object in it.
func (e *evidence) open(name string) error {
	value, err := readJSON(e.data, bundle)
	if err != nil {
		return err
	}
	r := read(value, "bundle", &err)
	if v := r.between("v", 1, firstUnsafe-1); err == nil && v != 1 {
		return refuse("licence/version", "bundle of a higher v")
	}
	grantText, mainText := r.text("grant", anyText), ""
	if name != "" {
		mainText = r.text(name, anyText)
	}
	if err != nil {
		return err
	}
	if e.grant, err = readCompact(grantText, small); err != nil || name == "" {
		return err
	}
	if e.main, err = readCompact(mainText, small); err != nil {
		return err
	}
	e.signer, err = readJWK(value["signer"])
	return err
}

func (e *evidence) headers(typ string) error {
	if err := joined(e.main.headerRules(), e.grant.headerRules()); err != nil {
		return err
	}
	if e.main.typ() != typ {
		return errors.New("typ is not " + typ)
	}
	return nil
}

func (e *evidence) grantSigned(kinds ...string) error {
	if e.grant.typ() != "muster-grant+jwt" {
		return errors.New("not a grant")
	}
	if err := e.trust.signer(e.grant, "grant"); err != nil {
		return err
	}
	if e.grant.payload["iss"] != e.trust.issuer {
		return errors.New("the grant of another publisher")
	}
	m, _ := e.grant.payload["muster"].(object)
	for _, kind := range kinds {
		if m["kind"] == kind {
			return nil
		}
	}
	return errors.New("a grant of the wrong kind")
}

var kindNumbers = map[string]int{"host": 0, "mak": 1, "evaluation": 3, "retail": 4}

// packKeyID packs "kind-group-serial" into the low 37 bits of 5 bytes.
func packKeyID(text string) ([]byte, error) {
	match := keyIDRE.FindStringSubmatch(text)
	if match == nil {
		return nil, errors.New("not a key id")
	}
	var n [3]uint64
	for i, widest := range []uint64{5, 1 << 10, 1 << 24} {
		n[i], _ = strconv.ParseUint(match[i+1], 10, 64)
		if n[i] >= widest {
			return nil, errors.New("key id out of range")
		}
	}
	return binary.BigEndian.AppendUint64(nil, n[0]<<34|n[1]<<24|n[2])[3:], nil
}

func hostBinding(publisher, keyID string, host publicKey) (string, error) {
	packed, err := packKeyID(keyID)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write([]byte("muster-host-v1" + publisher))
	h.Write(packed)
	h.Write(host)
	return hex.EncodeToString(h.Sum(nil))[:25], nil
}

func (e *evidence) hostSigned() error {
	m, _ := e.grant.payload["muster"].(object)
	key, _ := m["key"].(string)
	binding, err := hostBinding(e.trust.issuer, key, e.signer)
	if err != nil || m["binding"] != binding {
		return errors.New("the grant is bound to another host")
	}
	kid := e.signer.thumbprint()
	if e.main.kid() != kid || e.main.payload["iss"] != kid {
		return errors.New("kid, iss and signer differ")
	}
	if !e.main.signedBy(e.signer) {
		return errors.New("bad signature")
	}
	return nil
}

func checkVersion(payload object) (err error) {
	m := read(payload, "payload", &err).object("muster")
	if v := m.between("v", 1, firstUnsafe-1); err == nil && v != 1 {
		return refuse("licence/version", "a higher v: update this program")
	}
	return err
}

// claims judges both versions first, then all claims.
func (e *evidence) claims(readMain func() error) error {
	for _, payload := range []object{e.main.payload, e.grant.payload} {
		if err := checkVersion(payload); err != nil {
			return err
		}
	}
	return joined(readMain(), e.readGrant())
}

func (e *evidence) readGrant() (err error) {
	e.g, err = grantClaimsOf(e.grant)
	return err
}

// grantClaimsOf reads all claims of a grant but its v.
func grantClaimsOf(c *compact) (g grantClaims, err error) {
	r := read(c.payload, "grant", &err)
	m := r.object("muster")
	g = grantClaims{
		iss: r.text("iss", publisherRE), aud: r.text("aud", audienceRE), jti: r.text("jti", b64of16RE),
		iat: r.number("iat"), exp: r.optional("exp"),
		kind: m.text("kind", kindRE), key: m.text("key", keyIDRE), binding: m.text("binding", bindingRE),
		covers: m.texts("covers", nameRE, true),
	}
	if len(g.covers) == 0 {
		m.fail("covers")
	}
	if g.kind == "host" {
		m.text("hw", hardwareRE)
		maxLease := m.between("max_lease", 1, longest)
		g.maxLease = &maxLease
	} else if m.has("hw") || m.has("max_lease") {
		m.fail("hw and max_lease belong to hosts")
	}
	if g.kind == "evaluation" && g.exp == nil {
		r.fail("exp of an evaluation")
	}
	packed, bad := packKeyID(g.key)
	if err == nil && (bad != nil || int(packed[0]>>2) != kindNumbers[g.kind]) {
		m.fail("a key of the grant's kind")
	}
	if publisher, _, _ := strings.Cut(g.aud, "/"); publisher != g.iss {
		r.fail("aud of the same publisher")
	}
	return g, err
}

func (e *evidence) readLease() error {
	var err error
	r := read(e.main.payload, "lease", &err)
	m := r.object("muster")
	e.l = leaseClaims{
		iss: r.text("iss", kidRE), sub: r.text("sub", uuidRE), aud: r.text("aud", audienceRE),
		iat: r.number("iat"), nbf: r.number("nbf"), exp: r.number("exp"),
		group: m.text("group", nameRE), identity: m.text("identity", modeRE), nonce: m.text("nonce", b64of16RE),
		count: m.number("count"), fingerprint: m.texts("fingerprint", commitRE, true),
	}
	r.text("jti", b64of16RE)
	for _, name := range []string{"renew_after", "retry_after"} {
		m.between(name, 1, longest)
	}
	for _, name := range []string{"need", "catalogue", "trust"} {
		m.number(name)
	}
	return err
}

func (e *evidence) readNotice() error {
	var err error
	r := read(e.main.payload, "notice", &err)
	m := r.object("muster")
	e.l = leaseClaims{
		iss: r.text("iss", kidRE), sub: r.text("sub", uuidRE), aud: r.text("aud", audienceRE),
		iat: r.number("iat"), nonce: m.text("nonce", b64of16RE),
	}
	r.text("jti", b64of16RE)
	m.text("code", codeRE)
	return err
}

func (e *evidence) covered() error {
	if !holds(e.g.covers, e.descriptor.product.group) {
		return errors.New("the grant does not cover the product's group")
	}
	return nil
}

func (e *evidence) audience(aud string) error {
	if aud != e.trust.issuer+"/"+e.descriptor.product.id {
		return errors.New("for another product")
	}
	return e.covered()
}

func (e *evidence) machine(c leaseClaims) error {
	if c.sub != e.CMID || c.nonce != e.Nonce {
		return errors.New("of another machine")
	}
	return nil
}

func (e *evidence) dates() error {
	switch l, g := e.l, e.g; {
	case l.nbf != l.iat:
		return errors.New("nbf is not iat")
	case l.iat < g.iat-daySeconds:
		return errors.New("older than its grant")
	case l.exp-l.iat > *g.maxLease:
		return errors.New("longer than the key group allows")
	case g.exp != nil && l.exp > *g.exp:
		return errors.New("ends after its grant")
	}
	return nil
}

func (e *evidence) clock(iat int64, fresh bool) error {
	if iat > e.Now+skew || fresh && iat < e.Now-skew {
		return fmt.Errorf("made %d seconds from the local clock", iat-e.Now)
	}
	if e.Now < e.ClockMark-skew {
		return errors.New("the local clock stands behind its mark")
	}
	return nil
}

func (e *evidence) facts() error {
	if len(e.l.fingerprint) == 0 && e.Identity == "explicit" {
		return nil
	}
	if !oneMachine(e.l.fingerprint, e.Fingerprint) {
		return errors.New("another machine")
	}
	return nil
}

// oneMachine is section 1.6.3.
func oneMachine(stored, now []string) bool {
	verdict := map[string]bool{} // by letter: agrees
	for _, there := range stored {
		for _, here := range now {
			if letter := there[:1]; letter == here[:1] {
				verdict[letter] = verdict[letter] || there == here
			}
		}
	}
	if agrees, both := verdict["u"]; both && !agrees {
		return false
	}
	b, hasB := verdict["b"]
	p, hasP := verdict["p"]
	if hasB && hasP { // one voice
		delete(verdict, "b")
		verdict["p"] = b || p
	}
	agree := 0
	for _, agrees := range verdict {
		if agrees {
			agree++
		}
	}
	return agree > 0 && 2*agree >= len(verdict)
}

func (e *evidence) running() error {
	end := e.l.exp
	if at, is := e.catalogue.revoked(e.grant, e.descriptor.product); is {
		if e.l.iat > (dayZero+at)*daySeconds {
			return refuse("licence/revoked", "leased after the host's grant was revoked")
		}
		if cut := (dayZero + at + 30) * daySeconds; cut < end {
			end = cut
		}
	}
	if latest(e.Now, e.ClockMark) >= end {
		if end < e.l.exp {
			return refuse("licence/revoked", "ended by a revocation")
		}
		return errors.New("expired")
	}
	return nil
}

// codes are what a step refuses with unless it says otherwise.
var codes = map[string]string{
	"lease":      "malformed header grant signer claims audience machine dates clock count fingerprint expired",
	"activation": "malformed header grant claims audience machine expired",
	"notice":     "malformed header grant signer claims audience machine clock dates",
}

// verify gives the number of the step that refuses, or 0.
func verify(w world, kind string, want expected, data []byte) (int, error) {
	steps := map[string][]step{"lease": leaseSteps, "activation": activationSteps, "notice": noticeSteps}[kind]
	e := &evidence{world: w, expected: want, data: data}
	for _, s := range steps {
		if err := s.check(e); err != nil {
			return s.number, as("licence/"+strings.Fields(codes[kind])[s.number-1], err)
		}
	}
	return 0, nil
}
