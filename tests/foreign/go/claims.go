package main

// Typed reading of members: a reader that remembers the first thing that was wrong.

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
)

const (
	daySeconds = 86400
	dayZero    = 20454 // 2026-01-01 in days since 1970-01-01
	skew       = 4 * 3600
)

// hidden is what no name for people holds (2.5.1), and space what it does not begin or end with.
const (
	hidden = `\x{0}-\x{1f}\x{7f}-\x{9f}\x{ad}\x{600}-\x{605}\x{61c}\x{6dd}\x{70f}\x{890}-\x{891}\x{8e2}\x{180e}` +
		`\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{feff}\x{fff0}-\x{fffb}\x{110bd}\x{110cd}` +
		`\x{13430}-\x{1343f}\x{1bca0}-\x{1bca3}\x{1d173}-\x{1d17a}\x{2028}-\x{2029}\x{e000}-\x{f8ff}\x{fdd0}-\x{fdef}` +
		`\x{fffe}-\x{ffff}\x{1fffe}-\x{1ffff}\x{2fffe}-\x{2ffff}\x{3fffe}-\x{3ffff}\x{4fffe}-\x{4ffff}` +
		`\x{5fffe}-\x{5ffff}\x{6fffe}-\x{6ffff}\x{7fffe}-\x{7ffff}\x{8fffe}-\x{8ffff}\x{9fffe}-\x{9ffff}` +
		`\x{afffe}-\x{affff}\x{bfffe}-\x{bffff}\x{cfffe}-\x{cffff}\x{dfffe}-\x{10ffff}` +
		`\x{34f}\x{115f}-\x{1160}\x{17b4}-\x{17b5}\x{180b}-\x{180d}\x{180f}\x{2800}\x{3164}\x{fe00}-\x{fe0f}` +
		`\x{ffa0}\x{1d159}`
	space = `\x{20}\x{a0}\x{1680}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}`
	name  = `[^` + hidden + space + `](?:[^` + hidden + `]{0,198}[^` + hidden + space + `])?`
)

