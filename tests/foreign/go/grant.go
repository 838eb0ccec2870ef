package main

// The grant function: rebuild the signing input from fields, and the grant from digits.

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

type grantCase struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	Publisher string   `json:"publisher"`
	KeyID     string   `json:"key_id"`
	Binding   string   `json:"binding"`
	Hardware  *string  `json:"hw"`
	Term      int64    `json:"term"`
	Day       int64    `json:"day"`
	KeyIndex  int64    `json:"key_index"`
	Group     group    `json:"group"`
	Key       object   `json:"key"`
	Input     string   `json:"signing_input"`
	Grant     string   `json:"grant"`
	Digits    []string `json:"confirmation"`
}

type group struct {
	ID       string   `json:"id"`
	Covers   []string `json:"covers"`
	MaxLease int64    `json:"max_lease"`
}

func grantInput(c grantCase, kid string) string {
	sum := sha256.Sum256([]byte("muster-jti-v1/" + c.Publisher + "/" + c.KeyID + "/" + c.Binding))
	muster := object{"v": 1, "kind": c.Kind, "key": c.KeyID, "binding": c.Binding, "covers": c.Group.Covers}
	if c.Kind == "host" {
		muster["hw"], muster["max_lease"] = c.Hardware, c.Group.MaxLease
	}
	iat := (dayZero + c.Day) * daySeconds
	payload := object{
		"aud": c.Publisher + "/" + c.Group.ID, "iat": iat, "iss": c.Publisher,
		"jti": base64.RawURLEncoding.EncodeToString(sum[:16]), "muster": muster,
	}
	if c.Term > 0 {
		payload["exp"] = iat + c.Term*30*daySeconds
	}
	// encoding/json sorts members and puts no spaces; over printable ASCII without <, >, & that is JCS.
	part := func(value any) string {
		text, _ := json.Marshal(value)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(object{"alg": "EdDSA", "kid": kid, "typ": "muster-grant+jwt"}) + "." + part(payload)
}

type confirmationCase struct {
	Name     string   `json:"name"`
	Anchor   string   `json:"anchor"`
	Line     []string `json:"line"`
	KeyID    string   `json:"key_id"`
	Binding  string   `json:"binding"`
	Hardware *string  `json:"hw"`
	Group    group    `json:"group"`
	Text     string   `json:"text"`
	Grant    string   `json:"grant"`
}

// confirm is 4.4: from digits to a grant, under the trust at the end of a line.
func confirm(c confirmationCase) error {
	t, err := walk(c.Anchor, c.Line)
	if err != nil {
		return err
	}
	found, err := typedConfirmation(c.Text)
	if err != nil {
		return err
	}
	fields := found.(object)
	index, day, term := fields["index"].(int64), fields["day"].(int64), fields["term"].(int64)
	var key publicKey
	for _, k := range t.keys {
		if k.role == "grant" && k.index == index && (k.until == nil || day <= *k.until) {
			key = k.key
		}
	}
	if key == nil {
		return refuse("confirmation/key", "no such grant key on that day")
	}
	kinds := map[byte]string{'0': "host", '1': "mak", '3': "evaluation", '4': "retail"}
	input := grantInput(grantCase{
		Kind: kinds[c.KeyID[0]], Publisher: t.issuer, KeyID: c.KeyID, Binding: c.Binding, Hardware: c.Hardware,
		Term: term, Day: day, Group: c.Group,
	}, key.thumbprint())
	signature, _ := hex.DecodeString(fields["signature"].(string))
	text := input + "." + base64.RawURLEncoding.EncodeToString(signature)
	grant, err := readCompact(text, small)
	if err != nil {
		return err
	}
	if !grant.signedBy(key) || kinds[c.KeyID[0]] == "evaluation" && term == 0 {
		return refuse("confirmation/signature", "not signed for this machine and key")
	}
	if text != c.Grant {
		return refuse("differs", "another grant")
	}
	return nil
}

// damm is the published totally anti-symmetric quasigroup of order 10.
var damm = [10]string{
	"0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
	"3674209581", "5869720134", "8945362017", "9438617205", "2581436790",
}

// readDigits checks each group's own digit and joins the others to one number.
func readDigits(groups []string, want int) (*big.Int, error) {
	if len(groups) != want {
		return nil, fmt.Errorf("%d groups, not %d", len(groups), want)
	}
	all := strings.Builder{}
	for place, group := range groups {
		if len(group) != 6 || strings.Trim(group, "0123456789") != "" {
			return nil, fmt.Errorf("group %d has not six digits", place+1)
		}
		interim := byte('0' + place%10)
		for i := 0; i < 5; i++ {
			interim = damm[interim-'0'][group[i]-'0']
		}
		if interim != group[5] {
			return nil, fmt.Errorf("group %d is mistyped", place+1)
		}
		all.WriteString(group[:5])
	}
	n, _ := new(big.Int).SetString(all.String(), 10)
	return n, nil
}

// rebuild checks one case: G from the fields, and the same grant from the confirmation digits.
func rebuild(c grantCase) error {
	key, err := readJWK(c.Key)
	if err != nil {
		return err
	}
	input := grantInput(c, key.thumbprint())
	if input != c.Input {
		return errors.New("G differs")
	}
	rest, err := readDigits(c.Digits, 33)
	if err != nil {
		return err
	}
	take := func(bits uint) *big.Int {
		low := new(big.Int).And(rest, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(1)))
		rest.Rsh(rest, bits)
		return low
	}
	s, r := take(253), take(256)
	term, day, index, version := take(6).Int64(), take(16).Int64(), take(8).Int64(), take(2).Int64()
	if rest.Sign() != 0 || version != 0 || term != c.Term || day != c.Day || index != c.KeyIndex {
		return errors.New("the digits tell other fields")
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	reverse(signature[32:])
	text := input + "." + base64.RawURLEncoding.EncodeToString(signature)
	if text != c.Grant {
		return errors.New("the rebuilt grant differs")
	}
	grant, err := readCompact(text, small)
	if err != nil {
		return err
	}
	if err := grant.headerRules(); err != nil {
		return err
	}
	if !grant.signedBy(key) {
		return errors.New("bad signature")
	}
	return nil
}
