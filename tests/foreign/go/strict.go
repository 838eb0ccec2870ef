package main

// The strict readers that stand in front of the JOSE library: JSON and base64url.
// Written from docs/spec (signed objects), not from the Python code.

import (
	"encoding/base64"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// limits bounds one JSON text: its bytes, its levels (level 1 is the top object), the members of
// all its objects together, and the items of each array.
type limits struct{ bytes, levels, members, items int }

var (
	small      = limits{8 << 10, 4, 64, 16}
	bundle     = limits{16 << 10, 4, 64, 16}
	trustLimit = limits{32 << 10, 6, 512, 256}
	descLimit  = limits{64 << 10, 6, 4096, 1024}
	catLimit   = limits{4 << 20, 8, 1 << 18, 1 << 16}
)

const firstUnsafe = 1 << 53

type object = map[string]any

type scanner struct {
	data    []byte
	at      int
	members int
	limits
}

// readJSON reads exactly one JSON object: UTF-8, no duplicate names, no lone surrogates, numbers
// only as integers 0 to 2^53-1.
func readJSON(data []byte, lim limits) (object, error) {
	if len(data) > lim.bytes {
		return nil, fmt.Errorf("%d bytes are more than %d", len(data), lim.bytes)
	}
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	s := &scanner{data: data, limits: lim}
	s.space()
	if s.peek() != '{' {
		return nil, errors.New("not an object")
	}
	value, err := s.value(1)
	if err != nil {
		return nil, err
	}
	s.space()
	if s.at != len(data) {
		return nil, errors.New("something follows the object")
	}
	return value.(object), nil
}

func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) eat(c byte) bool {
	s.space()
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) bad(what string) error { return fmt.Errorf("%s at byte %d", what, s.at) }

func (s *scanner) value(level int) (any, error) {
	s.space()
	switch c := s.peek(); {
	case c == '{':
		return s.object(level)
	case c == '[':
		return s.array(level)
	case c == '"':
		return s.text()
	case c >= '0' && c <= '9':
		return s.integer()
	}
	for word, value := range map[string]any{"true": true, "false": false, "null": nil} {
		if end := s.at + len(word); end <= len(s.data) && string(s.data[s.at:end]) == word {
			s.at = end
			return value, nil
		}
	}
	return nil, s.bad("no value")
}

func (s *scanner) object(level int) (any, error) {
	if level > s.levels {
		return nil, s.bad("too deep")
	}
	s.at++
	members := object{}
	if s.eat('}') {
		return members, nil
	}
	for {
		s.space()
		if s.peek() != '"' {
			return nil, s.bad("no member name")
		}
		name, err := s.text()
		if err != nil {
			return nil, err
		}
		if _, twice := members[name]; twice {
			return nil, s.bad("duplicate member")
		}
		if s.members++; s.members > s.limits.members {
			return nil, s.bad("too many members")
		}
		if !s.eat(':') {
			return nil, s.bad("no colon")
		}
		if members[name], err = s.value(level + 1); err != nil {
			return nil, err
		}
		if s.eat('}') {
			return members, nil
		}
		if !s.eat(',') {
			return nil, s.bad("no comma")
		}
	}
}

func (s *scanner) array(level int) (any, error) {
	if level > s.levels {
		return nil, s.bad("too deep")
	}
	s.at++
	items := []any{}
	if s.eat(']') {
		return items, nil
	}
	for {
		if len(items) == s.items {
			return nil, s.bad("too many items")
		}
		item, err := s.value(level + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if s.eat(']') {
			return items, nil
		}
		if !s.eat(',') {
			return nil, s.bad("no comma")
		}
	}
}

func (s *scanner) integer() (any, error) {
	start, n := s.at, int64(0)
	for s.at < len(s.data) && s.data[s.at] >= '0' && s.data[s.at] <= '9' {
		n = n*10 + int64(s.data[s.at]-'0')
		if s.at++; n >= firstUnsafe {
			return nil, s.bad("number too large")
		}
	}
	if s.data[start] == '0' && s.at-start > 1 {
		return nil, s.bad("leading zero")
	}
	switch s.peek() {
	case '.', 'e', 'E':
		return nil, s.bad("not an integer")
	}
	return n, nil
}

func (s *scanner) text() (string, error) {
	s.at++
	var out []byte
	for s.at < len(s.data) {
		c := s.data[s.at]
		s.at++
		switch {
		case c == '"':
			return string(out), nil
		case c < 0x20:
			return "", s.bad("control character")
		case c != '\\':
			out = append(out, c)
		default:
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		}
	}
	return "", s.bad("string without an end")
}

func (s *scanner) escape() (rune, error) {
	c := s.peek()
	s.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		high, err := s.hex4()
		if err != nil || !utf16.IsSurrogate(high) {
			return high, err
		}
		if s.at+1 < len(s.data) && s.data[s.at] == '\\' && s.data[s.at+1] == 'u' {
			s.at += 2
			low, err := s.hex4()
			if err != nil {
				return 0, err
			}
			if pair := utf16.DecodeRune(high, low); pair != utf8.RuneError {
				return pair, nil
			}
		}
		return 0, s.bad("lone surrogate")
	}
	return 0, s.bad("unknown escape")
}

func (s *scanner) hex4() (rune, error) {
	if s.at+4 > len(s.data) {
		return 0, s.bad("short escape")
	}
	var r rune
	for _, c := range s.data[s.at : s.at+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, s.bad("no hex digit")
		}
	}
	s.at += 4
	return r, nil
}

// readB64 reads canonical, unpadded base64url: encoding the bytes again must give the same text,
// which also refuses line ends that the standard library would skip.
func readB64(text string) ([]byte, error) {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil && base64.RawURLEncoding.EncodeToString(data) != text {
		err = errors.New("not canonical base64url")
	}
	return data, err
}