var (
	anyText     = regexp.MustCompile(`(?s)^.+$`)
	shownRE     = regexp.MustCompile(`^` + name + `$`)
	orEmpty     = regexp.MustCompile(`^(?:` + name + `)?$`)
	overRE      = regexp.MustCompile(`^(refuse|report)$`)
	publisherRE = regexp.MustCompile(`^[a-z2-7]{16}$`)
	labelRE     = regexp.MustCompile(`^[a-z0-9-]{1,20}$`)
	nameRE      = regexp.MustCompile(`^[a-z0-9.-]{1,64}$`)
	audienceRE  = regexp.MustCompile(`^[a-z2-7]{16}/[a-z0-9.-]{1,64}$`)
	uuidRE      = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	b64of16RE   = regexp.MustCompile(`^[A-Za-z0-9_-]{21}[AQgw]$`)
	kidRE       = regexp.MustCompile(`^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$`)
	bindingRE   = regexp.MustCompile(`^[0-9a-f]{25}$`)
	hardwareRE  = regexp.MustCompile(`^[0-9a-f]{12}$`)
	commitRE    = regexp.MustCompile(`^[a-z][0-9a-f]{16}$`)
	keyIDRE     = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,9})$`)
	codeRE      = regexp.MustCompile(`^[a-z0-9-]{1,32}/[a-z0-9-]{1,32}$`)
	modeRE      = regexp.MustCompile(`^(machine|device|node|explicit)$`)
	ruleRE      = regexp.MustCompile(`^(allowed|unsupported|refused)$`)
	termsRE     = regexp.MustCompile(`^(required|none)$`)
	channelRE   = regexp.MustCompile(`^(volume|evaluation|retail)$`)
	setupKeyRE  = regexp.MustCompile(`^([B-DF-HJKMP-RTV-Y2-46-9]{5}(-[B-DF-HJKMP-RTV-Y2-46-9]{5}){4})?$`)
	kindRE      = regexp.MustCompile(`^(host|mak|evaluation|retail)$`)
)

type reader struct {
	members object
	err     *error
}

func read(value any, name string, err *error) reader {
	members, is := value.(object)
	if !is && *err == nil {
		*err = fmt.Errorf("%s is not an object", name)
	}
	return reader{members, err}
}

func (r reader) fail(name string) {
	if *r.err == nil {
		*r.err = fmt.Errorf("%s is missing or of the wrong kind", name)
	}
}

func (r reader) has(name string) bool { _, is := r.members[name]; return is }

func (r reader) object(name string) reader { return read(r.members[name], name, r.err) }

func (r reader) text(name string, grammar *regexp.Regexp) string {
	text, is := r.members[name].(string)
	if !is || !grammar.MatchString(text) {
		r.fail(name)
	}
	return text
}

func (r reader) number(name string) int64 { return r.between(name, 0, firstUnsafe-1) }

func (r reader) between(name string, least, most int64) int64 {
	n, is := r.members[name].(int64)
	if !is || n < least || n > most {
		r.fail(name)
	}
	return n
}

// optional gives nil where the member is absent.
func (r reader) optional(name string) *int64 {
	if !r.has(name) {
		return nil
	}
	n := r.number(name)
	return &n
}

func (r reader) list(name string) []any {
	items, is := r.members[name].([]any)
	if !is {
		r.fail(name)
	}
	return items
}

// texts reads an array of distinct text; rising demands ascending order.
func (r reader) texts(name string, grammar *regexp.Regexp, rising bool) []string {
	out := []string{}
	seen := map[string]bool{}
	for _, item := range r.list(name) {
		text, is := item.(string)
		if !is || !grammar.MatchString(text) || seen[text] || (rising && len(out) > 0 && out[len(out)-1] > text) {
			r.fail(name)
			return nil
		}
		seen[text] = true
		out = append(out, text)
	}
	return out
}

func contains(sorted []string, text string) bool {
	i := sort.SearchStrings(sorted, text)
	return i < len(sorted) && sorted[i] == text
}

const alphabet = "BCDFGHJKMPQRTVWXY2346789"

// isSetupKey judges a product key in its printed form.
func isSetupKey(text string) bool {
	found, err := typedKey(text)
	return err == nil && strings.HasPrefix(found.(object)["key_id"].(string), "2-")
}

// checkHolds judges the check symbol of 25 symbols (1.4.3).
func checkHolds(symbols string) bool {
	octal, ternary := 0, 0
	power := 1 // of x in GF(8) modulo x^3 + x + 1, for the place counted from the check symbol
	for place := 0; place < len(symbols); place++ {
		value := strings.IndexByte(alphabet, symbols[len(symbols)-1-place])
		for bit := 0; bit < 3; bit++ {
			if value/3>>bit&1 == 1 {
				octal ^= timesX(power, bit)
			}
		}
		ternary += value % 3 << (place % 2) // 2^place modulo 3 is 1 or 2
		power = timesX(power, 1)
	}
	return octal == 0 && ternary%3 == 0
}

// setupKeyID gives the key id of a setup key in its printed form: kind, group and serial.
func setupKeyID(text string) string {
	symbols := strings.ReplaceAll(text, "-", "")
	number := func(from, to int) (n int) {
		for _, symbol := range []byte(symbols[from:to]) {
			n = n*24 + strings.IndexByte(alphabet, symbol)
		}
		return n
	}
	return fmt.Sprintf("2-%d-%d", number(0, 7)&1023, number(19, 24))
}

func timesX(value, times int) int {
	for ; times > 0; times-- {
		if value <<= 1; value&8 != 0 {
			value ^= 0b1011
		}
	}
	return value
}

func dayOf(instant int64) int64 {
	days := instant / daySeconds // JSON has no negative numbers here
	return days - dayZero
}
