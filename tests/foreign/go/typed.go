package main

// What people type: digit groups, IDs and product keys (1.4.4, 1.9 to 1.11).

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"unicode/utf8"
)

type typedCase struct {
	Name     string          `json:"name"`
	Kind     string          `json:"kind"`
	Text     string          `json:"text"`
	Expected []int           `json:"expected"`
	Value    json.RawMessage `json:"value"`
}

// passedOver is the table of 1.4.4.
var passedOver = regexp.MustCompile(`[\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}-\x{2029}` +
	`\x{202f}\x{205f}\x{3000}\x{21}-\x{24}\x{27}-\x{2f}\x{3a}-\x{3c}\x{3e}-\x{40}\x{5b}\x{5d}-\x{60}\x{7b}-\x{7e}` +
	`\x{a6}\x{ab}\x{af}\x{b4}\x{b7}\x{bb}\x{58a}\x{5be}\x{60c}\x{61b}\x{66b}-\x{66c}\x{6d4}\x{1806}\x{2010}-\x{2027}` +
	`\x{2030}-\x{205e}\x{2212}\x{2500}-\x{257f}\x{25a0}-\x{25ff}\x{2e3a}-\x{2e3b}\x{3001}-\x{3003}\x{3008}-\x{301f}` +
	`\x{30fb}\x{fe10}-\x{fe19}\x{fe30}-\x{fe6b}\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff20}\x{ff3b}-\x{ff40}\x{ff5b}-\x{ff65}` +
	`\x{fffd}\x{ad}\x{34f}\x{61c}\x{180b}-\x{180e}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}` +
	`\x{fe00}-\x{fe0f}\x{feff}]`)

func passed(r rune) bool { return passedOver.MatchString(string(r)) }

func endsLine(r rune) bool {
	return r >= 0xa && r <= 0xd || r == 0x85 || r == 0x2028 || r == 0x2029
}

// groupError is a refusal that names a group, counted from 1.
type groupError struct {
	error
	group int
}

func (g groupError) Unwrap() error { return g.error }

func atGroup(code string, place int) error {
	return groupError{refuse(code, fmt.Sprintf("group %d", place+1)), place + 1}
}

// typedDigits is 1.9.3: the digits of a text in groups of six.
func typedDigits(text string, expected []int) ([]string, error) {
	runes := []rune(text)
	if len(runes) > 4000 {
		return nil, refuse("digits/length", "far too long")
	}
	digits := strings.Builder{}
	fresh := true // nothing but what is passed over in this line so far
	for i, r := range runes {
		if passed(r) {
			fresh = fresh || endsLine(r)
			continue
		}
		letter := fresh && (r >= 'A' && r <= 'I' || r >= 'a' && r <= 'i') && i+1 < len(runes) && passed(runes[i+1])
		fresh = false
		if letter && digits.Len()%24 == 0 && int(r|0x20)-'a' == digits.Len()/24 {
			continue
		}
		if letter && rowBegins(int(r|0x20)-'a', runes[i+1:], digits.Len()%24) {
			groups := sixes(digits.String())
			return nil, atGroup("digits/group", firstWrong(groups, len(groups)))
		}
		if r < '0' || r > '9' {
			return nil, atGroup("digits/symbol", digits.Len()/6)
		}
		digits.WriteRune(r)
	}
	all := digits.String()
	groups := sixes(all)
	wrong := firstWrong(groups, -1)
	if wrong >= largest(expected) {
		wrong = -1
	}
	if len(all)%6 == 0 && holds(expected, len(groups)) {
		if wrong >= 0 {
			return nil, atGroup("digits/group", wrong)
		}
		return groups, nil
	}
	if wrong >= 0 {
		for further := 1; further <= 3; further++ {
			if rightAt(groups[wrong], wrong+further) {
				return nil, atGroup("digits/group", wrong)
			}
		}
		rest := groups[wrong+1:]
		early := len(rest) > 0
		for i, group := range rest {
			early = early && rightAt(group, wrong+i)
		}
		if early {
			return nil, atGroup("digits/group", wrong)
		}
	}
	return nil, refuse("digits/length", fmt.Sprintf("%d digits", len(all)))
}

func sixes(digits string) []string {
	groups := []string{}
	for at := 0; at+6 <= len(digits); at += 6 {
		groups = append(groups, digits[at:at+6])
	}
	return groups
}

// firstWrong is the place of the first group that is not right at its place, or none where all are.
func firstWrong(groups []string, none int) int {
	for place, group := range groups {
		if !rightAt(group, place) {
			return place
		}
	}
	return none
}

// rowBegins says whether a row that is not due begins with its letter, after so many digits of another.
func rowBegins(row int, behind []rune, inside int) bool {
	group := ""
	for _, r := range behind {
		if passed(r) {
			continue
		}
		if r < '0' || r > '9' {
			return false
		}
		group += string(r)
		if inside > 0 {
			return true
		}
		if len(group) == 6 {
			return rightAt(group, row*4)
		}
	}
	return false
}

func rightAt(group string, place int) bool {
	interim := byte('0' + place%10)
	for i := 0; i < 6; i++ {
		interim = damm[interim-'0'][group[i]-'0']
	}
	return interim == '0'
}

func numberOf(groups []string) *big.Int {
	all := strings.Builder{}
	for _, group := range groups {
		all.WriteString(group[:5])
	}
	n, _ := new(big.Int).SetString(all.String(), 10)
	return n
}

// bits takes the low bits of a number off it.
func bits(n *big.Int, width uint) *big.Int {
	low := new(big.Int).And(n, new(big.Int).Sub(new(big.Int).Lsh(one, width), one))
	n.Rsh(n, width)
	return low
}

func typedConfirmation(text string) (any, error) {
	groups, err := typedDigits(text, []int{33})
	if err != nil {
		return nil, err
	}
	n := numberOf(groups)
	if n.BitLen() > 541 {
		return nil, refuse("id/range", "too large")
	}
	s, r := bits(n, 253), bits(n, 256)
	term, day, index := bits(n, 6).Int64(), bits(n, 16).Int64(), bits(n, 8).Int64()
	if n.Sign() != 0 {
		return nil, refuse("id/version", "another version")
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	reverse(signature[32:])
	return object{"index": index, "day": day, "term": term, "signature": hex.EncodeToString(signature)}, nil
}

func typedInstallation(text string) (any, error) {
	groups, err := typedDigits(text, []int{12, 15})
	if err != nil {
		return nil, err
	}
	n, host := numberOf(groups), len(groups) == 15
	most := 196
	if host {
		most = 244
	}
	if n.BitLen() > most {
		return nil, refuse("id/range", "too large")
	}
	found := object{"proof": bits(n, 48).Int64(), "hw": nil}
	if host {
		found["hw"] = fmt.Sprintf("%012x", bits(n, 48))
	}
	found["binding"] = fmt.Sprintf("%025x", bits(n, 100))
	serial, group, kind := bits(n, 24), bits(n, 10), bits(n, 3)
	found["residue"] = bits(n, 8).Int64()
	switch {
	case n.Sign() != 0:
		return nil, refuse("id/version", "another version")
	case kind.Int64() > 4:
		return nil, refuse("key/kind", "a reserved kind")
	case host != (kind.Sign() == 0):
		return nil, refuse("id/shape", "hosts and only hosts have a hardware id")
	}
	found["key_id"] = fmt.Sprintf("%d-%d-%d", kind, group, serial)
	return found, nil
}

func typedKey(text string) (any, error) {
	if utf8.RuneCountInString(text) > 1000 {
		return nil, refuse("key/length", "far too long")
	}
	symbols := []byte{}
	for _, r := range text {
		if passed(r) {
			continue
		}
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		if r > 'z' || strings.IndexByte(alphabet, byte(r)) < 0 {
			return nil, atGroup("key/symbol", len(symbols)/5)
		}
		symbols = append(symbols, byte(r))
	}
	if len(symbols) != 25 {
		return nil, refuse("key/length", fmt.Sprintf("%d symbols", len(symbols)))
	}
	if !checkHolds(string(symbols)) {
		return nil, refuse("key/check", "the check symbol")
	}
	number := func(part []byte) *big.Int {
		n := new(big.Int)
		for _, symbol := range part {
			n.Mul(n, big.NewInt(24)).Add(n, big.NewInt(int64(strings.IndexByte(alphabet, symbol))))
		}
		return n
	}
	head, tag, serial := number(symbols[:7]), number(symbols[7:19]), number(symbols[19:24])
	if head.BitLen() > 31 || tag.BitLen() > 55 {
		return nil, refuse("key/range", "too large")
	}
	group := bits(head, 10)
	bits(head, 16)
	kind := bits(head, 3)
	switch {
	case head.Sign() != 0:
		return nil, refuse("key/version", "another version")
	case kind.Int64() > 4:
		return nil, refuse("key/kind", "a reserved kind")
	}
	printed := []string{}
	for at := 0; at < 25; at += 5 {
		printed = append(printed, string(symbols[at:at+5]))
	}
	return object{"text": strings.Join(printed, "-"), "key_id": fmt.Sprintf("%d-%d-%d", kind, group, serial)}, nil
}

// typed reads one case and compares what it says with the value of the vector.
func typed(c typedCase) error {
	var found any
	var err error
	switch c.Kind {
	case "groups":
		var groups []string
		groups, err = typedDigits(c.Text, c.Expected)
		found = strings.Join(groups, "-")
	case "confirmation":
		found, err = typedConfirmation(c.Text)
	case "installation":
		found, err = typedInstallation(c.Text)
	case "product-key":
		found, err = typedKey(c.Text)
	default:
		err = refuse("unknown", "an unknown kind")
	}
	if err != nil {
		return err
	}
	got, _ := json.Marshal(found)
	var want any
	if err := json.Unmarshal(c.Value, &want); err != nil {
		return err
	}
	sorted, _ := json.Marshal(want)
	if string(got) != string(sorted) {
		return refuse("differs", string(got))
	}
	return nil
}
